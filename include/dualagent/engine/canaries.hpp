#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/engine/engine_options.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/trace/packed_batch.hpp"

namespace dualagent {

/// A prompt, what an engine sampled after it, and how probable a learner holds that.
struct Canary {
  std::vector<Token> tokens = {};    ///< prompt and sample
  std::size_t prompt = 0;            ///< tokens of the prompt
  std::vector<double> engine = {};   ///< [sampled] log-probabilities that the engine gave, nats
  std::vector<double> learner = {};  ///< [sampled] the learner's at temperature 1, nats
  std::size_t sampled() const { return tokens.size() - prompt; }
};

/// What proved that an engine samples from a learner's weights.
struct RefitProof {
  WeightVersion version = 0;
  std::size_t tokens = 0;        ///< canary tokens that were compared
  double max_abs_log_ratio = 0;  ///< largest |log p_engine - log p_learner| of them, nats
  /// How far the learner moved since the last proof: the largest change of a canary token's
  /// log-probability, nats. Where it is below CanaryOptions::max_log_ratio the numbers alone could
  /// not tell the new weights from the old ones, and the reported version is the proof.
  double learner_moved = 0;
};

/// The prompts of the options, or random ones of them, the same in every run.
/// Errors: Error for a prompt that is empty or has an id outside the vocabulary, and where a prompt
/// and its sample do not fit the context.
inline std::vector<Canary> canary_prompts(const CanaryOptions& options, std::size_t vocab_size,
                                          std::size_t max_context_tokens) {
  std::vector<Canary> canaries;
  for (const std::vector<Token>& prompt : options.prompts)
    canaries.push_back({.tokens = prompt, .prompt = prompt.size()});
  if (canaries.empty()) {
    const std::size_t half = max_context_tokens / 2;
    const std::size_t size = std::max<std::size_t>(1, std::min(options.prompt_tokens, half));
    for (std::size_t c = 0; c < options.count; ++c) {
      const RandomStream random = RandomStream::from_seed(c);
      Canary& canary = canaries.emplace_back(Canary{.prompt = size});
      for (std::size_t i = 0; i < size; ++i)
        canary.tokens.push_back(static_cast<Token>(random.below(i, vocab_size)));
    }
  }
  for (const Canary& canary : canaries) {
    const auto outside = [&](Token token) {
      return token < 0 || static_cast<std::size_t>(token) >= vocab_size;
    };
    if (canary.prompt == 0 || std::any_of(canary.tokens.begin(), canary.tokens.end(), outside) ||
        canary.prompt + options.new_tokens > max_context_tokens)
      throw Error(
          "a canary's prompt is empty, does not fit the context or has an id outside the "
          "vocabulary",
          "CanaryOptions::prompts", "Take prompts from the model's own tokenizer");
  }
  return canaries;
}

/// [sampled] log-probabilities of each canary's sample, in nats at the temperature.
template <class LearnerModel>
std::vector<std::vector<double>> score_canaries(LearnerModel& learner,
                                                std::span<const Canary> canaries,
                                                float temperature) {
  static_assert(std::is_same_v<MachineOf<LearnerModel>, cpu::Loops>,
                "dualagent: an engine takes the weights of a learner that computes on the host");
  PackedBatch batch;
  batch.temperature = temperature;
  for (const Canary& canary : canaries) {
    const std::size_t begin = batch.append_row(canary.tokens);
    std::fill(batch.loss_weight.begin() + static_cast<std::ptrdiff_t>(begin + canary.prompt),
              batch.loss_weight.end(), 1.0F);
  }
  TokenOutputs outputs;
  outputs.resize(batch.size());
  learner.score(batch, outputs);
  std::vector<std::vector<double>> scores;
  for (std::size_t row = 0; row < canaries.size(); ++row)
    scores.emplace_back(
        outputs.log_prob.begin() +
            static_cast<std::ptrdiff_t>(batch.row_begin[row] + canaries[row].prompt),
        outputs.log_prob.begin() + static_cast<std::ptrdiff_t>(batch.row_begin[row + 1]));
  return scores;
}

/// The largest |a - b| of numbers in pairs; infinity where one is missing or not finite.
inline double largest_difference(std::span<const double> a, std::span<const double> b) {
  constexpr double kEndless = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return kEndless;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    largest = std::isfinite(difference) ? std::max(largest, difference) : kEndless;
  }
  return largest;
}

/// Errors: Error where canaries differ by more than is accepted.
inline void require_agreement(double difference, const CanaryOptions& options,
                              const std::string& place) {
  if (difference <= options.max_log_ratio) return;
  throw Error(
      "the engine does not sample from the weights that it was given: a canary token's "
      "log-probability differs from the learner's by " +
          shortest_text(difference) + ", and " + shortest_text(options.max_log_ratio) +
          " is accepted",
      place,
      "Check that it serves the learner's model in float32, reports log-probabilities of "
      "the sampling temperature and leaves the checkpoint's generation_config alone; see "
      "docs/engines.md#when-the-proof-fails");
}

}  // namespace dualagent
