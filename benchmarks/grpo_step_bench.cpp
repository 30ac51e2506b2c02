// One GRPO step of a real model on tasks in GSM8K's form, with a python tool: rollouts and one
// update of all weights in float. Prints seconds and tokens as one JSON line. The reward is the
// share of odd token ids, which differs within a group whatever a model can do. trl_step.py does
// the same. Options: --model DIRECTORY, --tasks FILE, --groups N, --group-size N, --turn-tokens N,
// --turns N, --budget N (tokens above which there is a summary; 0: none), --threads N,
// --prompts-out FILE (what the model is given, for trl_step.py).

#include <dualagent/dualagent.hpp>
#include <fstream>
#include <memory>
#include <optional>
#include <vector>

#include "bench.hpp"
#include "odd_share.hpp"

namespace da = dualagent;

namespace {

template <class Dialect>
void write_prompts(const std::string& file, const Dialect& dialect,
                   const std::vector<da::Task>& tasks) {
  std::ofstream out(file);
  for (const da::Task& task : tasks) {
    da::Context context;
    context.append(da::Provenance::prompt, dialect.prompt(task));
    context.append(da::Provenance::injected, dialect.turn_opening(context));
    out << nlohmann::json{{"prompt", da::decode(dialect.tokenizer(), context.tokens())}}.dump()
        << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const std::string folder = options.text("--model", "");
  const std::size_t threads = options.number("--threads", 2);
  const std::size_t turn_tokens = options.number("--turn-tokens", 64);
  auto model = da::load_model(folder, {.pool = std::make_shared<da::ThreadPool>(threads)});
  const auto tokenizer = da::HuggingFaceTokenizer::from_file(folder + "/tokenizer.json");
  const da::ToolBox box{da::PythonInterpreter<da::Rlimits>{}};
  const auto dialect = da::dialect_for(folder, tokenizer,
                                       {.chat = {.system = "Let the python tool do the arithmetic.",
                                                 .tools = box.specs(),
                                                 .max_turn_tokens = turn_tokens,
                                                 .max_summary_tokens = turn_tokens}});
  const std::size_t budget = options.number("--budget", 0);
  const da::Protocol protocol(
      dialect, box, da::TokenBudget{.max_tokens = budget > 0 ? budget : model.max_context_tokens()},
      da::ReplaceBySummary{},
      da::RolloutLimits{.max_context_tokens = model.max_context_tokens(),
                        .max_turns = options.number("--turns", 1)});
  da::Trainer trainer(da::SharedWeights{model}, protocol, bench::OddShare{}, da::Recipe{da::Grpo{}},
                      da::LocalCollective{},
                      {.group_size = options.number("--group-size", 8),
                       .minibatches = 1,
                       .update = {.optimizer = {.learning_rate = 1e-6}}});
  da::TaskStream stream(options.text("--tasks", ""), da::Gsm8kRows{},
                        da::RandomStream::from_seed(0));
  const std::vector<da::Task> tasks = stream.next(options.number("--groups", 8));
  if (const std::string file = options.text("--prompts-out", ""); !file.empty())
    write_prompts(file, dialect, tasks);
  const da::StepMetrics step = trainer.step(tasks);
  std::printf(
      "{\"side\": \"ours\", \"threads\": %zu, \"rollouts\": %.0f, \"sampled_tokens\": %.0f, "
      "\"summaries\": %.2f, \"rollout_seconds\": %.2f, \"seconds\": %.2f, \"peak_mib\": %.0f}\n",
      threads, step.rollouts, step.sampled_tokens, step.summaries, step.rollout_seconds,
      step.rollout_seconds + step.update_seconds,
      static_cast<double>(da::peak_memory_bytes().value_or(0)) / (1 << 20));
}
