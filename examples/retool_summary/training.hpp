#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "agents.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/data/task_stream.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/report/html_report.hpp"
#include "dualagent/report/report_runs.hpp"
#include "dualagent/train/run_work.hpp"
#include "dualagent/train/trainer.hpp"
#include "dualagent/train/training_run.hpp"
#include "fingerprint.hpp"
#include "quickstart/program.hpp"
#include "recipe.hpp"

namespace retool_summary {

/// A training run of one pair, with evaluations.
template <class Pairing, dualagent::TrainedAgents agents>
class PairTraining {
 public:
  PairTraining(const Options& options, const Setup& setup, Pairing pairing)
      : options_(options),
        setup_(setup),
        pairing_(pairing),
        trainer_(pairing, setup.play, setup.reward, make_recipe<agents>(options),
                 trainer_options(options)),
        tasks_(options.tasks, setup.rows, random(0)),
        run_(run_options(options)) {}

  Outcome train() {
    if (!setup_.held_out.empty()) outcome_.before = score_before();
    tool_seconds();  // from here on
    run_.every(1, [&](dualagent::RunRecord& record) { add_parts(record); });
    if (!setup_.held_out.empty())
      run_.every(options_.eval_every, [&](dualagent::RunRecord& record) { add_score(record); });
    dualagent::LiveReport report(options_.out / "report.html");
    run_.after_record([&](const dualagent::RunRecord&) {
      report.update([&] {
        return dualagent::ReportData{.title = "retool_summary",
                                     .runs = dualagent::read_runs(options_.out)};
      });
    });
    const dualagent::RunOutcome ended =
        run_.train(dualagent::Reinforcement{trainer_, tasks_, {.tasks = options_.tasks_per_step}});
    if (ended.interrupted()) throw quickstart::Interrupted{};
    outcome_.seconds = ended.seconds;
    if (std::filesystem::exists(score_file("after")))
      outcome_.after = read_score(score_file("after"));
    return std::move(outcome_);
  }

 private:
  static dualagent::RunOptions run_options(const Options& options) {
    return {.folder = options.out,
            .name = "pair",
            .label = "training",
            .steps = options.steps,
            .earlier_run =
                options.resume ? dualagent::EarlierRun::resume : dualagent::EarlierRun::refuse,
            .checkpoint_every = options.save_every,
            .retention = {.keep_last = 1},
            .journal = dualagent::JournalSurvives::killed_process,
            .fingerprint = fingerprint_of(options)};
  }

  static dualagent::TrainerOptions trainer_options(const Options& options) {
    const auto narrow = [](double value) { return static_cast<float>(value); };
    return {.group_size = options.group_size,
            .minibatches = options.minibatches,
            .sampling = {.answerer = {.temperature = narrow(options.temperature)},
                         .summarizer = {.temperature = narrow(options.summarizer_temperature),
                                        .top_p = narrow(options.summarizer_top_p)}},
            .update = {.optimizer = {.learning_rate = options.learning_rate,
                                     .beta1 = 0.9,
                                     .beta2 = 0.98,
                                     .weight_decay = 0.1}},
            .scheduler = {.max_live_episodes = options.live_episodes,
                          .tool_deadline_seconds = 2 * options.tool_seconds + 110},
            .seed = options.seed};
  }

  dualagent::RandomStream random(std::uint64_t use) const {
    return dualagent::RandomStream::from_seed(options_.seed).child(1000 + use);
  }
  std::filesystem::path score_file(const char* name) const {
    return options_.out / (std::string("score_") + name + ".json");
  }

  /// Seconds inside tool calls since it was last asked.
  double tool_seconds() const { return setup_.tool_seconds->exchange(0.0); }

  void add_parts(dualagent::RunRecord& record) {
    const auto number = [&](const char* name) { return record.number(name).value_or(0); };
    const double summary_tokens =
        number("rollouts") * number("summaries") * number("summarizer_tokens");
    const double all = std::max(1.0, number("sampled_tokens"));
    record.add("summary_seconds", number("rollout_seconds") * summary_tokens / all);
    record.add("tool_seconds", tool_seconds());
    std::size_t boxed = 0;
    for (const dualagent::Rollout& rollout : trainer_.rollouts())
      boxed += kRight.boxed(rollout) ? 1 : 0;
    record.add("boxed", static_cast<double>(boxed) / static_cast<double>(std::max<std::size_t>(
                                                         1, trainer_.rollouts().size())));
  }

  Score evaluate() {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    dualagent::RolloutSampling sampling;
    sampling.answerer = {.temperature = static_cast<float>(options_.eval_temperature),
                         .top_p = static_cast<float>(options_.eval_top_p)};
    sampling.summarizer = {.temperature = static_cast<float>(options_.summarizer_temperature),
                           .top_p = static_cast<float>(options_.summarizer_top_p)};
    if (options_.eval_temperature == 0) sampling.summarizer.temperature = 0;
    const dualagent::Evaluation evaluation =
        dualagent::evaluate(trainer_.scheduler(), std::span(setup_.held_out), kRight, sampling,
                            random(1), {.samples = options_.eval_samples});
    keep_episodes(evaluation);
    return score_of(evaluation, std::chrono::duration<double>(Clock::now() - start).count());
  }

  /// Of the weights before the first step; a resumed run reads what the first one measured.
  Score score_before() {
    if (std::filesystem::exists(score_file("before"))) return read_score(score_file("before"));
    const Score score = evaluate();
    write_score("before", score);
    return score;
  }
  void write_score(const char* name, const Score& score) const {
    dualagent::write_file_atomically(score_file(name), nlohmann::json(score).dump(2) + '\n');
  }

  void add_score(dualagent::RunRecord& record) {
    const Score score = evaluate();
    tool_seconds();  // those of the evaluation are not the next step's
    write_score("after", score);
    record.add("eval_mean", score.mean());
    record.add("eval_boxed", score.share(score.boxed));
    record.add("eval_calls", score.share(score.calls));
    record.add("eval_summaries", score.share(score.summaries));
    record.add("eval_aborted", static_cast<double>(score.aborted));
    record.add("eval_seconds", score.seconds);
    record.messages.push_back("held-out after step " + std::to_string(record.step + 1) + ": mean@" +
                              std::to_string(score.samples) + " " +
                              dualagent::percent_text(score.mean(), 1) + ", boxed " +
                              dualagent::percent_text(score.share(score.boxed), 1));
  }

  void keep_episodes(const dualagent::Evaluation& evaluation) {
    constexpr std::size_t kShown = 6;
    outcome_.episodes.clear();
    const auto text = [&](dualagent::Token token) { return setup_.tokenizer.bytes_of(token); };
    for (std::size_t i = 0; i < evaluation.rollouts.size() && outcome_.episodes.size() < kShown;
         i += evaluation.samples)
      outcome_.episodes.push_back(dualagent::make_report_episode(
          evaluation.rollouts[i], text, ChosenView<agents>{options_.trained},
          {.stage = "held out",
           .expected = setup_.held_out[i / evaluation.samples].task().answer,
           .solved = evaluation.rollouts[i].reward > 0,
           .token_separator = ""}));
  }

  const Options& options_;
  const Setup& setup_;
  Pairing pairing_;
  dualagent::Trainer<Pairing, Play, AnyReward, ChosenRecipe<agents>, dualagent::LocalCollective>
      trainer_;
  dualagent::TaskStream tasks_;
  dualagent::TrainingRun run_;
  Outcome outcome_;
};

/// Trains a pair. `agents` bounds whose tokens: both agents', or the Answerer's where the
/// Summarizer is frozen.
template <dualagent::TrainedAgents agents, class Pairing>
Outcome train_pair(const Options& options, const Setup& setup, Pairing pairing) {
  return PairTraining<Pairing, agents>(options, setup, pairing).train();
}

}  // namespace retool_summary
