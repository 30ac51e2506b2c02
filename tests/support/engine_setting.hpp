#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/engine/canaries.hpp"
#include "dualagent/engine/sglang_engine.hpp"
#include "dualagent/engine/vllm_engine.hpp"
#include "dualagent/rollout/completion_queue.hpp"
#include "support/catch.hpp"
#include "support/engine_double.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait_for.hpp"

/// Engines of both kinds before a double, and what is asked of them.
namespace engine_double {

using namespace dualagent;

template <class EngineType>
constexpr Kind kKind = std::is_same_v<EngineType, SglangEngine> ? Kind::sglang : Kind::vllm;

/// Small canaries, and waits that no test has to sit through.
inline EngineOptions options_for(std::string url, std::filesystem::path weights_folder) {
  return {.url = std::move(url),
          .vocab_size = 24,
          .weights_folder = std::move(weights_folder),
          .max_in_flight = 8,
          .restart_timeout_seconds = 60,
          .restart_poll_seconds = 1e-3,
          .backoff_seconds = 1e-3,
          .canary = {.count = 2, .prompt_tokens = 20, .new_tokens = 4}};
}

/// A double, a learner of the model that it serves, and an engine that talks to it.
template <class EngineType>
struct Setting {
  explicit Setting(Token eos = -1) : server(kKind<EngineType>, served.folder, eos) {}

  EngineOptions options() const { return options_for(server.url(), folder / "weights"); }

  TemporaryFolder folder;
  Served served{folder / "served"};
  Engine server;
};

/// Contexts of some tokens and their requests.
struct Requests {
  Requests(std::size_t count, std::size_t new_tokens, float temperature = 0.8F) {
    stop.max_new_tokens = new_tokens;
    for (std::size_t i = 0; i < count; ++i)
      contexts.push_back({static_cast<Token>(i % 24), 3, static_cast<Token>(i % 5)});
    for (std::size_t i = 0; i < count; ++i)
      requests.push_back({.sequence = i,
                          .context = contexts[i],
                          .sampling = {.temperature = temperature},
                          .stop = &stop,
                          .random = RandomStream::from_seed(9).child(i)});
  }
  StopRule stop;
  std::vector<std::vector<Token>> contexts;
  std::vector<GenerationRequest> requests;
};

using Generations = std::map<SequenceId, Generation>;

/// Waits, asleep, until `count` generations have ended.
template <class EngineType>
class Asked {
 public:
  Asked(EngineType& engine, const Requests& asked) : engine_(engine), left_(asked.requests.size()) {
    for (GenerationRequest request : asked.requests) {
      request.on_ready = [queue = queue_] { queue->wake(); };
      engine.submit(request);
    }
  }
  Generations all() {
    Generations done;
    std::vector<int> none;
    const auto end = end_of_patience();
    while (left_ > 0) {
      const std::size_t before = left_;
      CHECK(engine_.advance([&](Generation&& one) {
        --left_;
        const SequenceId sequence = one.sequence;
        CHECK(done.emplace(sequence, std::move(one)).second);
      }) == 0);
      if (left_ < before) continue;
      if (std::chrono::steady_clock::now() >= end) FAIL(left_ << " generations do not end");
      queue_->take(none, CompletionQueue<int>::Wait::for_one, end);
    }
    return done;
  }

 private:
  EngineType& engine_;
  // `on_ready` may be called late.
  std::shared_ptr<CompletionQueue<int>> queue_ = std::make_shared<CompletionQueue<int>>();
  std::size_t left_;
};

template <class EngineType>
Generations generate(EngineType& engine, const Requests& requests) {
  return Asked<EngineType>(engine, requests).all();
}

/// The largest difference between a generation's log-probabilities and those that the learner
/// finds.
inline double largest_log_ratio(Transformer<float>& learner, const Requests& asked,
                                const Generations& done) {
  double largest = 0;
  for (const auto& [sequence, generation] : done) {
    Canary canary{.tokens = asked.contexts[sequence], .prompt = asked.contexts[sequence].size()};
    const auto said = generation.sampled.tokens();
    canary.tokens.insert(canary.tokens.end(), said.begin(), said.end());
    const auto scores = score_canaries(learner, std::span<const Canary>(&canary, 1),
                                       asked.requests[sequence].sampling.temperature)[0];
    const std::vector<double> given(generation.sampled.log_probs().begin(),
                                    generation.sampled.log_probs().end());
    largest = std::max(largest, largest_difference(scores, given));
  }
  return largest;
}

/// Samples with the first weights and after each of two refits: every token has its version, and
/// the learner scores what was sampled alike, up to `tolerance`, as the proofs say.
template <class EngineType>
void check_samples_over_refits(EngineType& engine, Served& served, double tolerance) {
  CHECK(engine.weight_version() == 0);
  CHECK(engine.max_context_tokens() == 64);
  const Requests asked(20, 6);
  for (WeightVersion version = 0; version < 3; ++version) {
    if (version > 0) {
      served.learn();
      CHECK(engine.publish(served.learner, version) == version);
      CHECK(engine.proof().version == version);
      CHECK(engine.proof().tokens == 8);
      CHECK(engine.proof().max_abs_log_ratio <= tolerance);
      CHECK((engine.proof().learner_moved > 1e-3) == (version > 1));
    }
    const Generations done = generate(engine, asked);
    for (const auto& [sequence, generation] : done) {
      CHECK(generation.finish == FinishReason::length);
      CHECK(generation.sampled.tokens().size() == 6);
      for (const WeightVersion of_token : generation.sampled.weight_versions())
        CHECK(of_token == version);
    }
    CHECK(largest_log_ratio(served.learner, asked, done) <= tolerance);
  }
}

}  // namespace engine_double
