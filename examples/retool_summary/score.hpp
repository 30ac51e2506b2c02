#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/core/json.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/report/result_row.hpp"
#include "dualagent/train/evaluation.hpp"
#include "reward.hpp"

namespace retool_summary {

/// An evaluation in numbers. Counts are of rollouts; those that were aborted are left out of all
/// but `aborted`.
struct Score {
  std::size_t rollouts = 0, right = 0;
  std::size_t boxed = 0;       ///< a box where it counts, right or wrong: the format is kept
  std::size_t unfinished = 0;  ///< ended by a limit
  std::size_t aborted = 0;
  std::size_t calls = 0, summaries = 0, samples = 1;
  double seconds = 0;

  /// Share of right answers: mean@k with k samples of each task.
  double mean() const { return share(right); }
  double share(std::size_t count) const {
    return rollouts == 0 ? 0 : static_cast<double>(count) / static_cast<double>(rollouts);
  }

  /// The row of a result: what failed is an answer without a box, a wrong one, or cut short.
  dualagent::ResultRow row(std::string name, std::string label) const {
    return {.name = std::move(name),
            .label = std::move(label),
            .note = std::to_string(samples) + " samples of each task",
            .sampled = {right, rollouts},
            .failures_sampled = {{"wrong answer in the box", boxed - right},
                                 {"no box in the answer", rollouts - boxed - unfinished},
                                 {"cut short by a limit", unfinished}}};
  }
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Score, rollouts, right, boxed, unfinished, aborted, calls,
                                   summaries, samples, seconds)

/// `evaluation` was scored by `kRight`.
inline Score score_of(const dualagent::Evaluation& evaluation, double seconds) {
  Score score{.aborted = evaluation.aborted, .samples = evaluation.samples, .seconds = seconds};
  for (const dualagent::Rollout& rollout : evaluation.rollouts) {
    if (rollout.status == dualagent::RolloutStatus::aborted) continue;
    ++score.rollouts;
    score.right += rollout.reward > 0 ? 1 : 0;
    score.boxed += kRight.boxed(rollout) ? 1 : 0;
    score.unfinished += rollout.status == dualagent::RolloutStatus::truncated ? 1 : 0;
    score.calls += rollout.calls;
    score.summaries += rollout.summaries;
  }
  return score;
}

/// Errors: Error with the path for a file that is not a score.
inline Score read_score(const std::filesystem::path& path) {
  const std::string remedy = "Remove the output folder and run again";
  const nlohmann::json json =
      dualagent::parse_json(dualagent::read_file(path), path.string(), remedy);
  try {
    return json.get<Score>();
  } catch (const nlohmann::json::exception& error) {
    throw dualagent::Error(std::string("not a score: ") + error.what(), path.string(), remedy);
  }
}

/// Mean seconds of the parts of a training step, over all steps of a run.
struct PartSeconds {
  double rollout = 0;    ///< all of the playing
  double summaries = 0;  ///< of it: the summaries' share of the sampled tokens
  double tools = 0;      ///< inside the calls, added up; they run beside the sampling
  double score = 0;      ///< forward passes outside the updates
  double update = 0;
  double evaluation = 0;  ///< of one evaluation
  std::size_t steps = 0, evaluations = 0;
  double max_abs_log_ratio = 0;
};

inline PartSeconds part_seconds(const std::vector<dualagent::MetricsRecord>& records) {
  PartSeconds sum;
  for (const dualagent::MetricsRecord& record : records) {
    const auto number = [&](const char* name) { return record.number(name).value_or(0); };
    sum.rollout += number("rollout_seconds");
    sum.summaries += number("summary_seconds");
    sum.tools += number("tool_seconds");
    sum.score += number("score_seconds");
    sum.update += number("update_seconds");
    sum.max_abs_log_ratio = std::max(sum.max_abs_log_ratio, number("max_abs_log_ratio"));
    sum.evaluation += number("eval_seconds");
    sum.evaluations += record.number("eval_seconds") ? 1 : 0;
  }
  sum.steps = records.size();
  const double steps = static_cast<double>(std::max<std::size_t>(1, sum.steps));
  for (double* part : {&sum.rollout, &sum.summaries, &sum.tools, &sum.score, &sum.update})
    *part /= steps;
  sum.evaluation /= static_cast<double>(std::max<std::size_t>(1, sum.evaluations));
  return sum;
}

}  // namespace retool_summary
