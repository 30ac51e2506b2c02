// A model directory: seconds and memory of loading, greedy decoding of prompts of 16
// tokens, one supervised training step of 4 rows of 128 tokens; beside them the machine's limits.
// Options: --model DIRECTORY, --threads N, --sequences N (0: 1, 16 and 64), --new-tokens N,
// --repeats N, --train 0|1, --precision float32|bfloat16 (of products).

#include <ctime>
#include <fstream>

#include "bench.hpp"
#include "dualagent/model/model_files.hpp"
#include "limits.hpp"
#include "model_work.hpp"

namespace da = dualagent;

namespace {

/// MB of the process's field of /proc/self/status.
double status_megabytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == field + ":") {
      double kibibytes = 0;
      status >> kibibytes;
      return kibibytes * 1024e-6;
    }
  return 0;
}

std::vector<da::Token> random_tokens(std::size_t count, std::uint64_t seed, std::size_t vocab) {
  std::vector<da::Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<da::Token>(da::RandomStream::from_seed(seed).below(i, vocab));
  return tokens;
}

/// Seconds by the clock, the median of the repeats, and of processors, their mean.
struct Seconds {
  double wall, processors;
};

template <class Body>
Seconds measure(std::size_t repeats, Body&& body) {
  const std::clock_t begin = std::clock();
  const double wall = bench::median_seconds(0, repeats, body);
  return {wall, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC /
                    static_cast<double>(repeats)};
}

/// Of one generation of `new_tokens` by each of `sequences` sequences.
Seconds decode_seconds(da::Transformer<float>& model, std::size_t sequences, std::size_t new_tokens,
                       std::size_t repeats) {
  std::vector<std::vector<da::Token>> prompts;
  for (std::size_t s = 0; s < sequences; ++s)
    prompts.push_back(random_tokens(16, s, model.vocab_size()));
  return measure(repeats, [&] { bench::decode(model, prompts, new_tokens); });
}

/// Of forward, backward and AdamW of one batch.
Seconds train_seconds(da::Transformer<float>& model, std::size_t repeats) {
  da::PackedBatch batch;
  for (std::size_t r = 0; r < 4; ++r) {
    const std::size_t begin = batch.append_row(random_tokens(128, r, model.vocab_size()));
    for (std::size_t i = 1; i < 128; ++i) batch.loss_weight[begin + i] = 1e-3F;
  }
  bench::TrainingStep step(model, batch, 1e-6);
  step();
  return measure(repeats, [&] { step(); });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const std::size_t threads = options.number("--threads", 2);
  const std::size_t repeats = options.number("--repeats", 3);
  const std::size_t new_tokens = options.number("--new-tokens", 64);
  const auto pool = std::make_shared<da::ThreadPool>(threads);
  const double before = status_megabytes("VmRSS");
  const auto begin = std::chrono::steady_clock::now();
  auto model = da::load_model(options.text("--model", ""),
                              {.pool = pool, .precision = bench::precision_of(options)});
  const std::chrono::duration<double> loading = std::chrono::steady_clock::now() - begin;
  const double weights = static_cast<double>(model.parameters().size());
  const double peak = status_megabytes("VmHWM") - before;
  std::printf("%.0f MB of weights, loaded in %.2f s, peak %.0f MB (%.2f x)\n", weights * 4e-6,
              loading.count(), peak, peak / (weights * 4e-6));

  const double operations = bench::multiply_add_rate(*pool), bytes = bench::read_rate(*pool);
  std::printf("limits: %.0f GFLOP/s, %.1f GB/s\n", operations * 1e-9, bytes * 1e-9);
  // Shares of the limits are by the threads' time on processors: other programs do not count.
  const auto per_thread = [&](const Seconds& seconds) {
    return seconds.processors / static_cast<double>(threads);
  };
  const double bytes_per_weight = model.precision() == da::Precision::bfloat16 ? 2 : 4;
  std::vector<std::size_t> crowds{1, 16, 64};
  if (const std::size_t one = options.number("--sequences", 0)) crowds = {one};
  for (const std::size_t sequences : crowds) {
    const Seconds seconds = decode_seconds(model, sequences, new_tokens, repeats);
    const double tokens = static_cast<double>(sequences * new_tokens);
    const double steps = static_cast<double>(new_tokens);
    // A token takes a multiply-add for each weight; a step reads each at least once.
    std::printf(
        "decode, %2zu sequences: %6.1f tokens/s; %.1f ms of processors a step, %.2f of the "
        "multiply-adds, %.2f of the reading\n",
        sequences, tokens / seconds.wall, 1e3 * seconds.processors / steps,
        tokens * 2 * weights / (operations * per_thread(seconds)),
        steps * bytes_per_weight * weights / (bytes * per_thread(seconds)));
    std::fflush(stdout);
  }
  if (options.number("--train", 1) != 0) {
    const Seconds seconds = train_seconds(model, repeats);
    std::printf(
        "training step of 512 tokens: %.2f s; %.2f s of processors, %.2f of the multiply-adds\n",
        seconds.wall, seconds.processors, 512 * 6 * weights / (operations * per_thread(seconds)));
  }
}
