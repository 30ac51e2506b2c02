#pragma once

#include <iostream>
#include <string>
#include <type_traits>

#include "dualagent/tools/sandboxed_process.hpp"

/// Whether sandbox S can be tried on this machine; prints why if not.
template <class S>
bool runs_here() {
  std::string why;
  if (!std::is_same_v<S, dualagent::Bubblewrap> || dualagent::bubblewrap_works(&why)) return true;
  std::cout << "skipped: " << why << "\n";
  return false;
}
