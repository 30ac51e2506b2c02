// A model on 1, 2 and 4 processes: how well they agree, and what each holds. Each run makes five
// updates of one batch and samples; the first one's numbers are what the others are compared with.
//   model_axis_bench [--shape tiny|quickstart|smollm2] [--layers N] [--rows N] [--row-tokens 256]
//                    [--ranks 4] [--divide model|rows|both] [--recompute never|large|always]
// --divide: what the ranks divide, the model (tensor parallel), its rows (context parallel), or
// with pairs of them the model and among the pairs the rows.
// A rank is this program again, started by `launch_ranks`.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "bench.hpp"
#include "dualagent/collective/context_parallel.hpp"
#include "dualagent/collective/launcher.hpp"
#include "dualagent/collective/local.hpp"
#include "dualagent/collective/shared_memory.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/report/memory.hpp"
#include "dualagent/train/weight_updater.hpp"

namespace da = dualagent;

namespace {

constexpr auto kCrossEntropy = [](const da::loops::TokenColumns&, std::size_t,
                                  const da::TokenPrediction& now) {
  return da::TokenLossGradient{-now.log_prob, -1.0, 0.0};
};

da::PackedBatch batch_of(const bench::Options& options, const bench::Shape& shape) {
  const da::RandomStream random = da::RandomStream::from_seed(1);
  da::PackedBatch batch;
  for (std::size_t r = 0; r < options.number("--rows", 1); ++r) {
    std::vector<da::Token> row(options.number("--row-tokens", 256));
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = static_cast<da::Token>(random.child(r).below(i, shape.model.vocab_size));
    const std::size_t begin = batch.append_row(row);
    for (std::size_t i = 1; i < row.size(); ++i) batch.loss_weight[begin + i] = 1e-3F;
  }
  return batch;
}

/// Prints "name number..." lines.
void say(const std::string& name, const std::vector<double>& numbers) {
  std::string line = name;
  for (const double number : numbers) line += " " + da::shortest_text(number);
  std::printf("%s\n", line.c_str());
}

/// Sampled tokens, and the largest difference of their log-probabilities from `score`'s.
template <class Model>
void sample(Model& model) {
  const std::vector<da::Token> context{1, 2, 3, 4, 5};
  const da::StopRule stop{.max_new_tokens = 32};
  model.submit({.context = context, .stop = &stop, .random = da::RandomStream::from_seed(5)});
  std::vector<double> tokens;
  da::PackedBatch batch;
  while (model.advance([&](da::Generation&& done) {
    std::vector<da::Token> row = context;
    const auto sampled = done.sampled.tokens();
    row.insert(row.end(), sampled.begin(), sampled.end());
    tokens.assign(sampled.begin(), sampled.end());
    batch.append_row(row);
    for (std::size_t i = 0; i < sampled.size(); ++i) {
      batch.loss_weight[context.size() + i] = 1.0F;
      batch.old_log_prob[context.size() + i] = done.sampled.log_probs()[i];
    }
  }) > 0) {
  }
  da::TokenOutputs outputs;
  outputs.resize(batch.size());
  model.score(batch, outputs);
  double ratio = 0;
  for (std::size_t t = context.size(); t < batch.size(); ++t)
    ratio =
        std::max(ratio, std::abs(outputs.log_prob[t] - static_cast<double>(batch.old_log_prob[t])));
  say("tokens", tokens);
  say("ratio", {ratio});
}

template <class Axis>
requires da::Collective<Axis>
void run_rank(const bench::Options& options, Axis axis) {
  const bench::Shape shape = bench::shape_of(options.text("--shape", "smollm2"));
  da::TransformerConfig config = shape.model;
  config.num_hidden_layers = options.number("--layers", config.num_hidden_layers);
  da::Mesh mesh{da::LocalCollective{}, axis};
  da::ParallelTransformer model(
      config, mesh.model_axis(),
      {.gradient_parts = 1, .recompute = bench::recompute_of(options), .seed = 1});
  const da::PackedBatch batch = batch_of(options, shape);
  da::TokenOutputs outputs;
  outputs.resize(batch.size());
  sample(model);
  da::WeightUpdater updater(model, {.optimizer = {.learning_rate = 1e-4}}, mesh);
  std::vector<double> norms;
  for (int step = 0; step < 5; ++step) {
    norms.push_back(updater.update(batch, kCrossEntropy, outputs, mesh));
    if (step == 0) say("before", outputs.log_prob);
  }
  say("norms", norms);
  model.score(batch, outputs);
  say("after", outputs.log_prob);
  say("held", {static_cast<double>(model.parameters().size()),
               static_cast<double>(da::peak_memory_bytes().value_or(0)) / (1 << 20)});
}

void run_rank(const bench::Options& options, const da::LaunchedRank& me) {
  const std::string divided = options.text("--divide", "model");
  if (divided == "model") return run_rank(options, da::SharedMemoryCollective(me));
  if (divided == "rows")
    return run_rank(options, da::ContextParallel{da::SharedMemoryCollective(me)});
  if (divided != "both") throw da::Error("--divide takes model, rows or both");
  const std::size_t pair = std::min<std::size_t>(2, me.size);
  const da::SharedMemoryCollective tensor(me.run + "-tensor" + std::to_string(me.rank / pair),
                                          me.rank % pair, pair);
  const da::SharedMemoryCollective context(me.run + "-context" + std::to_string(me.rank % pair),
                                           me.rank / pair, me.size / pair);
  run_rank(options, da::ContextParallel{context, tensor});
}

/// What a rank has said, by name.
using Said = std::map<std::string, std::vector<double>>;

std::vector<Said> run_ranks_of(std::size_t ranks, int argc, char** argv) {
  std::vector<std::string> command{"/proc/self/exe"};
  command.insert(command.end(), argv + 1, argv + argc);
  std::vector<Said> said(ranks);
  const da::LaunchOutcome outcome = da::launch_ranks(
      command, {.ranks = ranks, .on_line = [&](std::size_t rank, bool, std::string_view line) {
                  std::istringstream text{std::string(line)};
                  std::string name, number;
                  text >> name;
                  while (text >> number)
                    said[rank][name].push_back(std::strtod(number.c_str(), nullptr));
                }});
  if (outcome.status() != 0) throw da::Error(outcome.text());
  return said;
}

/// Largest difference, in units of the largest number.
double difference(const std::vector<double>& got, const std::vector<double>& expected) {
  double worst = got.size() == expected.size() ? 0 : HUGE_VAL, size = 0;
  for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    worst = std::max(worst, std::abs(got[i] - expected[i]));
    size = std::max(size, std::abs(expected[i]));
  }
  return worst / size;
}

}  // namespace

int main(int argc, char** argv) try {
  const bench::Options options(argc, argv);
  if (std::getenv("RANK") != nullptr) {
    run_rank(options, da::rank_from_environment());
    return 0;
  }
  std::printf(
      "| ranks | log-probabilities | after 5 steps | gradient norms | tokens | log ratio | "
      "parameters of a rank | peak MiB of a rank |\n|---|---|---|---|---|---|---|---|\n");
  Said one;
  for (std::size_t ranks = 1; ranks <= options.number("--ranks", 4); ranks *= 2) {
    std::vector<Said> all = run_ranks_of(ranks, argc, argv);
    if (ranks == 1) one = all[0];
    double before = 0, after = 0, norms = 0, ratio = 0;
    bool same = true;
    std::string parameters, memory;
    for (Said& said : all) {
      before = std::max(before, difference(said["before"], one["before"]));
      after = std::max(after, difference(said["after"], one["after"]));
      norms = std::max(norms, difference(said["norms"], one["norms"]));
      ratio = std::max(ratio, said["ratio"].at(0));
      same = same && said["tokens"] == one["tokens"];
      parameters += (parameters.empty() ? "" : ", ") + da::shortest_text(said["held"].at(0));
      memory += (memory.empty() ? "" : ", ") + da::shortest_text(std::round(said["held"].at(1)));
    }
    std::printf("| %zu | %.1e | %.1e | %.1e | %s | %g | %s | %s |\n", ranks, before, after, norms,
                same ? "equal" : "others", ratio, parameters.c_str(), memory.c_str());
    std::fflush(stdout);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
