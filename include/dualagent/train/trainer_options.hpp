#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "dualagent/core/check.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/summary_forks.hpp"
#include "dualagent/train/weight_updater.hpp"

namespace dualagent {

/// What a trainer does, with an optimizer of one's choice.
/// Example: TrainerOptionsFor<Muon>{.update = {.optimizer = {.learning_rate = 1e-4}}, .seed = 7}
template <class Optimizer>
struct TrainerOptionsFor {
  /// Rollouts of one task. If not set: what the recipe says, or 8.
  std::optional<std::size_t> group_size = {};
  std::size_t minibatches = 2;  ///< updates per epoch; whole rollouts are assigned to them
  std::size_t epochs = 1;       ///< passes over the same rollouts
  SummaryForks summary_forks = {};
  RolloutSampling sampling = {};
  UpdateOptionsFor<Optimizer> update = {};
  SchedulerOptions scheduler = {};
  std::uint64_t seed = 0;

  /// Errors: Error for a value that cannot be meant. Those of `update` and `scheduler` are checked
  /// where they are used.
  void validate() const {
    require_option(minibatches, kCount, "minibatches", "TrainerOptions");
    require_option(epochs, kCount, "epochs", "TrainerOptions");
    summary_forks.validate();
    for (const SamplingOptions& agent : {sampling.answerer, sampling.summarizer}) {
      const std::string owner = "TrainerOptions::sampling";
      const std::string why = " leaves one token to choose from, and nothing to learn";
      require_option(agent.temperature, kPositive, "a temperature", owner, "0" + why);
      require_option(agent.min_p, kBelowOne, "a min_p", owner, "1" + why);
      if (agent.top_k == 1)
        throw Error("a top_k is 1", owner, "Set it to 0 (all tokens) or above 1; 1" + why);
    }
    sampling.validate();
  }
  /// The same with the group size that the trainer takes.
  void validate(std::size_t taken_group_size) const {
    require_option(taken_group_size, kCount, "group_size", "TrainerOptions");
    validate();
    if (summary_forks.continuations > 1)
      require_option(summary_forks.histories_per_group,
                     {1.0, static_cast<double>(taken_group_size)}, "histories_per_group",
                     "SummaryForks");
  }
};
/// The same with AdamW.
using TrainerOptions = TrainerOptionsFor<AdamW>;

namespace detail {
/// Stands for a part of a trainer that was not given, so that the class says which one is due.
struct NotGiven {};

/// Options that leave tokens out, where they do; `agent` is "answerer" or "summarizer".
inline void describe_left_out(const SamplingOptions& options, const std::string& agent,
                              RunFingerprint& fingerprint) {
  if (options.top_k > 0) fingerprint[agent + ".top_k"] = std::to_string(options.top_k);
  if (options.top_p < 1.0F)
    fingerprint[agent + ".top_p"] = shortest_text(static_cast<double>(options.top_p));
  if (options.min_p > 0.0F)
    fingerprint[agent + ".min_p"] = shortest_text(static_cast<double>(options.min_p));
}

/// What the numbers of a trainer depend on beside weights, tasks and policies; the optimizer's
/// entries begin with "update.".
template <class Optimizer>
RunFingerprint describe_options(const TrainerOptionsFor<Optimizer>& options,
                                std::size_t group_size) {
  RunFingerprint described{
      {"seed", std::to_string(options.seed)},
      {"group_size", std::to_string(group_size)},
      {"minibatches", std::to_string(options.minibatches)},
      {"epochs", std::to_string(options.epochs)},
      {"summary_forks.continuations", std::to_string(options.summary_forks.continuations)},
      {"summary_forks.histories_per_group",
       std::to_string(options.summary_forks.histories_per_group)},
      {"answerer.temperature",
       shortest_text(static_cast<double>(options.sampling.answerer.temperature))},
      {"summarizer.temperature",
       shortest_text(static_cast<double>(options.sampling.summarizer.temperature))},
      {"update.max_gradient_norm", shortest_text(options.update.max_gradient_norm)}};
  options.update.optimizer.describe([&](std::string_view name, double value) {
    described.emplace("update." + std::string(name), shortest_text(value));
  });
  describe_left_out(options.sampling.answerer, "answerer", described);
  describe_left_out(options.sampling.summarizer, "summarizer", described);
  return described;
}

}  // namespace detail

/// The options that a trainer's numbers depend on, as text for a checkpoint.
template <class Optimizer>
std::string options_text(const TrainerOptionsFor<Optimizer>& options, std::size_t group_size) {
  return nlohmann::json(detail::describe_options(options, group_size)).dump();
}

/// What `options_text` wrote into the text `name` of a checkpoint. Errors: Error for no JSON.
inline RunFingerprint read_options_text(const StoredCheckpoint& checkpoint,
                                        const std::string& name) {
  RunFingerprint described;
  const nlohmann::json stored =
      parse_json(checkpoint.text(name), checkpoint.where(), "Resume from an earlier checkpoint");
  for (const auto& [option, value] : stored.items())
    described[option] = value.is_string() ? value.get<std::string>() : value.dump();
  return described;
}

namespace detail {
/// `require_same_options` for options that are described already.
inline void require_same_description(const StoredCheckpoint& checkpoint, const std::string& name,
                                     const RunFingerprint& described) {
  RunFingerprint before[2], now[2];  // all but the optimizer's, the optimizer's
  const auto part = [](const std::string& option) { return option.starts_with("update.") ? 1 : 0; };
  for (const auto& [option, value] : read_options_text(checkpoint, name))
    before[part(option)][option] = value;
  for (const auto& [option, value] : described) now[part(option)][option] = value;
  if (const std::string others = fingerprint_differences(before[0], now[0]); !others.empty())
    throw Error("the checkpoint's trainer had other options: " + others, checkpoint.where(),
                "Make the trainer with the same options, or start a new run from its weights");
  if (const std::string others = fingerprint_differences(before[1], now[1]); !others.empty())
    warn("the run goes on with another optimizer: " + others + " (" + checkpoint.where() + ")");
}
}  // namespace detail

/// Compares the options in a checkpoint's text `name`, which `options_text` made, with those of the
/// trainer that loads it. Errors: Error that names those which differ; the optimizer's are warned
/// of, since a run may go on with another learning rate on purpose.
template <class Optimizer>
void require_same_options(const StoredCheckpoint& checkpoint, const std::string& name,
                          const TrainerOptionsFor<Optimizer>& options, std::size_t group_size) {
  detail::require_same_description(checkpoint, name, detail::describe_options(options, group_size));
}

}  // namespace dualagent
