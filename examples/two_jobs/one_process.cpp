// What the two jobs do, in one process: a trainer of both agents goes on from the warm start of a
// run of two_jobs, and its models are compared with that run's, byte for byte. docs/two-jobs.md.
//   bash examples/two_jobs/one_process.sh [--steps N --seed N --out DIR]

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>

#include "dualagent/engine/sglang_engine.hpp"
#include "dualagent/service/sampler_service.hpp"
#include "jobs.hpp"

namespace {

using namespace two_jobs;

/// The Summarizer samples behind HTTP, as for the two jobs: so the same random numbers are drawn.
bool train(const Options& options, Model& answerer, Model& summarizer) {
  const quickstart::Data data = load_data(options);
  Model served = load_warm_start(options);
  da::SamplerService service(
      served, {.loop = {.max_running = 64}, .model_path = warm_start(options).string()});
  service.start();
  da::SglangEngine engine({.url = service.url(),
                           .vocab_size = answerer.vocab_size(),
                           .weights_folder = options.out / "one_process" / "served",
                           .model_folder = warm_start(options),
                           .canary = {.prompt_tokens = 64}});
  da::Trainer trainer{da::SeparateWeights{answerer, da::Learning{summarizer, engine}},
                      protocol(data),
                      da::ExactMatch{},
                      quickstart::main_recipe(da::AllSegments{}),
                      da::LocalCollective{},
                      trainer_options(options)};
  da::TaskStream tasks(data.training, stream_for(options, quickstart::Use::order));
  da::TrainingRun run(run_options(options, "one_process", data));
  return !run.train(da::Reinforcement{trainer, tasks, {.tasks = options.tasks_per_step}})
              .interrupted();
}

/// Saves the model; 1 if that of the two jobs is another one.
int compare(const Options& options, const std::string& agent, Model& model) {
  da::save_model(options.out / "models" / "one_process" / agent, model);
  const std::filesystem::path other = options.out / "models" / "two_jobs" / agent;
  if (!std::filesystem::exists(other)) return 0;
  const Model of_jobs = da::load_model(other);
  const bool equal = std::ranges::equal(std::as_bytes(std::span(of_jobs.parameters())),
                                        std::as_bytes(std::span(model.parameters())));
  std::printf("%s of two jobs and of one process: %s\n", agent.c_str(),
              equal ? "equal, byte for byte" : "not equal");
  return equal ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse({argv + 1, static_cast<std::size_t>(argc - 1)});
  const da::StopSignals signals;
  Model answerer = load_warm_start(options), summarizer = load_warm_start(options);
  if (!train(options, answerer, summarizer)) return 130;
  return compare(options, "answerer", answerer) + compare(options, "summarizer", summarizer);
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
