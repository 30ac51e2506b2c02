#pragma once

#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "dualagent/text/dialect.hpp"

/// What a test expects a turn to be; anything else is thrown with what it is.
namespace turns {

template <class Part>
Part part_of(const dualagent::Turn& turn) {
  if (const auto* part = std::get_if<Part>(&turn)) return *part;
  if (const auto* malformed = std::get_if<dualagent::MalformedTurn>(&turn))
    throw std::runtime_error("malformed: " + malformed->reason);
  if (const auto* answer = std::get_if<dualagent::Answer>(&turn))
    throw std::runtime_error("answer: " + answer->text);
  throw std::runtime_error("calls");
}

inline std::vector<dualagent::ToolCall> calls_of(const dualagent::Turn& turn) {
  return part_of<std::vector<dualagent::ToolCall>>(turn);
}
inline std::string answer_of(const dualagent::Turn& turn) {
  return part_of<dualagent::Answer>(turn).text;
}
inline std::string reason_of(const dualagent::Turn& turn) {
  return part_of<dualagent::MalformedTurn>(turn).reason;
}

}  // namespace turns
