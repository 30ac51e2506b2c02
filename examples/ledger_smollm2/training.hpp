#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/data/task_stream.hpp"
#include "dualagent/model/adapter_files.hpp"
#include "dualagent/optim/schedule.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/train/evaluation.hpp"
#include "dualagent/train/trainer.hpp"
#include "rows.hpp"

/// How a row is trained and evaluated; for the files of the rows.
namespace ledger_smollm2 {

inline constexpr dualagent::SchedulerOptions kScheduler{.max_live_episodes = 64};

/// The recipe of every trained row: GRPO with DAPO's clip and token mean.
template <class View>
dualagent::Recipe<dualagent::Dapo, View> main_recipe(View view) {
  dualagent::Dapo dapo;
  dapo.advantage.epsilon = 1e-4;
  return {dapo, view};
}

inline dualagent::TrainerOptions trainer_options(const Run& run, const std::string& row) {
  const Options& options = run.options();
  const auto number = static_cast<std::size_t>(
      std::find(quickstart::kRowNames.begin(), quickstart::kRowNames.end(), row) -
      quickstart::kRowNames.begin());
  return {.group_size = options.group_size,
          .minibatches = 2,
          .update = {.optimizer = {.learning_rate = options.learning_rate,
                                   .beta1 = 0.9,
                                   .beta2 = 0.95,
                                   .weight_decay = 0.0},
                     .max_gradient_norm = 1.0},
          .scheduler = kScheduler,
          .seed = run.random(Use::rollouts).bits(number)};
}

/// Plays the held-out tasks, greedy and sampled.
template <class Pairing, class Protocol, class View>
dualagent::ResultRow evaluate(Run& run, dualagent::ResultRow row, Pairing pairing,
                              Protocol protocol, const View& view) {
  using namespace dualagent;
  if (!row.seconds) row.seconds = run.warm_start_seconds;
  const Data& data = run.data();
  const auto& tokenizer = run.dialect().tokenizer();
  RolloutScheduler scheduler(pairing, protocol, kScheduler);
  const auto play = [&](float temperature) {
    return dualagent::evaluate(scheduler, std::span<const EvaluationTask>(data.held_out),
                               ExactMatch{}, {{temperature}, {temperature}},
                               run.random(Use::evaluation));
  };
  const Verdict greedy = judge(play(0.0F).rollouts, data.held_out_chains, tokenizer);
  row.greedy = greedy.solved;
  row.failures_greedy = greedy.failures;
  const Evaluation sampled = play(1.0F);
  const Verdict verdict = judge(sampled.rollouts, data.held_out_chains, tokenizer);
  row.sampled = verdict.solved;
  row.failures_sampled = verdict.failures;
  double tokens = 0;
  for (const Rollout& rollout : sampled.rollouts)
    tokens += static_cast<double>(count_sampled(rollout));
  row.tokens_per_task = tokens / static_cast<double>(sampled.rollouts.size());
  constexpr std::size_t kEpisodesShown = 4;
  for (std::size_t i = 0; i < std::min(kEpisodesShown, sampled.rollouts.size()); ++i)
    run.episodes().push_back(make_report_episode(
        sampled.rollouts[i], [&](Token token) { return tokenizer.bytes_of(token); }, view,
        {.stage = row.title(),
         .expected = data.held_out[i].task().answer,
         .solved = sampled.rollouts[i].reward > 0.5,
         .token_separator = ""}));
  return row;
}

/// Adds to a step's record what went wrong in its rollouts, beside the trainer's own numbers.
inline void add_verdict(dualagent::RunRecord& record, const Run& run,
                        std::span<const dualagent::Rollout> rollouts) {
  std::vector<Chain> chains;
  for (const dualagent::Rollout& rollout : rollouts)
    chains.push_back(run.data().book->at(rollout.task_id));
  const Verdict verdict = judge(rollouts, chains, run.dialect().tokenizer());
  const auto share = [](std::size_t part, std::size_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  record.add("notes_with_total", share(verdict.notes_with_total, verdict.notes));
  record.add("wrong_additions", share(verdict.wrong_additions, verdict.additions));
  record.note = "success " +
                dualagent::percent_text(share(verdict.solved.successes, verdict.solved.trials), 0) +
                ", notes with a total " +
                dualagent::percent_text(share(verdict.notes_with_total, verdict.notes), 0) +
                ", max |log ratio| " +
                dualagent::shortest_text(record.number("max_abs_log_ratio").value());
}

/// Trains a pair by reinforcement, saves its trained adapters and evaluates it.
template <class Pairing, class Protocol, class View>
dualagent::ResultRow train(Run& run, dualagent::ResultRow row, Pairing pairing, Protocol protocol,
                           const View& view) {
  using namespace dualagent;
  const Options& options = run.options();
  Trainer trainer(pairing, protocol, ExactMatch{}, main_recipe(view), LocalCollective{},
                  trainer_options(run, row.name));
  TaskStream tasks(run.data().training, run.random(Use::order));
  RunOptions steps = run.run_options(row.name, row.label, options.steps);
  steps.journal = JournalSurvives::killed_process;
  steps.schedule =
      WarmupCosine{.warmup_steps = std::min<std::size_t>(3, options.steps),
                   .total_steps = options.steps,
                   .final_fraction = options.last_learning_rate / options.learning_rate};
  TrainingRun training(steps);
  training.every(1, [&](RunRecord& record) { add_verdict(record, run, trainer.rollouts()); });
  training.after_record([&](const RunRecord&) { run.after_step(); });
  const RunOutcome outcome =
      training.train(Reinforcement{trainer, tasks, {.tasks = options.tasks_per_step}});
  if (outcome.interrupted()) throw quickstart::Interrupted{};
  row.seconds = run.warm_start_seconds + outcome.seconds;
  for (const MetricsRecord& record : read_metrics(training.files().metrics()))
    run.max_abs_log_ratio =
        std::max(run.max_abs_log_ratio, record.number("max_abs_log_ratio").value_or(0));
  for_each_model(pairing, [&](auto& model, std::size_t index) {
    const char* const role = index == 1 ? "summarizer" : "answerer";
    save_adapter(options.out / "models" / row.name / role, model,
                 {.base_model = options.model.string()});
  });
  return evaluate(run, std::move(row), pairing, protocol, view);
}

/// Notes above the room's budget.
inline auto notes_protocol(const Run& run, const Room& room) {
  return make_protocol(run.dialect(), run.data().book, room.window,
                       dualagent::TokenBudget{.max_tokens = room.budget},
                       dualagent::ReplaceBySummary{});
}

}  // namespace ledger_smollm2
