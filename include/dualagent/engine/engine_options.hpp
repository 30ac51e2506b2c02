#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/io/safetensors_format.hpp"

namespace dualagent {

/// Short sequences by which an engine proves that it has a learner's weights.
///
/// It samples a continuation of every prompt, and the learner scores the tokens. The same prompts
/// are asked after every publishing, so that a prefix cache which outlives its weights is noticed:
/// they are longer than its blocks, which have 128 tokens on vLLM's CPU and fewer elsewhere. The
/// temperature is not 1, so that log-probabilities of temperature 1 are noticed.
struct CanaryOptions {
  std::vector<std::vector<Token>> prompts = {};  ///< empty: `count` of random tokens
  std::size_t count = 4;
  std::size_t prompt_tokens = 144;
  std::size_t new_tokens = 8;  ///< sampled after each prompt
  float temperature = 0.7F;
  /// The largest |log p_engine - log p_learner| of a canary token that is accepted, nats. Of
  /// float32; an engine in bfloat16 differs by up to 0.1 and proves that much less.
  double max_log_ratio = 1e-3;
};

/// A server that samples: SGLang or vLLM.
struct EngineOptions {
  std::string url = "http://127.0.0.1:8000";  ///< without a path
  /// Name of the environment variable that holds the key of a server that wants one; empty: none.
  std::string api_key_variable = {};
  std::string model = {};      ///< the server's name of the model; empty: the one it serves
  std::size_t vocab_size = 0;  ///< of the model, e.g. learner.vocab_size(); ids lie below it
  /// Where `publish` writes the weights, a folder of each version; the engine reads them under the
  /// same path. Unused where nothing is published.
  std::filesystem::path weights_folder = {};
  /// Another process gives the server its weights and labels them with their versions, in decimal
  /// digits: see HttpEngine::follow.
  bool published_elsewhere = false;
  std::filesystem::path model_folder = {};  ///< the model's directory, see SaveOptions::from
  DType stored_as = DType::f32;             ///< type of the weights in `weights_folder`
  std::size_t max_in_flight = 64;           ///< requests; more wait here, in their order
  double connect_timeout_seconds = 5;
  double reply_timeout_seconds = 600;    ///< of one attempt at a request
  double restart_timeout_seconds = 600;  ///< how long an engine that is gone is waited for
  double restart_poll_seconds = 1;       ///< between two looks whether it is back
  std::size_t retries = 3;       ///< attempts after the first that the engine did not answer
  double backoff_seconds = 0.5;  ///< before the first retry; doubles with each, up to 30
  CanaryOptions canary = {};

  void validate() const {
    require_option(vocab_size, kAtLeastOne, "vocab_size", "EngineOptions");
    require_no_nul(weights_folder.native(), "weights_folder", "EngineOptions");
    require_no_nul(model_folder.native(), "model_folder", "EngineOptions");
    require_option(max_in_flight, kCount, "max_in_flight", "EngineOptions");
    require_option(connect_timeout_seconds, kPositiveSeconds, "connect_timeout_seconds",
                   "EngineOptions");
    require_option(reply_timeout_seconds, kPositiveSeconds, "reply_timeout_seconds",
                   "EngineOptions");
    require_option(restart_timeout_seconds, kSeconds, "restart_timeout_seconds", "EngineOptions");
    require_option(restart_poll_seconds, kPositiveSeconds, "restart_poll_seconds", "EngineOptions");
    require_option(backoff_seconds, kPositiveSeconds, "backoff_seconds", "EngineOptions");
    require_option(canary.count, kCount, "canary.count", "EngineOptions");
    require_option(canary.prompt_tokens, kCount, "canary.prompt_tokens", "EngineOptions");
    require_option(canary.new_tokens, kCount, "canary.new_tokens", "EngineOptions");
    require_option(canary.count * (canary.prompt_tokens + canary.new_tokens), kCount,
                   "canary.count * (prompt_tokens + new_tokens)", "EngineOptions");
    require_option(canary.temperature, kPositive, "canary.temperature", "EngineOptions");
    require_option(canary.max_log_ratio, kPositive, "canary.max_log_ratio", "EngineOptions");
  }
};

}  // namespace dualagent
