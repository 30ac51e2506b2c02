#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "copying.hpp"
#include "data.hpp"
#include "demonstrator.hpp"
#include "dualagent/data/task_stream.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/save_model.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/optim/schedule.hpp"
#include "dualagent/report/report_episode.hpp"
#include "dualagent/train/evaluation.hpp"
#include "dualagent/train/trainer.hpp"
#include "dualagent/train/training_run.hpp"
#include "failures.hpp"
#include "ledger_dialect.hpp"
#include "program.hpp"
#include "warm_start.hpp"

namespace quickstart {

using Model = dualagent::Transformer<float>;

inline constexpr std::size_t kWindow = 136;           // tokens; an episode that reaches it fails
inline constexpr std::size_t kUnlimitedWindow = 400;  // holds every whole history (at most 357)
inline constexpr std::uint64_t kWarmStarts = 3;       // from other initial weights each, at most
/// Of the learning rate, where a warm start alone solves 9 of 10 tasks: at the whole rate such a
/// model unlearns them (docs/quickstart.md).
inline constexpr double kRateOfGoodStart = 1.0 / 3;

inline std::size_t window_of(Memory memory) {
  return memory == Memory::all ? kUnlimitedWindow : kWindow;
}

/// 151,872 parameters.
inline dualagent::TransformerConfig model_config(Memory memory) {
  return {.vocab_size = vocabulary::kSize,
          .hidden_size = 64,
          .num_hidden_layers = 3,
          .num_attention_heads = 4,
          .num_key_value_heads = 4,
          .head_dim = 16,
          .intermediate_size = 160,
          .max_position_embeddings = window_of(memory),
          .rope_theta = 1000.0,
          .rms_norm_eps = 1e-5,
          .tie_word_embeddings = false};
}

/// How the episodes of a row are played.
template <class Trigger, class Rewriter>
auto make_protocol(const Data& data, Memory memory, Trigger trigger, Rewriter rewriter) {
  return dualagent::Protocol{
      LedgerDialect{}, dualagent::ToolBox{LedgerLookup{.ledger = data.ledger}}, trigger, rewriter,
      dualagent::RolloutLimits{.max_context_tokens = window_of(memory)}};
}

/// The recipe of every trained row: GRPO with DAPO's clip and token mean.
template <class View>
dualagent::Recipe<dualagent::Dapo, View> main_recipe(View view) {
  dualagent::Dapo dapo;
  dapo.advantage.epsilon = 1e-4;
  return {dapo, view};
}

/// Everything the rows of the table share.
class Run {
 public:
  /// Sees every evaluation: the row's name, the temperature and the rollouts.
  using Observer =
      std::function<void(const std::string& row, float temperature, const dualagent::Evaluation&)>;

  Run(const Options& options, const Data& data, Demonstrator demonstrate = demonstrate_ledger,
      Observer observe = {})
      : options_(options),
        data_(data),
        demonstrate_(std::move(demonstrate)),
        observe_(std::move(observe)),
        pool_(std::make_shared<dualagent::ThreadPool>(options.threads)) {}

  /// Has `after_step` called after every step of warm starts and training.
  void watch(std::function<void()> after_step) { after_step_ = std::move(after_step); }

  const Options& options() const { return options_; }
  const Data& data() const { return data_; }
  const std::vector<dualagent::ReportEpisode>& episodes() const { return episodes_; }
  double max_abs_log_ratio() const { return max_abs_log_ratio_; }

  /// `start` chooses among the initial weights of the seed.
  Model make_model(Memory memory, std::uint64_t start = 0) const {
    return Model(model_config(memory),
                 {.pool = pool_, .seed = stream_for(options_, Use::initial_weights).bits(start)});
  }

  /// A model after the supervised warm start for this kind of history. One of an agent that
  /// summarizes begins again, twice at most, from other initial weights when it has not begun to
  /// copy at its middle or later, unless the options say that any warm start will do.
  /// Errors: Error of `require_formed` in the same case. The baselines may fail: it is what they
  /// are there to show.
  Model warm_start(Memory memory, const std::string& name) {
    const bool must_form = memory == Memory::summaries && !options_.any_warm_start;
    const std::vector<Episode> measured =
        demonstrations(memory, stream_for(options_, Use::copying));
    seconds_ = 0;
    for (std::uint64_t start = 0;; ++start) {
      Model model = make_model(memory, start);
      const bool ends_early = must_form && start + 1 < kWarmStarts;
      const dualagent::RunOutcome outcome =
          warm_start(model, memory, start == 0 ? name : name + "_" + std::to_string(start + 1),
                     measured, ends_early ? SlowStart::ends : SlowStart::goes_on);
      seconds_ += seconds_of(outcome);
      if (outcome.ended()) continue;
      if (must_form)
        require_formed(measure_copying(model, measured),
                       "warm_start_" + name + " after " + std::to_string(outcome.steps_done) +
                           " steps, seed " + std::to_string(options_.seed));
      return model;
    }
  }

  /// Trains a pair by reinforcement, at this share of the options' learning rates, and evaluates
  /// it. Rows that are not in `kRowNames` sample with the same random numbers.
  template <class Pairing, class Protocol, class Recipe>
  dualagent::ResultRow train(dualagent::ResultRow row, Pairing pairing, Protocol protocol,
                             Recipe recipe, double rate_share = 1) {
    dualagent::Trainer trainer(pairing, protocol, dualagent::ExactMatch{}, recipe,
                               dualagent::LocalCollective{}, trainer_options(row.name, rate_share));
    dualagent::TaskStream tasks(data_.training, stream_for(options_, Use::order));
    dualagent::RunOptions options = run_options(row.name, row.label, options_.steps);
    options.fingerprint["data"] = data_.fingerprint;
    options.journal = dualagent::JournalSurvives::killed_process;
    options.schedule = dualagent::WarmupCosine{
        .warmup_steps = 0,
        .total_steps = options_.steps,
        .final_fraction = options_.last_learning_rate / options_.learning_rate};
    dualagent::TrainingRun run(options);
    run.every(1, [](dualagent::RunRecord& record) {
      record.note = "success " + dualagent::percent_text(record.number("reward_mean").value(), 0) +
                    ", max |log ratio| " +
                    dualagent::shortest_text(record.number("max_abs_log_ratio").value());
    });
    run.after_record([&](const dualagent::RunRecord&) { after_step_(); });
    row.seconds =
        seconds_ +
        seconds_of(run.train(dualagent::Reinforcement{trainer, tasks, {.tasks = kTasksPerStep}}));
    for (const auto& record : dualagent::read_metrics(run.files().metrics()))
      max_abs_log_ratio_ =
          std::max(max_abs_log_ratio_, record.number("max_abs_log_ratio").value_or(0));
    dualagent::for_each_model(pairing, [&](auto& model, std::size_t index) {
      const char* const role = index == 1 ? "summarizer" : "answerer";
      dualagent::save_model(options_.out / "models" / row.name / role, model);
    });
    return evaluate(std::move(row), pairing, protocol, recipe.view);
  }

  /// Plays the held-out tasks, sampled and greedy.
  template <class Pairing, class Protocol, class View>
  dualagent::ResultRow evaluate(dualagent::ResultRow row, Pairing pairing, Protocol protocol,
                                View view) {
    if (!row.seconds) row.seconds = seconds_;
    dualagent::RolloutScheduler scheduler(pairing, protocol, kScheduler);
    const auto play = [&](float temperature) {
      dualagent::Evaluation evaluation =
          dualagent::evaluate(scheduler, std::span<const dualagent::EvaluationTask>(data_.held_out),
                              dualagent::ExactMatch{}, {{temperature}, {temperature}},
                              stream_for(options_, Use::evaluation));
      if (observe_) observe_(row.name, temperature, evaluation);
      return evaluation;
    };
    const auto score = [&](const dualagent::Evaluation& evaluation,
                           dualagent::Proportion& proportion, auto& failures) {
      for (const dualagent::Rollout& rollout : evaluation.rollouts)
        proportion.successes += rollout.reward > 0.5 ? 1 : 0;
      proportion.trials = evaluation.rollouts.size();
      failures = count_failure_kinds(evaluation.rollouts, data_.held_out_trails);
    };
    score(play(0.0F), row.greedy, row.failures_greedy);
    const dualagent::Evaluation sampled = play(1.0F);
    score(sampled, row.sampled, row.failures_sampled);
    double tokens = 0;
    for (const dualagent::Rollout& rollout : sampled.rollouts)
      tokens += static_cast<double>(dualagent::count_sampled(rollout));
    row.tokens_per_task = tokens / static_cast<double>(sampled.rollouts.size());
    keep_episodes(row, sampled, view);
    return row;
  }

 private:
  static constexpr std::size_t kTasksPerStep = 16;
  static constexpr std::size_t kGroupSize = 8;
  static constexpr std::size_t kEpisodesShown = 4;
  static constexpr dualagent::SchedulerOptions kScheduler{.max_live_episodes = 64};

  dualagent::TrainerOptions trainer_options(const std::string& row, double rate_share) const {
    const auto row_number = static_cast<std::size_t>(
        std::find(kRowNames.begin(), kRowNames.end(), row) - kRowNames.begin());
    return {.group_size = kGroupSize,
            .minibatches = 2,
            .update = {.optimizer = {.learning_rate = options_.learning_rate * rate_share,
                                     .beta1 = 0.9,
                                     .beta2 = 0.95},
                       .max_gradient_norm = 1.0},
            .scheduler = kScheduler,
            .seed = stream_for(options_, Use::rollouts).bits(row_number)};
  }

  std::vector<Episode> demonstrations(Memory memory, const RandomStream& random) const {
    constexpr std::size_t kEpisodes = 32;
    std::vector<Episode> episodes;
    for (std::uint64_t i = 0; i < kEpisodes; ++i)
      episodes.push_back(demonstrate_(memory, Difficulty{}, Sloppiness{}, random.child(i)));
    return episodes;
  }

  dualagent::RunOutcome warm_start(Model& model, Memory memory, const std::string& name,
                                   std::span<const Episode> measured, SlowStart slow) const {
    const RandomStream random =
        stream_for(options_, Use::demonstrations).child(static_cast<std::uint64_t>(memory));
    const std::size_t steps = options_.warm_start_steps;
    return quickstart::warm_start(
        model, {memory, steps, kWarmStartSegments, random, demonstrate_}, measured,
        run_options("warm_start_" + name, "warm start (" + name + ")", steps), slow, after_step_);
  }

  dualagent::RunOptions run_options(std::string name, std::string label, std::size_t steps) const {
    return {.folder = options_.out,
            .name = std::move(name),
            .label = std::move(label),
            .steps = steps,
            .earlier_run =
                options_.resume ? dualagent::EarlierRun::resume : dualagent::EarlierRun::refuse,
            .fingerprint = {{"seed", std::to_string(options_.seed)},
                            {"warm_start_steps", std::to_string(options_.warm_start_steps)}}};
  }

  /// Errors: Interrupted.
  static double seconds_of(const dualagent::RunOutcome& outcome) {
    if (outcome.interrupted()) throw Interrupted{};
    return outcome.seconds;
  }

  template <class View>
  void keep_episodes(const dualagent::ResultRow& row, const dualagent::Evaluation& evaluation,
                     const View& view) {
    const std::size_t count = std::min(kEpisodesShown, evaluation.rollouts.size());
    for (std::size_t i = 0; i < count; ++i) {
      const dualagent::Rollout& rollout = evaluation.rollouts[i];
      episodes_.push_back(
          dualagent::make_report_episode(rollout, vocabulary::text, view,
                                         {.stage = row.title(),
                                          .expected = data_.held_out[i].task().answer,
                                          .solved = rollout.reward > 0.5}));
    }
  }

  const Options& options_;
  const Data& data_;
  Demonstrator demonstrate_;
  Observer observe_;
  std::function<void()> after_step_ = [] {};
  std::shared_ptr<dualagent::ThreadPool> pool_;
  std::vector<dualagent::ReportEpisode> episodes_;
  double max_abs_log_ratio_ = 0;
  double seconds_ = 0;  // of the last warm start
};

inline void copy_weights(const Model& from, Model& to) {
  std::copy(from.parameters().begin(), from.parameters().end(), to.parameters().begin());
  to.weights_changed();
}

/// The rows whose agents summarize: they start from one warm start.
inline std::vector<dualagent::ResultRow> run_summarizing_rows(Run& run) {
  using namespace dualagent;
  std::vector<ResultRow> rows;
  const Options& options = run.options();
  if (!options.wants("dual") && !options.wants("warm_start") && !options.wants("frozen_summarizer"))
    return rows;
  const auto protocol =
      make_protocol(run.data(), Memory::summaries, TokenBudget{.max_tokens = Difficulty{}.budget},
                    ReplaceBySummary{});
  Model warm = run.warm_start(Memory::summaries, "dual").copy();  // without its gradients
  save_model(options.out / "models" / "warm_start" / "answerer", warm);
  if (options.wants("dual")) {
    Model model = run.make_model(Memory::summaries);
    copy_weights(warm, model);
    rows.push_back(run.train({.name = "dual", .label = "dual-agent, both trained"},
                             SharedWeights{model}, protocol, main_recipe(AllSegments{})));
  }
  if (options.wants("warm_start"))
    rows.push_back(run.evaluate({.name = "warm_start", .label = "warm start only"},
                                SharedWeights{warm}, protocol, AllSegments{}));
  if (options.wants("frozen_summarizer")) {
    Model answerer = run.make_model(Memory::summaries);
    copy_weights(warm, answerer);
    rows.push_back(
        run.train({.name = "frozen_summarizer", .label = "Answerer trained, Summarizer frozen"},
                  SeparateWeights{answerer, Frozen{warm}}, protocol, main_recipe(AnswererOnly{})));
  }
  return rows;
}

/// A row without summaries: a warm start of its own in the best format for it, then training.
template <class Trigger, class Rewriter>
dualagent::ResultRow run_plain_row(Run& run, dualagent::ResultRow row, Memory memory,
                                   Trigger trigger, Rewriter rewriter, double rate_share = 1) {
  Model model = run.warm_start(memory, row.name);
  return run.train(std::move(row), dualagent::SharedWeights{model},
                   make_protocol(run.data(), memory, trigger, rewriter),
                   main_recipe(dualagent::AllSegments{}), rate_share);
}

/// All rows that the options want, the main one first.
inline std::vector<dualagent::ResultRow> run_rows(Run& run) {
  using namespace dualagent;
  constexpr std::size_t kSlidingWindow = 100;  // + a turn of at most 31 and the answer: kWindow
  std::vector<ResultRow> rows = run_summarizing_rows(run);
  if (run.options().wants("sliding_window"))
    rows.push_back(run_plain_row(
        run, {.name = "sliding_window", .label = "sliding window, same limit"}, Memory::window,
        TokenBudget{.max_tokens = kSlidingWindow}, SlidingWindow{.max_tokens = kSlidingWindow}));
  if (run.options().wants("no_limit"))
    rows.push_back(run_plain_row(run,
                                 {.name = "no_limit",
                                  .label = "no context limit",
                                  .note = "window of 400 tokens instead of 136"},
                                 Memory::all, Never{}, ReplaceBySummary{}, kRateOfGoodStart));
  return rows;
}

}  // namespace quickstart
