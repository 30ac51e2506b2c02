#include "run.hpp"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "agents.hpp"
#include "dualagent/data/task_file.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/adapter_files.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/save_model.hpp"
#include "dualagent/train/training_run.hpp"
#include "result.hpp"

namespace retool_summary {

namespace da = dualagent;

namespace {

/// Held-out tasks. Errors: Error that names --eval-tasks for a question that is trained on.
std::vector<da::EvaluationTask> read_held_out(const Options& options, const AnyRows& rows) {
  if (options.eval_tasks.empty()) return {};
  std::set<std::string> trained;
  for (da::Task& task : da::read_tasks(options.tasks, rows)) trained.insert(std::move(task.prompt));
  return da::read_evaluation_tasks(options.eval_tasks, rows_of(options.eval_tasks),
                                   [&](da::Task& task, const std::string& where) {
                                     if (trained.contains(task.prompt))
                                       throw da::Error("the question is also a training task's",
                                                       "--eval-tasks, " + where,
                                                       "Keep held-out tasks apart");
                                   });
}

Model load(const std::filesystem::path& folder, const Options& options,
           const std::shared_ptr<da::ThreadPool>& pool) {
  return da::load_model(folder, {.pool = pool, .gradient_parts = options.gradient_parts});
}

/// Errors: Error that names --summarizer-model for one with another tokenizer.
Model load_summarizer(const Options& options, const Model& answerer,
                      const std::shared_ptr<da::ThreadPool>& pool) {
  if (options.summarizer_model.empty()) return answerer.copy();
  const char* const file = "tokenizer.json";
  if (da::read_file(options.model / file) != da::read_file(options.summarizer_model / file))
    throw da::Error("it has another tokenizer than --model", "--summarizer-model",
                    "Take two models of one family: the agents read each other's tokens");
  return load(options.summarizer_model, options, pool);
}

da::DType stored_as(const Options& options) {
  return options.storage == Storage::bf16 ? da::DType::bf16 : da::DType::f32;
}

void save(const Options& options, const char* name, const std::filesystem::path& from,
          Model& model) {
  const std::filesystem::path folder = options.out / "models" / name;
  da::save_model(folder, model, {.stored_as = stored_as(options), .from = from});
  std::printf("%s: %s\n", name, folder.c_str());
}

void save_adapter(const Options& options, const char* name, const std::filesystem::path& base,
                  AdaptedModel& model) {
  const std::filesystem::path folder = options.out / "models" / name;
  da::save_adapter(folder, model, {.stored_as = stored_as(options), .base_model = base.string()});
  std::printf("%s: %s, an adapter of %s\n", name, folder.c_str(), base.c_str());
}

/// Trains and saves two adapters, and the base where the warm start has changed it.
Outcome train_over_base(const Options& options, const Setup& setup, Model& base) {
  if (options.warm_start_steps > 0) base = base.copy();  // without the warm start's gradients
  const auto adapt = [&](std::uint64_t seed) {
    return AdaptedModel(base, {.rank = options.rank, .alpha = options.alpha, .seed = seed});
  };
  AdaptedModel answerer = adapt(2 * options.seed), summarizer = adapt(2 * options.seed + 1);
  Outcome outcome = train_adapters(options, setup, base, answerer, summarizer);
  if (options.warm_start_steps > 0) save(options, "base", options.model, base);
  // As seen from an adapter's directory, so that all of them can be moved together.
  const std::filesystem::path of = options.warm_start_steps > 0 ? "../base" : options.model;
  save_adapter(options, "answerer", of, answerer);
  save_adapter(options, "summarizer", of, summarizer);
  return outcome;
}

Outcome train(const Options& options, const Setup& setup, Model& model,
              const std::shared_ptr<da::ThreadPool>& pool) {
  std::printf("\n");
  if (options.pair == Pair::shared) {
    Outcome outcome = train_shared(options, setup, model);
    save(options, "pair", options.model, model);
    return outcome;
  }
  if (options.pair == Pair::adapters) return train_over_base(options, setup, model);
  Model summarizer = load_summarizer(options, model, pool);
  const bool both =
      options.trained == Trained::all || options.trained == Trained::final_and_summaries;
  Outcome outcome = both ? train_two(options, setup, model, summarizer)
                         : train_answerer(options, setup, model, summarizer);
  save(options, "answerer", options.model, model);
  save(options, "summarizer",
       options.summarizer_model.empty() ? options.model : options.summarizer_model, summarizer);
  return outcome;
}

}  // namespace

Setup make_setup(const Options& options, const Model& model) {
  auto tokenizer = da::HuggingFaceTokenizer::from_file(options.model / "tokenizer.json");
  da::check_fits_model(tokenizer, model.vocab_size());
  SandboxedPython python = make_python(options);
  auto tool_seconds = python.seconds;
  AnyRows rows = rows_of(options.tasks);
  auto held_out = read_held_out(options, rows);
  return {.tokenizer = tokenizer,
          .play = make_play(options, tokenizer, model.config().max_position_embeddings,
                            std::move(python)),
          .reward = make_reward(options, tokenizer),
          .tool_seconds = std::move(tool_seconds),
          .rows = std::move(rows),
          .held_out = std::move(held_out)};
}

void run(const Options& options, const std::string& command) {
  const auto pool = std::make_shared<da::ThreadPool>(options.threads);
  Model model = load(options.model, options, pool);
  const Setup setup = make_setup(options, model);
  std::printf("%s: rows of %s\ntemplate %s: %s\n", options.tasks.c_str(), setup.rows.name.c_str(),
              setup.play.dialect.name.c_str(), setup.play.dialect.reason.c_str());
  std::fflush(stdout);
  warm_start(options, setup, model);
  const Outcome outcome = train(options, setup, model, pool);
  const PartSeconds parts =
      part_seconds(da::read_metrics(da::RunFiles{options.out, "pair"}.metrics()));
  write_outcome(options, outcome, parts, command);
  std::printf("\n%s\nDone: %s and %s\n", outcome_text(outcome, parts).c_str(),
              (options.out / "report.html").c_str(), (options.out / "result.json").c_str());
}

}  // namespace retool_summary
