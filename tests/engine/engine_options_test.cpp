#include "dualagent/engine/engine_options.hpp"

#include <limits>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("options of an engine that cannot be meant are refused by their names", "[engine]") {
  CHECK_NOTHROW(EngineOptions{.vocab_size = 5}.validate());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refuses = [](const EngineOptions& options, const char* name) {
    CHECK_THROWS_WITH(options.validate(), ContainsSubstring(name));
  };
  refuses({}, "vocab_size");
  refuses({.vocab_size = 5, .max_in_flight = 0}, "max_in_flight");
  refuses({.vocab_size = 5, .connect_timeout_seconds = 0}, "connect_timeout_seconds");
  refuses({.vocab_size = 5, .reply_timeout_seconds = nan}, "reply_timeout_seconds");
  refuses({.vocab_size = 5, .restart_timeout_seconds = -1}, "restart_timeout_seconds");
  refuses({.vocab_size = 5, .backoff_seconds = 0}, "backoff_seconds");
  refuses({.vocab_size = 5, .weights_folder = std::string("a\0b", 3)},
          "weights_folder has a NUL byte");
  refuses({.vocab_size = 5, .model_folder = std::string("a\0b", 3)}, "model_folder has a NUL byte");
  // Longer than a clock can be moved by: they would count as over.
  refuses({.vocab_size = 5, .connect_timeout_seconds = 1e10}, "connect_timeout_seconds");
  refuses({.vocab_size = 5, .reply_timeout_seconds = 1e10}, "reply_timeout_seconds");
  refuses({.vocab_size = 5, .restart_timeout_seconds = 1e10}, "restart_timeout_seconds");
  refuses({.vocab_size = 5, .restart_poll_seconds = 1e10}, "restart_poll_seconds");
  refuses({.vocab_size = 5, .backoff_seconds = 1e10}, "backoff_seconds");
  refuses({.vocab_size = 5, .canary = {.count = 0}}, "canary.count");
  constexpr std::size_t kAbsurd = std::size_t{1} << 60U;  // of what is made all at once
  refuses({.vocab_size = 5, .canary = {.count = kAbsurd}}, "canary.count");
  refuses({.vocab_size = 5, .canary = {.prompt_tokens = kAbsurd}}, "canary.prompt_tokens");
  refuses({.vocab_size = 5, .canary = {.new_tokens = kAbsurd}}, "canary.new_tokens");
  refuses({.vocab_size = 5, .max_in_flight = kAbsurd}, "max_in_flight");
  refuses({.vocab_size = 5, .canary = {.count = 1U << 15U, .prompt_tokens = 1U << 15U}},
          "canary.count * (prompt_tokens + new_tokens)");
  refuses({.vocab_size = 5, .canary = {.temperature = 0}}, "canary.temperature");
  refuses({.vocab_size = 5, .canary = {.max_log_ratio = 0}}, "canary.max_log_ratio");
}
