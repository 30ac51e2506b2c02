// The CUDA loops, row kernels and fused head: time, share of the device's limits, and error against
// float64 on fresh random inputs. One JSON object per line; see gpu.sh.
//   gpu_bench [--elements N] [--rows R] [--vocab V] [--head-rows T] [--width D] [--repeats N]
//   [--seed S]

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/cuda/loops.cuh"
#include "dualagent/cuda/policy_head.cuh"
#include "dualagent/loops/means.inl"
#include "dualagent/loops/optimizer.inl"
#include "dualagent/loops/token_loss.inl"
#include "dualagent/objective/recipes.hpp"
#include "dualagent/optim/adamw.hpp"
#include "options.hpp"
#include "support/policy_formula.hpp"

namespace da = dualagent;
namespace gpu = dualagent::gpu;
using gpu::BFloat16;

namespace {

struct Settings {
  std::size_t elements, rows, vocab, head_rows, width, chunk_rows, repeats;
  std::uint64_t seed;
};

/// One measurement; what is 0 is left out.
struct Line {
  std::string name;
  double ms = 0;
  double bytes = 0;       // that must go through memory at least once
  double flops = 0;       // of products
  double error = -1;      // relative, against float64
  double extra_mib = -1;  // of device memory above the arguments

  void print() const {
    std::printf("{\"benchmark\": \"%s\", \"side\": \"ours\", \"ms\": %.4f", name.c_str(), ms);
    if (bytes > 0) std::printf(", \"gb_per_s\": %.1f", bytes / ms * 1e-6);
    if (flops > 0) std::printf(", \"tflops\": %.1f", flops / ms * 1e-9);
    if (error >= 0) std::printf(", \"error\": %.2e", error);
    if (extra_mib >= 0) std::printf(", \"extra_mib\": %.1f", extra_mib);
    std::printf("}\n");
    std::fflush(stdout);
  }
};

/// Milliseconds between two points of the default stream.
class Timer {
 public:
  Timer() {
    gpu::check(cudaEventCreate(&begin_), "cudaEventCreate");
    gpu::check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Timer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Timer(const Timer&) = delete;

  /// Median of `repeats` calls after two that warm up.
  template <class Body>
  double median_ms(std::size_t repeats, const Body& body) {
    std::vector<double> times;
    for (std::size_t i = 0; i < repeats + 2; ++i) {
      gpu::check(cudaEventRecord(begin_, nullptr), "cudaEventRecord");
      body();
      gpu::check(cudaEventRecord(end_, nullptr), "cudaEventRecord");
      gpu::check(cudaEventSynchronize(end_), "cudaEventSynchronize");
      float ms = 0;
      gpu::check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
      if (i >= 2) times.push_back(static_cast<double>(ms));
    }
    std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
    return times[times.size() / 2];
  }

 private:
  cudaEvent_t begin_{}, end_{};
};

/// Uniform numbers in [-scale / 2, scale / 2).
template <class T>
struct FillUniform {
  da::RandomStream random;
  float scale;
  T* out;
  __device__ void operator()(std::size_t i) const {
    out[i] = gpu::from_float<T>(
        scale *
        (da::kernels::unit_float(static_cast<std::uint32_t>(random.bits(i) >> 32U)) - 0.5F));
  }
};

template <class T>
gpu::Buffer<T> uniform(std::size_t count, std::uint64_t seed, float scale) {
  gpu::Buffer<T> numbers(count);
  gpu::Loops().for_each(count,
                        FillUniform<T>{da::RandomStream::from_seed(seed), scale, numbers.data()});
  return numbers;
}

template <class T>
gpu::Buffer<T> device(const std::vector<T>& values) {
  return gpu::Buffer<T>(std::span<const T>(values));
}

/// Columns for T rows, all trained: targets, weights, old log-probabilities, advantages. Ratios are
/// below 1 and advantages above 0, so that no row is clipped: every one has a gradient.
struct Columns {
  std::vector<da::Token> target;
  std::vector<float> weight, old_log_prob, advantage;

  Columns(std::size_t rows, std::size_t vocab, std::uint64_t seed) {
    const da::RandomStream random = da::RandomStream::from_seed(seed);
    const auto typical = -std::log(static_cast<double>(vocab));
    for (std::size_t t = 0; t < rows; ++t) {
      target.push_back(static_cast<da::Token>(random.below(4 * t, vocab)));
      weight.push_back(1.0F);
      old_log_prob.push_back(static_cast<float>(typical + 4.5 + random.uniform(4 * t + 1)));
      advantage.push_back(static_cast<float>(std::abs(random.normal(4 * t + 2))));
    }
  }
};

/// The same on the device, and the clipped loss of Dr. GRPO over them.
struct DeviceColumns {
  gpu::Buffer<da::Token> target;
  gpu::Buffer<float> weight, old_log_prob, advantage;
  gpu::Buffer<double> log_prob, entropy, loss;

  explicit DeviceColumns(const Columns& host)
      : target(device(host.target)),
        weight(device(host.weight)),
        old_log_prob(device(host.old_log_prob)),
        advantage(device(host.advantage)),
        log_prob(host.target.size()),
        entropy(host.target.size()),
        loss(host.target.size()) {}

  gpu::PolicyRows rows() const { return {target.data(), weight.data(), nullptr}; }
  da::OutputColumns outputs() {
    return {.log_prob = log_prob.data(), .entropy = entropy.data(), .loss = loss.data()};
  }
  auto clipped_loss() const {
    return da::loops::column_loss(
        da::DrGrpo{}, {.old_log_prob = old_log_prob.data(), .advantage = advantage.data()});
  }
};

/// The formula in float64 for some rows, which lie `every` apart.
policy_formula::Problem problem_of(const Columns& columns, std::size_t vocab, std::size_t every) {
  policy_formula::Problem problem{0, vocab, {}, {}, {}, {}};
  problem.loss.entropy_bonus = 0;
  for (std::size_t t = 0; t < columns.target.size(); t += every) {
    ++problem.rows;
    problem.target.push_back(columns.target[t]);
    problem.loss_weight.push_back(columns.weight[t]);
    problem.temperature.push_back(1.0F);
    problem.loss.old_log_prob.push_back(static_cast<double>(columns.old_log_prob[t]));
    problem.loss.advantage.push_back(static_cast<double>(columns.advantage[t]));
  }
  return problem;
}

template <class T>
std::vector<double> download(const T* from, std::size_t count) {
  std::vector<T> numbers(count);
  gpu::check(
      cudaMemcpyAsync(numbers.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost, nullptr),
      "cudaMemcpyAsync");
  gpu::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
  std::vector<double> wide;
  for (const T x : numbers) {
    if constexpr (std::is_same_v<T, BFloat16>) {
      wide.push_back(static_cast<double>(__bfloat162float(x)));
    } else {
      wide.push_back(static_cast<double>(x));
    }
  }
  return wide;
}

/// Every `every`-th of some rows of `width` numbers.
template <class T>
std::vector<double> some_rows(const T* from, std::size_t rows, std::size_t width,
                              std::size_t every) {
  std::vector<double> numbers;
  for (std::size_t t = 0; t < rows; t += every) {
    const std::vector<double> row = download(from + t * width, width);
    numbers.insert(numbers.end(), row.begin(), row.end());
  }
  return numbers;
}

constexpr std::size_t kCheckedRows = 4;

void bench_limits(const Settings& s, Timer& timer) {
  const std::size_t bytes = s.elements * sizeof(float);
  gpu::Buffer<float> from = uniform<float>(s.elements, s.seed, 1.0F), to(s.elements);
  const double copy_ms = timer.median_ms(s.repeats, [&] {
    gpu::check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, nullptr),
               "cudaMemcpyAsync");
  });
  Line{.name = "copy", .ms = copy_ms, .bytes = 2.0 * static_cast<double>(bytes)}.print();

  const std::size_t n = std::min<std::size_t>(s.vocab, 8192);
  const gpu::Buffer<BFloat16> a = uniform<BFloat16>(n * n, s.seed + 1, 1.0F);
  gpu::Buffer<float> c(n * n);
  gpu::Gemm gemm;
  const double gemm_ms = timer.median_ms(s.repeats, [&] {
    gemm(gpu::dense(a.data(), n, n), gpu::Layout::plain, gpu::dense(a.data(), n, n),
         gpu::Layout::transposed, gpu::dense(c.data(), n, n), gpu::Store::replace);
  });
  Line{.name = "matrix rate", .ms = gemm_ms, .flops = 2.0 * std::pow(static_cast<double>(n), 3)}
      .print();
}

void bench_loops(const Settings& s, Timer& timer) {
  gpu::Loops loops;
  const std::size_t n = s.elements;
  const auto count = static_cast<double>(n);
  gpu::Buffer<float> weight = uniform<float>(n, s.seed + 2, 1.0F),
                     gradient = uniform<float>(n, s.seed + 3, 1.0F),
                     first = uniform<float>(n, s.seed + 4, 0.0F),
                     second = uniform<float>(n, s.seed + 5, 0.0F);
  const float* const read = gradient.data();
  Line{.name = "clip to norm",
       .ms = timer.median_ms(
           s.repeats, [&] { da::loops::clip_to_norm(loops, n, gradient.data(), 2.0, 1.999); }),
       .bytes = 8 * count}
      .print();
  const auto step = da::AdamW{}.at_step<float>(7);
  Line{.name = "adamw",
       .ms = timer.median_ms(s.repeats,
                             [&] {
                               da::loops::adamw(loops, step, n, read, weight.data(), first.data(),
                                                second.data());
                             }),
       .bytes = 28 * count}
      .print();

  double norm = 0;
  const double norm_ms =
      timer.median_ms(s.repeats, [&] { norm = da::loops::global_norm(loops, n, read); });
  double squares = 0;
  for (const double x : download(read, n)) squares += x * x;
  Line{.name = "global norm",
       .ms = norm_ms,
       .bytes = 4 * count,
       .error = std::abs(norm / std::sqrt(squares) - 1)}
      .print();

  std::vector<std::size_t> begin;
  for (std::size_t i = 0; i <= 1024; ++i) begin.push_back(n * i / 1024);
  const gpu::Buffer<std::size_t> segments = device(begin);
  gpu::Buffer<da::kernels::MeanState<double>> means(1024);
  Line{.name = "segmented means",
       .ms = timer.median_ms(s.repeats,
                             [&] {
                               da::loops::segmented_means(loops, 1024, segments.data(), read,
                                                          weight.data(), means.data());
                             }),
       .bytes = 8 * count}
      .print();

  gpu::Buffer<da::kernels::TokenGradient<float>> out(n);
  Line{.name = "token loss",
       .ms = timer.median_ms(s.repeats,
                             [&] {
                               da::loops::token_loss(
                                   loops, da::Grpo{}, n, read, {.log_prob = weight.data()},
                                   {.old_log_prob = first.data(), .advantage = second.data()},
                                   out.data());
                             }),
       .bytes = 32 * count}
      .print();
}

void bench_logits(const Settings& s, Timer& timer) {
  const Columns columns(s.rows, s.vocab, s.seed + 6);
  DeviceColumns on_device(columns);
  gpu::Buffer<BFloat16> logits = uniform<BFloat16>(s.rows * s.vocab, s.seed + 7, 8.0F);
  const double bytes = 2.0 * static_cast<double>(s.rows) * static_cast<double>(s.vocab);
  const std::size_t every = std::max<std::size_t>(1, s.rows / kCheckedRows);
  const std::vector<double> checked = some_rows(logits.data(), s.rows, s.vocab, every);
  const policy_formula::Answer answer =
      policy_formula::unfused(problem_of(columns, s.vocab, every), checked);
  gpu::RowFaults faults;

  const gpu::Matrix<const BFloat16> view =
      gpu::dense(static_cast<const BFloat16*>(logits.data()), s.rows, s.vocab);
  const double ms = timer.median_ms(
      s.repeats, [&] { gpu::log_prob(view, on_device.rows(), on_device.outputs(), faults); });
  Line{.name = "log-probability and entropy, bf16 logits",
       .ms = ms,
       .bytes = bytes,
       .error =
           std::max(policy_formula::relative_error(
                        some_rows(on_device.log_prob.data(), s.rows, 1, every), answer.log_prob),
                    policy_formula::relative_error(
                        some_rows(on_device.entropy.data(), s.rows, 1, every), answer.entropy))}
      .print();

  // The first run's gradient is checked; the others, on gradients, are only timed.
  const auto run = [&] {
    gpu::policy_loss_on_logits(gpu::dense(logits.data(), s.rows, s.vocab), on_device.rows(),
                               on_device.clipped_loss(), on_device.outputs(), faults);
  };
  run();
  const double error = policy_formula::relative_error(
      some_rows(logits.data(), s.rows, s.vocab, every), answer.d_logits);
  Line{.name = "policy loss on bf16 logits",
       .ms = timer.median_ms(s.repeats, run),
       .bytes = 3 * bytes,
       .error = error}
      .print();
}

/// Megabytes of the device that are taken.
double used_mib() {
  std::size_t free = 0, total = 0;
  gpu::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return static_cast<double>(total - free) / (1 << 20);
}

/// Error of d_hidden and log-probability of some rows, against the formula in float64.
template <class T>
double head_error(const Settings& s, const Columns& columns, DeviceColumns& on_device,
                  const gpu::Buffer<T>& hidden, const gpu::Buffer<T>& weights,
                  const gpu::Buffer<float>& d_hidden) {
  const std::size_t every = std::max<std::size_t>(1, s.head_rows / kCheckedRows), d = s.width;
  const std::vector<double> h = some_rows(hidden.data(), s.head_rows, d, every);
  const std::vector<double> w = download(weights.data(), s.vocab * d);
  const policy_formula::Problem problem = problem_of(columns, s.vocab, every);
  std::vector<double> logits(problem.rows * s.vocab), expected(problem.rows * d);
  for (std::size_t t = 0; t < problem.rows; ++t)
    for (std::size_t v = 0; v < s.vocab; ++v)
      for (std::size_t i = 0; i < d; ++i) logits[t * s.vocab + v] += h[t * d + i] * w[v * d + i];
  const policy_formula::Answer answer = policy_formula::unfused(problem, logits);
  for (std::size_t t = 0; t < problem.rows; ++t)
    for (std::size_t v = 0; v < s.vocab; ++v)
      for (std::size_t i = 0; i < d; ++i)
        expected[t * d + i] += answer.d_logits[t * s.vocab + v] * w[v * d + i];
  return std::max(
      policy_formula::relative_error(some_rows(d_hidden.data(), s.head_rows, d, every), expected),
      policy_formula::relative_error(some_rows(on_device.log_prob.data(), s.head_rows, 1, every),
                                     answer.log_prob));
}

/// Operations of the head's three products.
double head_flops(const Settings& s) {
  return 6.0 * static_cast<double>(s.head_rows) * static_cast<double>(s.width) *
         static_cast<double>(s.vocab);
}

/// Of hidden states and head of type T.
template <class T, class Logit>
void bench_head(const Settings& s, Timer& timer, const std::string& name, std::size_t chunk_rows) {
  const Columns columns(s.head_rows, s.vocab, s.seed + 8);
  DeviceColumns on_device(columns);
  const gpu::Buffer<T> hidden = uniform<T>(s.head_rows * s.width, s.seed + 9, 3.5F);
  const gpu::Buffer<T> weights =
      uniform<T>(s.vocab * s.width, s.seed + 10, 3.5F / std::sqrt(static_cast<float>(s.width)));
  gpu::Buffer<float> d_hidden(s.head_rows * s.width);
  gpu::Buffer<float> d_weights = uniform<float>(s.vocab * s.width, s.seed, 0.0F);
  const double before = used_mib();
  gpu::PolicyHeadLoss<T, Logit> head_loss({.chunk_rows = chunk_rows});
  const gpu::PolicyHead<T> head{s.head_rows,    s.vocab,         s.width,         hidden.data(),
                                weights.data(), d_hidden.data(), d_weights.data()};
  const double ms = timer.median_ms(s.repeats, [&] {
    head_loss(head, on_device.rows(), on_device.clipped_loss(), on_device.outputs());
  });
  const double extra = used_mib() - before;
  Line{.name = name,
       .ms = ms,
       .flops = head_flops(s),
       .error = head_error(s, columns, on_device, hidden, weights, d_hidden),
       .extra_mib = extra}
      .print();
}

/// The products of the fused head alone, chunk by chunk: its time if nothing else took any.
void bench_products(const Settings& s, Timer& timer, const std::string& name,
                    std::size_t chunk_rows) {
  const std::size_t v = s.vocab, d = s.width, chunk = std::min(chunk_rows, s.head_rows);
  const gpu::Buffer<BFloat16> hidden = uniform<BFloat16>(s.head_rows * d, s.seed + 9, 3.5F),
                              weights = uniform<BFloat16>(v * d, s.seed + 10, 0.1F);
  gpu::Buffer<BFloat16> logits(chunk * v);
  gpu::Buffer<float> d_hidden(chunk * d), d_weights = uniform<float>(v * d, s.seed, 0.0F);
  gpu::Gemm gemm;
  using gpu::Layout, gpu::Store, gpu::dense;
  const gpu::Matrix<const BFloat16> w = dense(weights.data(), v, d);
  const double ms = timer.median_ms(s.repeats, [&] {
    for (std::size_t begin = 0; begin < s.head_rows; begin += chunk) {
      const std::size_t count = std::min(chunk, s.head_rows - begin);
      const gpu::Matrix<const BFloat16> h = dense(hidden.data() + begin * d, count, d);
      const gpu::Matrix<BFloat16> l = dense(logits.data(), count, v);
      const gpu::Matrix<const BFloat16> gradient{l.data, l.rows, l.columns, l.stride};
      gemm(h, Layout::plain, w, Layout::transposed, l, Store::replace);
      gemm(gradient, Layout::transposed, h, Layout::plain, dense(d_weights.data(), v, d),
           Store::accumulate);
      gemm(gradient, Layout::plain, w, Layout::plain, dense(d_hidden.data(), count, d),
           Store::replace);
    }
  });
  Line{.name = name, .ms = ms, .flops = head_flops(s)}.print();
}

}  // namespace

int main(int argc, char** argv) try {
  const bench::Options options(argc, argv);
  const Settings settings{.elements = options.number("--elements", std::size_t{1} << 26),
                          .rows = options.number("--rows", 8192),
                          .vocab = options.number("--vocab", 151936),
                          .head_rows = options.number("--head-rows", 16384),
                          .width = options.number("--width", 1024),
                          .chunk_rows = options.number("--chunk-rows", 752),
                          .repeats = options.number("--repeats", 7),
                          .seed = options.number("--seed", std::random_device{}())};
  if (gpu::device_count() == 0) {
    std::fprintf(stderr, "gpu_bench: there is no CUDA device\n");
    return 1;
  }
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(settings.seed));
  Timer timer;
  bench_limits(settings, timer);
  bench_loops(settings, timer);
  bench_logits(settings, timer);
  const std::size_t chunk = settings.chunk_rows;
  bench_head<BFloat16, BFloat16>(settings, timer, "head, bf16", chunk);
  bench_head<BFloat16, BFloat16>(settings, timer, "head, bf16, chunks twice as large", 2 * chunk);
  bench_head<BFloat16, float>(settings, timer, "head, bf16, float logits", chunk);
  bench_head<float, float>(settings, timer, "head, float", chunk);
  bench_products(settings, timer, "the head's products alone, bf16", chunk);
  bench_products(settings, timer, "the products, chunks twice as large", 2 * chunk);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
