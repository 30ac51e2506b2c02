#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "dualagent/data/task.hpp"
#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/report/report_episode.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "options.hpp"
#include "play.hpp"
#include "reward.hpp"
#include "rows.hpp"
#include "score.hpp"

namespace retool_summary {

using Model = dualagent::Transformer<float>;
using AdaptedModel = dualagent::AdaptedTransformer<float>;

/// What all pairs are trained and measured with.
struct Setup {
  dualagent::HuggingFaceTokenizer tokenizer;
  Play play;
  AnyReward reward;
  std::shared_ptr<std::atomic<double>> tool_seconds;     ///< inside calls so far
  AnyRows rows;                                          ///< of the training tasks
  std::vector<dualagent::EvaluationTask> held_out = {};  ///< none: there are no evaluations
};

/// What a training run leaves for the report.
struct Outcome {
  std::optional<Score> before = {}, after = {};  ///< of the held-out tasks, where there are any
  double seconds = 0;                            ///< of all steps
  std::vector<dualagent::ReportEpisode> episodes = {};
};

/// What the options ask for, for a model of the directory `options.model`. Errors: Error that names
/// the flag for options that do not fit the files; of files.
Setup make_setup(const Options& options, const Model& model);

// Errors of all below: quickstart::Interrupted after Ctrl-C, once all is saved; as `TrainingRun`.

/// Trains `model` by imitation of worked solutions (demonstration.hpp).
void warm_start(const Options& options, const Setup& setup, Model& model);

// Each trains a pair. Each has a file of its own, so that they compile apart.

/// One model in both roles.
Outcome train_shared(const Options& options, const Setup& setup, Model& model);
/// Two models, both trained.
Outcome train_two(const Options& options, const Setup& setup, Model& answerer, Model& summarizer);
/// Two models; the Answerer alone is trained.
Outcome train_answerer(const Options& options, const Setup& setup, Model& answerer,
                       Model& summarizer);
/// Two adapters over one base, which stays as it is; both trained, as far as the view has tokens of
/// theirs.
Outcome train_adapters(const Options& options, const Setup& setup, const Model& base,
                       AdaptedModel& answerer, AdaptedModel& summarizer);

}  // namespace retool_summary
