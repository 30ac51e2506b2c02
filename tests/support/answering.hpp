#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "dualagent/trace/rollout.hpp"

/// A finished rollout with that answer.
inline dualagent::Rollout answering(std::optional<std::string> answer, std::size_t calls = 0,
                                    std::size_t summaries = 0) {
  dualagent::Rollout rollout;
  rollout.answer = std::move(answer);
  rollout.calls = calls;
  rollout.summaries = summaries;
  return rollout;
}
