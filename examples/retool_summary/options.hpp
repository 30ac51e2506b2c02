#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "help.hpp"

namespace retool_summary {

/// Which weights play the two roles.
enum class Pair { shared, two, adapters };
/// Whose tokens are trained, and in which segments.
enum class Trained { all, final_and_summaries, answerer, final_segment };
/// What the loss is the mean over.
enum class Mean { tokens, rollouts };
enum class RewardForm { strict, guarded, reference };
enum class SandboxKind { automatic, bubblewrap, rlimits };
enum class Storage { bf16, f32 };

/// The command line. Most defaults are the reference system's; docs/coming-from-the-reference.md
/// has both in a table.
struct Options {
  std::filesystem::path model, summarizer_model, tasks, eval_tasks;
  std::filesystem::path out = "retool-summary-out";
  bool resume = false, help = false;

  Pair pair = Pair::shared;
  std::size_t rank = 16;  ///< of the adapters
  double alpha = 32;      ///< their scale is alpha / rank
  Trained trained = Trained::all;
  Mean mean = Mean::tokens;
  RewardForm reward = RewardForm::strict;
  std::string judge, judge_model, judge_key;  ///< address, name, environment variable of the key
  double judge_weight = 0.2;

  std::string system =
      "Solve the problem. Let the python tool do the arithmetic. Put the final answer in "
      "\\boxed{}.";
  std::size_t budget = 2048;           ///< tokens of a context above which it is summarized
  std::optional<std::size_t> context;  ///< tokens of a context window; see `context_for`
  std::size_t max_turns = 16, max_calls = 16;
  std::size_t turn_tokens = 4096, summary_tokens = 2048;
  SandboxKind sandbox = SandboxKind::automatic;
  double tool_seconds = 10;
  double temperature = 1, summarizer_temperature = 1, summarizer_top_p = 1;

  std::size_t steps = 500, tasks_per_step = 32, group_size = 8, minibatches = 1;
  double learning_rate = 1e-6;
  std::size_t warm_start_steps = 0, warm_start_episodes = 4;
  double warm_start_rate = 1e-4;

  std::size_t eval_every = 30, eval_samples = 16;
  double eval_temperature = 1, eval_top_p = 0.7;
  std::size_t save_every = 10;
  Storage storage = Storage::bf16;
  std::size_t live_episodes = 64, gradient_parts = 2;
  std::uint64_t seed = 0;
  std::size_t threads = std::max(1U, std::thread::hardware_concurrency());

  /// The context window for a model that has `positions`.
  std::size_t context_for(std::size_t positions) const {
    return context.value_or(std::min<std::size_t>(positions, 16384));
  }
};

namespace detail {

/// What stands behind one flag, read as what the flag wants. Errors: Error that names the flag.
struct FlagValue {
  std::string_view flag;
  std::optional<std::string> given;

  const std::string& text() const {
    if (!given) throw dualagent::Error("a value is missing", std::string(flag), "See --help");
    return *given;
  }
  [[noreturn]] void refuse(const std::string& wanted) const {
    throw dualagent::Error("\"" + text() + "\" is not " + wanted, std::string(flag), "See --help");
  }
  std::uint64_t number(std::uint64_t least) const {
    const auto value = dualagent::parse_number<std::uint64_t>(text());
    if (!value || *value < least) refuse("a whole number from " + std::to_string(least));
    return *value;
  }
  /// Above `low`, or equal to it where that is allowed, and at most `high`.
  double real(double low, bool with_low, double high) const {
    const auto value = dualagent::parse_number<double>(text());
    if (!value || !std::isfinite(*value) || *value < low || (*value == low && !with_low) ||
        *value > high)
      refuse("a number " + std::string(with_low ? "from " : "above ") +
             dualagent::shortest_text(low) +
             (high < kNoLimit ? " to " + dualagent::shortest_text(high) : ""));
    return *value;
  }
  std::string name() const {
    if (text().empty()) refuse("a name");
    return text();
  }
  template <class E>
  E one_of(std::initializer_list<std::pair<std::string_view, E>> choices) const {
    std::string names;
    for (const auto& [choice, value] : choices) {
      if (choice == text()) return value;
      (names += names.empty() ? "" : ", ") += choice;
    }
    throw dualagent::Error("there is no \"" + text() + "\"", std::string(flag),
                           "It is one of " + names);
  }
  static constexpr double kNoLimit = 1e9;
};

// Each sets what one flag with a value says; false: it is none of these flags.

inline bool set_training_option(Options& o, const FlagValue& v) {
  const std::string_view flag = v.flag;
  if (flag == "--steps")
    o.steps = v.number(1);
  else if (flag == "--tasks-per-step")
    o.tasks_per_step = v.number(1);
  else if (flag == "--group-size")
    o.group_size = v.number(2);
  else if (flag == "--minibatches")
    o.minibatches = v.number(1);
  else if (flag == "--learning-rate")
    o.learning_rate = v.real(0, false, 1);
  else if (flag == "--warm-start-steps")
    o.warm_start_steps = v.number(0);
  else if (flag == "--warm-start-episodes")
    o.warm_start_episodes = v.number(1);
  else if (flag == "--warm-start-rate")
    o.warm_start_rate = v.real(0, false, 1);
  else if (flag == "--save-every")
    o.save_every = v.number(1);
  else if (flag == "--gradient-parts")
    o.gradient_parts = v.number(1);
  else if (flag == "--seed")
    o.seed = v.number(0);
  else if (flag == "--threads")
    o.threads = v.number(1);
  else if (flag == "--pair")
    o.pair = v.one_of<Pair>(
        {{"shared", Pair::shared}, {"two", Pair::two}, {"adapters", Pair::adapters}});
  else if (flag == "--rank")
    o.rank = v.number(1);
  else if (flag == "--alpha")
    o.alpha = v.real(0, false, FlagValue::kNoLimit);
  else if (flag == "--train")
    o.trained = v.one_of<Trained>({{"all", Trained::all},
                                   {"final+summaries", Trained::final_and_summaries},
                                   {"answerer", Trained::answerer},
                                   {"final", Trained::final_segment}});
  else if (flag == "--mean")
    o.mean = v.one_of<Mean>({{"tokens", Mean::tokens}, {"rollouts", Mean::rollouts}});
  else if (flag == "--stored-as")
    o.storage = v.one_of<Storage>({{"bf16", Storage::bf16}, {"f32", Storage::f32}});
  else
    return false;
  return true;
}

inline bool set_reward_option(Options& o, const FlagValue& v) {
  const std::string_view flag = v.flag;
  if (flag == "--reward")
    o.reward = v.one_of<RewardForm>({{"strict", RewardForm::strict},
                                     {"guarded", RewardForm::guarded},
                                     {"reference", RewardForm::reference}});
  else if (flag == "--judge")
    o.judge = v.name();
  else if (flag == "--judge-model")
    o.judge_model = v.name();
  else if (flag == "--judge-key")
    o.judge_key = v.name();
  else if (flag == "--judge-weight")
    o.judge_weight = v.real(0, false, FlagValue::kNoLimit);
  else if (flag == "--eval-every")
    o.eval_every = v.number(1);
  else if (flag == "--eval-samples")
    o.eval_samples = v.number(1);
  else if (flag == "--eval-temperature")
    o.eval_temperature = v.real(0, true, 100);
  else if (flag == "--eval-top-p")
    o.eval_top_p = v.real(0, false, 1);
  else
    return false;
  return true;
}

inline bool set_episode_option(Options& o, const FlagValue& v) {
  const std::string_view flag = v.flag;
  if (flag == "--system")
    o.system = v.text();
  else if (flag == "--budget")
    o.budget = v.number(1);
  else if (flag == "--context")
    o.context = v.number(2);
  else if (flag == "--max-turns")
    o.max_turns = v.number(1);
  else if (flag == "--max-calls")
    o.max_calls = v.number(0);
  else if (flag == "--turn-tokens")
    o.turn_tokens = v.number(1);
  else if (flag == "--summary-tokens")
    o.summary_tokens = v.number(1);
  else if (flag == "--tool-seconds")
    o.tool_seconds = v.real(0, false, 3600);
  else if (flag == "--sandbox")
    o.sandbox = v.one_of<SandboxKind>({{"auto", SandboxKind::automatic},
                                       {"bubblewrap", SandboxKind::bubblewrap},
                                       {"rlimits", SandboxKind::rlimits}});
  else if (flag == "--temperature")
    o.temperature = v.real(0, false, 100);
  else if (flag == "--summarizer-temperature")
    o.summarizer_temperature = v.real(0, false, 100);
  else if (flag == "--summarizer-top-p")
    o.summarizer_top_p = v.real(0, false, 1);
  else if (flag == "--live-episodes")
    o.live_episodes = v.number(1);
  else if (flag == "--model")
    o.model = v.name();
  else if (flag == "--summarizer-model")
    o.summarizer_model = v.name();
  else if (flag == "--tasks")
    o.tasks = v.name();
  else if (flag == "--eval-tasks")
    o.eval_tasks = v.name();
  else if (flag == "--out")
    o.out = v.name();
  else
    return false;
  return true;
}

inline bool set_option(Options& options, const FlagValue& value) {
  return set_episode_option(options, value) || set_training_option(options, value) ||
         set_reward_option(options, value);
}

/// Refuses flags that mean nothing without another one, or against another one.
inline void check_together(const Options& o, const std::set<std::string_view>& given) {
  const auto needs = [&](std::string_view flag, std::string_view other) {
    if (given.contains(flag) && !given.contains(other))
      throw dualagent::Error(std::string(flag) + " means nothing without " + std::string(other),
                             std::string(flag), "Give both, or neither");
  };
  const auto refuse = [](std::string_view flag, const std::string& why, const std::string& remedy) {
    throw dualagent::Error(why, std::string(flag), remedy);
  };
  for (const char* flag : {"--model", "--tasks"})
    if (!given.contains(flag))
      refuse(flag, "it is missing",
             "Name a Hugging Face directory with --model and JSON lines with --tasks; "
             "examples/retool_summary/run.sh without --model fetches a small model");
  needs("--judge", "--judge-model");
  for (const char* flag : {"--judge-model", "--judge-weight", "--judge-key"})
    needs(flag, "--judge");
  for (const char* flag : {"--eval-every", "--eval-samples", "--eval-temperature", "--eval-top-p"})
    needs(flag, "--eval-tasks");
  for (const char* flag : {"--warm-start-episodes", "--warm-start-rate"})
    needs(flag, "--warm-start-steps");
  for (const char* flag : {"--rank", "--alpha"})
    if (given.contains(flag) && o.pair != Pair::adapters)
      refuse(flag, "it is of adapters", "Add --pair adapters, or leave it out");
  if (!o.summarizer_model.empty() && o.pair != Pair::two)
    refuse("--summarizer-model", "both roles have one model", "Add --pair two");
  if (!o.summarizer_model.empty() && o.warm_start_steps > 0)
    refuse("--summarizer-model", "the warm start trains one model from which both agents begin",
           "Leave --summarizer-model or --warm-start-steps out");
  if (o.context && o.budget >= *o.context)
    refuse("--budget",
           "a budget of " + std::to_string(o.budget) +
               " tokens is never passed in a "
               "context of " +
               std::to_string(*o.context),
           "Give less than --context");
  if (o.eval_temperature == 0 && o.eval_samples > 1)
    refuse("--eval-samples", "all samples of a task are equal at --eval-temperature 0",
           "Give one sample, or a temperature above 0");
}

}  // namespace detail

/// Reads the command line; of a flag that comes twice the last one counts.
///
/// Errors: Error that names the flag, for one that is unknown, has a value that it cannot have, or
/// means nothing beside the others.
inline Options parse_options(std::span<const char* const> arguments) {
  Options options;
  std::set<std::string_view> given;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view flag = arguments[i];
    given.insert(flag);
    if (flag == "--help" || flag == "-h") return options.help = true, options;
    if (flag == "--resume") {
      options.resume = true;
      continue;
    }
    detail::FlagValue value{.flag = flag, .given = {}};
    if (i + 1 < arguments.size()) value.given = arguments[++i];
    if (!detail::set_option(options, value))
      throw dualagent::Error("there is no option \"" + std::string(flag) + "\"", "command line",
                             "See --help");
  }
  detail::check_together(options, given);
  return options;
}

}  // namespace retool_summary
