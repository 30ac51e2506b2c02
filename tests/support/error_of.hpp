#pragma once

#include <string>

#include "dualagent/core/error.hpp"

/// The text of the Error that `body()` throws; "no error" if it throws none.
template <class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const dualagent::Error& error) {
    return error.what();
  }
  return "no error";
}
