#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data.hpp"
#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/report/report_episode.hpp"
#include "dualagent/train/training_run.hpp"
#include "failures.hpp"
#include "play.hpp"
#include "quickstart/program.hpp"

namespace ledger_smollm2 {

using Model = dualagent::Transformer<float>;
using Agent = dualagent::AdaptedTransformer<float>;

/// Everything the rows of the table share.
class Run {
 public:
  /// Loads the model. Errors: as `load_model` and `make_dialect`.
  Run(const Options& options, const Data& data);

  /// Has `after_step` called after every step of warm starts and training.
  void watch(std::function<void()> after_step) { after_step_ = std::move(after_step); }

  const Options& options() const { return options_; }
  const Data& data() const { return data_; }
  const Dialect& dialect() const { return dialect_; }
  const Model& base() const { return base_; }
  std::vector<dualagent::ReportEpisode>& episodes() { return episodes_; }
  const std::vector<dualagent::ReportEpisode>& episodes() const { return episodes_; }
  double max_abs_log_ratio = 0;   ///< of all training so far
  double warm_start_seconds = 0;  ///< of the last warm start

  dualagent::RandomStream random(Use use) const { return quickstart::stream_for(options_, use); }

  /// An adapter of the model that changes nothing yet.
  Agent make_agent() {
    return Agent(
        base_, {.rank = options_.rank, .alpha = 32, .seed = random(Use::initial_weights).bits(0)});
  }

  /// An agent after the supervised warm start for this kind of history.
  /// Errors: quickstart::Interrupted after Ctrl-C, once all is saved; as `TrainingRun`.
  Agent warm_start(Memory memory, const std::string& name);

  /// Of a run of training steps.
  dualagent::RunOptions run_options(std::string name, std::string label, std::size_t steps) const;
  void after_step() const { after_step_(); }

 private:
  const Options& options_;
  const Data& data_;
  std::shared_ptr<dualagent::ThreadPool> pool_;
  Model base_;
  Dialect dialect_;
  std::function<void()> after_step_ = [] {};
  std::vector<dualagent::ReportEpisode> episodes_;
};

// Each type of trainer has a file of its own, so that they compile apart. Errors of all: as
// `Run::warm_start`.

/// One adapter that begins as `warm` plays both agents, and is trained on what both say.
dualagent::ResultRow train_dual(Run& run, const Agent& warm);
/// The warm start as it is.
dualagent::ResultRow evaluate_warm_start(Run& run, const Agent& warm);
/// Two adapters over one base: the Answerer's is trained, the Summarizer's stays as `warm`.
dualagent::ResultRow train_answerer(Run& run, const Agent& warm);
/// No notes: the newest lookups that fit, after a warm start of its own.
dualagent::ResultRow train_sliding_window(Run& run);
/// No notes and no limit, after a warm start of its own.
dualagent::ResultRow train_no_limit(Run& run);

/// All rows that the options want, the main one first.
std::vector<dualagent::ResultRow> run_rows(Run& run);

}  // namespace ledger_smollm2
