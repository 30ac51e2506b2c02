// Training steps (forward, backward, sum over ranks, AdamW) of two ranks with a thread each beside
// one process with two threads, in turns; tokens per second, medians of the rounds.
//   rank_step_bench [--shape tiny|quickstart] [--rounds 5] [--repeats 20]
// A rank is this program again, started by `launch_ranks`.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "dualagent/collective/launcher.hpp"
#include "dualagent/collective/shared_memory.hpp"
#include "dualagent/train/weight_updater.hpp"

namespace da = dualagent;

namespace {

constexpr auto kCrossEntropy = [](const da::loops::TokenColumns&, std::size_t,
                                  const da::TokenPrediction& now) {
  return da::TokenLossGradient{-now.log_prob, -1.0, 0.0};
};

/// This rank's rows of the shape's batch.
da::PackedBatch rows_of(const bench::Shape& shape, const da::Shard& rows) {
  const da::RandomStream random = da::RandomStream::from_seed(1);
  da::PackedBatch batch;
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    std::vector<da::Token> row(shape.row_sizes[r]);
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = static_cast<da::Token>(random.child(r).below(i, shape.model.vocab_size));
    const std::size_t begin = batch.append_row(row);
    for (std::size_t i = 1; i < row.size(); ++i) batch.loss_weight[begin + i] = 1e-3F;
  }
  return batch;
}

/// Tokens of all ranks per second.
template <class Collective>
double rate(const bench::Options& options, std::size_t threads, Collective collective) {
  const bench::Shape shape = bench::shape_of(options.text("--shape", "tiny"));
  da::Transformer<float> model(
      shape.model,
      {.pool = std::make_shared<da::ThreadPool>(threads), .gradient_parts = threads, .seed = 1});
  const da::PackedBatch batch =
      rows_of(shape, da::shard_of(shape.row_sizes.size(), collective.rank(), collective.size()));
  da::WeightUpdater updater(model, {.bucket_elements = std::size_t{1} << 18}, collective);
  da::TokenOutputs outputs;
  const double seconds = bench::median_seconds(3, options.number("--repeats", 20), [&] {
    updater.update(batch, kCrossEntropy, outputs, collective);
  });
  std::size_t tokens = 0;
  for (const std::size_t size : shape.row_sizes) tokens += size;
  return static_cast<double>(tokens) / seconds;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double rate_of_ranks(int argc, char** argv, const char* strategy) {
  ::setenv("BENCH_STRATEGY", strategy, 1);
  std::vector<std::string> command{"/proc/self/exe"};
  command.insert(command.end(), argv + 1, argv + argc);
  double value = 0;
  const da::LaunchOutcome outcome = da::launch_ranks(
      command, {.ranks = 2, .on_line = [&](std::size_t rank, bool, std::string_view line) {
                  if (rank == 0) value = std::atof(std::string(line).c_str());
                }});
  if (outcome.status() != 0) throw da::Error(outcome.text());
  return value;
}

}  // namespace

int main(int argc, char** argv) try {
  const bench::Options options(argc, argv);
  if (std::getenv("RANK") != nullptr) {
    const da::SharedMemoryCollective collective(da::rank_from_environment(),
                                                {.array_bytes = std::size_t{64} << 20});
    const bool sharded = std::string(std::getenv("BENCH_STRATEGY")) == "sharded";
    const double value =
        sharded ? rate(options, 1, da::Sharded{collective}) : rate(options, 1, collective);
    std::printf("%.1f\n", value);
    return 0;
  }
  std::vector<double> threads, replicated, sharded;
  for (std::size_t round = 0; round < options.number("--rounds", 5); ++round) {
    threads.push_back(rate(options, 2, da::LocalCollective{}));
    replicated.push_back(rate_of_ranks(argc, argv, "replicated"));
    sharded.push_back(rate_of_ranks(argc, argv, "sharded"));
  }
  std::printf(
      "| %s | tokens/s | of two threads |\n|---|---|---|\n| one process, two threads | %.0f | 1 |\n"
      "| two ranks | %.0f | %.2f |\n| two ranks, Sharded | %.0f | %.2f |\n",
      options.text("--shape", "tiny").c_str(), median(threads), median(replicated),
      median(replicated) / median(threads), median(sharded), median(sharded) / median(threads));
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
