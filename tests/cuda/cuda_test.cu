// The checks of loop_cases.hpp, and those of the row kernels and the fused head, on a CUDA device:
//   bash tests/cuda/run.sh
// or on the emulator of tests/cuda/emulator, where `ctest` runs them.

#include <tuple>

#include "cuda/cpu_head.hpp"
#include "cuda/cuda_machine.cuh"
#include "cuda/loop_cases.hpp"
#include "dualagent/cuda/loops.cuh"
#include "dualagent/cuda/policy_head.cuh"
#include "support/error_of.hpp"
#include "support/policy_formula.hpp"

namespace gpu = dualagent::gpu;

namespace {

/// |found - expected| over |expected|, or over the smallest loss weight where all expected are
/// about 0.
double error_of_gradient(const std::vector<double>& found, const std::vector<double>& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / std::max(size, 0.01));
}

/// What a type of the device makes of numbers, and back.
std::vector<float> as(const std::vector<double>& numbers, float) {
  return {numbers.begin(), numbers.end()};
}
std::vector<gpu::BFloat16> as(const std::vector<double>& numbers, gpu::BFloat16) {
  std::vector<gpu::BFloat16> rounded;
  for (const double x : numbers) rounded.push_back(__float2bfloat16_rn(static_cast<float>(x)));
  return rounded;
}
std::vector<double> back(const std::vector<float>& numbers) {
  return {numbers.begin(), numbers.end()};
}
std::vector<double> back(const std::vector<gpu::BFloat16>& numbers) {
  std::vector<double> wide;
  for (const gpu::BFloat16 x : numbers) wide.push_back(static_cast<double>(__bfloat162float(x)));
  return wide;
}

/// GRPO's clipped loss with an entropy bonus, as the formula has it.
auto clipped_loss(Device& device, const policy_formula::Problem& problem) {
  const dualagent::Objective objective{dualagent::GroupNormalized{},
                                       dualagent::ClipLoss{.clip_low = 0.2, .clip_high = 0.2},
                                       dualagent::GlobalTokenMean{}, dualagent::NoCorrection{},
                                       dualagent::EntropyBonus{problem.loss.entropy_bonus}};
  const std::vector<double>& old = problem.loss.old_log_prob;
  const std::vector<double>& advantage = problem.loss.advantage;
  return dualagent::loops::column_loss(
      objective,
      {.old_log_prob = device.view(std::vector<float>(old.begin(), old.end())),
       .advantage = device.view(std::vector<float>(advantage.begin(), advantage.end()))});
}

gpu::PolicyRows rows_on(Device& device, const policy_formula::Problem& problem) {
  return {device.view(problem.target), device.view(problem.loss_weight),
          device.view(problem.temperature)};
}

/// Columns that begin as 77, to see what is written.
struct Outputs {
  std::size_t rows;
  double *log_prob, *entropy, *loss, *d_log_prob;

  Outputs(Device& device, std::size_t count)
      : rows(count),
        log_prob(device.view(std::vector<double>(count, 77.0))),
        entropy(device.view(std::vector<double>(count, 77.0))),
        loss(device.view(std::vector<double>(count, 77.0))),
        d_log_prob(device.view(std::vector<double>(count, 77.0))) {}
  dualagent::OutputColumns columns() const {
    return {.log_prob = log_prob, .entropy = entropy, .loss = loss, .d_log_prob = d_log_prob};
  }

  void check(const Device& device, const policy_formula::Problem& problem,
             const policy_formula::Answer& answer, double tolerance) const {
    const auto check_column = [&](const double* column, const std::vector<double>& expected) {
      const std::vector<double> found = device.fetch(column, rows);
      for (std::size_t t = 0; t < rows; ++t)
        CHECK(found[t] == Approx(problem.loss_weight[t] == 0.0F ? 77.0 : expected[t])
                              .epsilon(tolerance)
                              .margin(tolerance));
    };
    check_column(log_prob, answer.log_prob);
    check_column(entropy, answer.entropy);
    check_column(loss, answer.loss);
    check_column(d_log_prob, answer.d_log_prob);
  }
};

/// Logits [rows, vocab] of type T with rows `gap` elements further apart, from `first` on: all
/// alignments occur. What lies between the rows is NaN.
template <class T>
struct Rows {
  std::size_t rows, vocab, gap, first;
  std::vector<double> logits;  // as T has them

  Rows(std::size_t row_count, std::size_t vocab_size, std::size_t row_gap, std::size_t offset,
       std::uint64_t seed, double mean = 0)
      : rows(row_count), vocab(vocab_size), gap(row_gap), first(offset) {
    std::vector<double> numbers = normals<double>(rows * vocab, seed, 3.0);
    for (double& x : numbers) x += mean;
    if (vocab > 3) numbers[2] = -std::numeric_limits<double>::infinity();  // row 0: impossible
    logits = back(as(numbers, T{}));
  }
  std::size_t stride() const { return vocab + gap; }
  gpu::Matrix<T> matrix(Device& device) const {
    std::vector<double> spread(first + rows * stride(), std::nan(""));
    for (std::size_t r = 0; r < rows; ++r)
      std::copy_n(logits.data() + r * vocab, vocab, spread.data() + first + r * stride());
    return {device.view(as(spread, T{})) + first, rows, vocab, stride()};
  }
  /// Of a matrix on the device; fails if anything between the rows was written.
  std::vector<double> fetch(const Device& device, const gpu::Matrix<T>& matrix) const {
    const std::vector<double> spread = back(device.fetch(matrix.data, rows * stride() - gap));
    std::vector<double> numbers;
    for (std::size_t i = 0; i < spread.size(); ++i)
      if (i % stride() < vocab)
        numbers.push_back(spread[i]);
      else if (!std::isnan(spread[i]))
        FAIL("element " << i << " lies between rows and was written");
    return numbers;
  }
};

template <class T>
policy_formula::Problem problem_on(const Rows<T>& rows, std::uint64_t seed) {
  policy_formula::Problem problem = policy_formula::problem_of(rows.rows, rows.vocab, seed);
  if (rows.vocab > 3) problem.target[0] = 0;  // not the impossible token
  policy_formula::settle(problem, rows.logits);
  return problem;
}

/// d_logits of the formula, 0 at masked rows.
std::vector<double> masked(const policy_formula::Problem& problem,
                           const policy_formula::Answer& answer) {
  std::vector<double> d_logits = answer.d_logits;
  for (std::size_t i = 0; i < d_logits.size(); ++i)
    if (problem.loss_weight[i / problem.vocab] == 0.0F) d_logits[i] = 0;
  return d_logits;
}

const std::tuple<std::size_t, std::size_t, std::size_t> kShapes[] = {
    {1, 0, 0},  {2, 1, 1},    {7, 3, 2},    {8, 0, 0},
    {33, 2, 5}, {1000, 0, 0}, {5003, 1, 3}, {9000, 8, 0}};

/// log_prob and policy_loss_on_logits, the latter with and without a derivative of the entropy.
template <class T>
void check_rows(const Rows<T>& rows, double tolerance) {
  policy_formula::Problem problem = problem_on(rows, rows.vocab);
  for (const double entropy_bonus : {problem.loss.entropy_bonus, 0.0}) {
    problem.loss.entropy_bonus = entropy_bonus;
    Device device;
    const policy_formula::Answer answer = policy_formula::unfused(problem, rows.logits);
    const gpu::PolicyRows policy_rows = rows_on(device, problem);
    gpu::RowFaults faults;

    const gpu::Matrix<T> logits = rows.matrix(device);
    const Outputs seen(device, rows.rows);
    gpu::log_prob(gpu::Matrix<const T>{logits.data, rows.rows, rows.vocab, rows.stride()},
                  policy_rows, {.log_prob = seen.log_prob, .entropy = seen.entropy}, faults);
    policy_formula::Answer without_loss = answer;
    without_loss.loss.assign(rows.rows, 77.0);
    without_loss.d_log_prob.assign(rows.rows, 77.0);
    seen.check(device, problem, without_loss, 1e-5);
    CHECK(rows.fetch(device, logits) == rows.logits);

    const Outputs outputs(device, rows.rows);
    gpu::policy_loss_on_logits(logits, policy_rows, clipped_loss(device, problem),
                               outputs.columns(), faults);
    outputs.check(device, problem, answer, 1e-5);
    CHECK(error_of_gradient(rows.fetch(device, logits), masked(problem, answer)) <= tolerance);
  }
}

template <class T>
void check_rows(double tolerance) {
  for (const auto& [vocab, gap, first] : kShapes) {
    INFO("vocabulary of " << vocab << ", gap " << gap << ", offset " << first);
    check_rows(Rows<T>(11, vocab, gap, first, vocab), tolerance);
  }
  INFO("logits about 700");
  check_rows(Rows<T>(11, 1000, 0, 0, 1, 700), tolerance);
}

/// A fused head and its inputs as T has them.
template <class T>
struct Head {
  std::size_t width;
  policy_formula::Problem problem;
  std::vector<double> hidden, weights;

  Head(std::size_t rows, std::size_t vocab, std::size_t head_width, std::uint64_t seed)
      : width(head_width),
        problem(policy_formula::problem_of(rows, vocab, seed)),
        hidden(back(as(normals<double>(rows * width, seed + 1), T{}))),
        weights(back(as(normals<double>(vocab * width, seed + 2, 2.0 / std::sqrt(width)), T{}))) {
    policy_formula::settle(problem, logits());
  }
  std::vector<double> logits() const {
    std::vector<double> result(problem.rows * problem.vocab);
    for (std::size_t t = 0; t < problem.rows; ++t)
      for (std::size_t v = 0; v < problem.vocab; ++v)
        for (std::size_t i = 0; i < width; ++i)
          result[t * problem.vocab + v] += hidden[t * width + i] * weights[v * width + i];
    return result;
  }
};

/// Against the formula in double of logits that are rounded to Logit; d_weights begins as 1/1024,
/// d_hidden as 9.
template <class Logit = float, class T>
void check_head(const Head<T>& head, std::size_t chunk_rows, double tolerance,
                double output_tolerance = 2e-5) {
  INFO(head.problem.rows << " rows, vocabulary of " << head.problem.vocab << ", width "
                         << head.width << ", chunks of " << chunk_rows);
  Device device;
  const policy_formula::Problem& problem = head.problem;
  const std::size_t vocab = problem.vocab, width = head.width;
  const auto d_hidden = device.view(std::vector<float>(head.hidden.size(), 9.0F));
  const auto d_weights = device.view(std::vector<float>(head.weights.size(), 0x1p-10F));
  const Outputs outputs(device, problem.rows);
  gpu::PolicyHeadLoss<T, Logit> head_loss({.chunk_rows = chunk_rows});
  head_loss({problem.rows, vocab, width, device.view(as(head.hidden, T{})),
             device.view(as(head.weights, T{})), d_hidden, d_weights},
            rows_on(device, problem), clipped_loss(device, problem), outputs.columns());

  const policy_formula::Answer answer =
      policy_formula::unfused(problem, back(as(head.logits(), Logit{})));
  const std::vector<double> d_logits = masked(problem, answer);
  std::vector<double> expected_hidden(head.hidden.size()), expected_weights(head.weights.size());
  for (std::size_t t = 0; t < problem.rows; ++t)
    for (std::size_t v = 0; v < vocab; ++v)
      for (std::size_t i = 0; i < width; ++i) {
        expected_hidden[t * width + i] += d_logits[t * vocab + v] * head.weights[v * width + i];
        expected_weights[v * width + i] += d_logits[t * vocab + v] * head.hidden[t * width + i];
      }
  std::vector<double> added = back(device.fetch(d_weights, head.weights.size()));
  for (double& x : added) x -= 0x1p-10;
  const std::vector<double> found = back(device.fetch(d_hidden, head.hidden.size()));
  CHECK(error_of_gradient(found, expected_hidden) <= tolerance);
  CHECK(error_of_gradient(added, expected_weights) <= tolerance);
  for (std::size_t i = 0; i < found.size(); ++i)
    if (problem.loss_weight[i / width] == 0.0F && found[i] != 0.0)
      FAIL("a masked row has d_hidden");
  outputs.check(device, problem, answer, output_tolerance);
}

}  // namespace

TEST_CASE("the loops of a device pass the checks of all loops", "[cuda]") {
  CudaMachine machine;
  loop_cases::check_all(machine);
}

TEST_CASE("log-probability, policy loss and its gradient on a device are the formula", "[cuda]") {
  SECTION("float") { check_rows<float>(1e-5); }
  SECTION("bfloat16") { check_rows<gpu::BFloat16>(4e-3); }  // the gradient is rounded to 2^-9
}

TEST_CASE("the fused head on a device is the unfused formula", "[cuda]") {
  for (const auto& [rows, vocab, width] :
       {std::tuple{1U, 5U, 3U}, {20, 17, 8}, {23, 700, 16}, {9, 5000, 4}})
    for (const std::size_t chunk_rows : {1U, 6U, 64U}) {
      check_head(Head<float>(rows, vocab, width, rows), chunk_rows, 1e-5);
      check_head(Head<gpu::BFloat16>(rows, vocab, width, rows), chunk_rows, 8e-3);
      // A sum in another order may round a logit to its neighbour.
      check_head<gpu::BFloat16>(Head<gpu::BFloat16>(rows, vocab, width, rows), chunk_rows, 8e-3,
                                2e-3);
    }
}

TEST_CASE("the fused head on a device is that of the CPU", "[cuda]") {
  const Head<float> head(40, 300, 24, 7);
  const std::vector<float> hidden(head.hidden.begin(), head.hidden.end());
  const std::vector<float> weights(head.weights.begin(), head.weights.end());
  const CpuHead expected = cpu_head(head.problem, 24, hidden, weights);

  Device device;
  const auto on_device = [&](std::size_t size) { return device.view(std::vector<float>(size)); };
  float* const device_d_hidden = on_device(hidden.size());
  float* const device_d_weights = on_device(weights.size());
  const Outputs device_outputs(device, 40);
  gpu::PolicyHeadLoss<float>()(
      {40, 300, 24, device.view(hidden), device.view(weights), device_d_hidden, device_d_weights},
      rows_on(device, head.problem), clipped_loss(device, head.problem), device_outputs.columns());
  CHECK(error_of_gradient(back(device.fetch(device_d_hidden, hidden.size())),
                          back(expected.d_hidden)) <= 1e-5);
  CHECK(error_of_gradient(back(device.fetch(device_d_weights, weights.size())),
                          back(expected.d_weights)) <= 1e-5);
  const std::vector<double> log_prob = device.fetch(device_outputs.log_prob, 40);
  for (std::size_t t = 0; t < 40; ++t)
    if (head.problem.loss_weight[t] != 0.0F)
      CHECK(log_prob[t] == Approx(expected.log_prob[t]).epsilon(1e-5));
}

TEST_CASE("a head without trained rows changes nothing but d_hidden", "[cuda]") {
  Head<float> head(6, 10, 4, 3);
  head.problem.loss_weight.assign(6, 0.0F);
  check_head(head, 2, 1e-5);
}

TEST_CASE("the first row that is wrong is named", "[cuda]") {
  Device device;
  const Rows<float> rows(11, 50, 0, 0, 1);
  policy_formula::Problem problem = problem_on(rows, 1);
  const auto error = [&](std::vector<float> logits) {
    gpu::RowFaults faults;
    return error_of([&] {
      gpu::policy_loss_on_logits(gpu::dense(device.view(logits), 11, 50), rows_on(device, problem),
                                 clipped_loss(device, problem), Outputs(device, 11).columns(),
                                 faults);
    });
  };
  const std::vector<float> good(rows.logits.begin(), rows.logits.end());
  CHECK(error(good) == "no error");
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> logits = good;
    logits[3 * 50 + 7] = bad;  // row 3 is masked
    logits[9 * 50 + 1] = bad;
    logits[6 * 50 + 49] = bad;
    CHECK_THAT(error(logits), ContainsSubstring("not finite") && ContainsSubstring("row 6"));
  }
  std::vector<float> nothing = good;
  std::fill_n(nothing.data() + 2 * 50, 50, -std::numeric_limits<float>::infinity());
  CHECK_THAT(error(nothing), ContainsSubstring("not finite") && ContainsSubstring("row 2"));
  problem.target[4] = 50;
  CHECK_THAT(error(good), ContainsSubstring("vocabulary") && ContainsSubstring("row 4"));
  problem.target[1] = -1;
  CHECK_THAT(error(good), ContainsSubstring("vocabulary") && ContainsSubstring("row 1"));
  problem.temperature[0] = 0;
  CHECK_THAT(error(good), ContainsSubstring("temperature") && ContainsSubstring("row 0"));
}

TEST_CASE("products of matrices that do not fit are refused", "[cuda]") {
  gpu::Gemm gemm;
  gpu::Buffer<float> x(100);
  CHECK_THROWS_WITH(gemm(gpu::dense(static_cast<const float*>(x.data()), 2, 3), gpu::Layout::plain,
                         gpu::dense(static_cast<const float*>(x.data()), 2, 3), gpu::Layout::plain,
                         gpu::dense(x.data(), 2, 3), gpu::Store::replace),
                    ContainsSubstring("shapes"));
}

TEST_CASE("a buffer that is moved leaves nothing behind", "[cuda]") {
  const std::vector<float> numbers{1, 2, 3};
  gpu::Buffer<float> first{std::span<const float>(numbers)};
  gpu::Buffer<float> second = std::move(first);
  CHECK(second.download() == numbers);
  CHECK(first.size() == 0);
  second.resize(2);
  CHECK(second.download() == std::vector<float>{1, 2});
}

TEST_CASE("a failed CUDA call names itself", "[cuda]") {
  gpu::Buffer<float> buffer;
  CHECK_THROWS_WITH(buffer.resize(std::size_t{1} << 50), ContainsSubstring("cudaMalloc"));
}
