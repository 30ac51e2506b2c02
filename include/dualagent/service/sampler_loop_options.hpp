#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"

namespace dualagent {

/// How a service decodes.
struct SamplerLoopOptions {
  std::size_t max_running = 64;          ///< generations in the decode batch
  std::size_t max_queued = 256;          ///< generations that wait for a place in it
  std::vector<Token> stop_tokens = {};   ///< the model's own; they end any generation
  std::string served_label = "default";  ///< of the weights that it begins with
  /// Of requests without a seed of their own; nothing: another one each time.
  std::optional<std::uint64_t> seed = {};

  /// Generations that are taken at once, running and waiting.
  std::size_t most() const {
    constexpr std::size_t kEndless = std::numeric_limits<std::size_t>::max();
    return max_queued < kEndless - max_running ? max_running + max_queued : kEndless;
  }

  void validate() const {
    require_option(max_running, kAtLeastOne, "max_running", "SamplerLoopOptions");
    require_utf8(served_label, "served_label", "SamplerLoopOptions");
  }
};

/// No place for a request: ask again later.
struct QueueFull : Error {
  using Error::Error;
};
/// The service ends.
struct ServiceEnds : Error {
  using Error::Error;
};

}  // namespace dualagent
