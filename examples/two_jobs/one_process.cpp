/// What the four processes do, in one: a trainer of both agents, whose Summarizer samples behind
/// HTTP as it does for them, so that the same random numbers are drawn.
#include "dualagent/engine/sglang_engine.hpp"
#include "dualagent/service/sampler_service.hpp"
#include "jobs.hpp"

namespace two_jobs {

int train_in_one_process(const Options& options) {
  const quickstart::Data data = load_data(options);
  Model answerer = load_warm_start(options), summarizer = load_warm_start(options);
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
  if (run.train(da::Reinforcement{trainer, tasks, {.tasks = kTasksPerStep}}).interrupted())
    return 130;
  da::save_model(options.out / "models" / "one_process" / "answerer", answerer);
  da::save_model(options.out / "models" / "one_process" / "summarizer", summarizer);
  return 0;
}

}  // namespace two_jobs
