#include "dualagent/model/linear.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/normals.hpp"

using namespace dualagent;

namespace {

constexpr std::size_t kRows = 7, kOut = 19, kIn = 11;
constexpr std::size_t kWeight = 5, kBias = kWeight + kOut * kIn + 2;  // with gaps

/// sum_ri dy[r, i] (sum_j x[r, j] W[i, j] + b[i]), in plain loops.
double weighted_sum(const std::vector<double>& parameters, const std::vector<double>& x,
                    const std::vector<double>& dy, bool bias) {
  double sum = 0;
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t i = 0; i < kOut; ++i) {
      double y = bias ? parameters[kBias + i] : 0.0;
      for (std::size_t j = 0; j < kIn; ++j) y += x[r * kIn + j] * parameters[kWeight + i * kIn + j];
      sum += dy[r * kOut + i] * y;
    }
  return sum;
}

}  // namespace

TEST_CASE("a linear map multiplies by its weight and adds its bias", "[model][linear]") {
  const std::vector<double> parameters = normals<double>(kBias + kOut, 1),
                            x = normals<double>(kRows * kIn, 2);
  for (const bool bias : {false, true}) {
    Linear<double> map =
        bias ? Linear<double>(kOut, kIn, kWeight, kBias) : Linear<double>(kOut, kIn, kWeight);
    map.refresh(parameters.data());
    std::vector<double> y(kRows * kOut, 3.0), sum(kRows * kOut, 3.0);
    map.forward(parameters.data(), dense(x.data(), kRows, kIn), dense(y.data(), kRows, kOut));
    map.forward<Store::accumulate>(parameters.data(), dense(x.data(), kRows, kIn),
                                   dense(sum.data(), kRows, kOut));
    for (std::size_t i = 0; i < y.size(); ++i) {
      std::vector<double> one(y.size(), 0.0);
      one[i] = 1.0;
      CHECK(y[i] == Approx(weighted_sum(parameters, x, one, bias)).margin(1e-12));
      CHECK(sum[i] == Approx(3.0 + y[i]).margin(1e-12));
    }
  }
}

TEST_CASE("gradients of a linear map equal central differences", "[model][linear]") {
  const std::vector<double> parameters = normals<double>(kBias + kOut, 1),
                            x = normals<double>(kRows * kIn, 2);
  const std::vector<double> dy = normals<double>(kRows * kOut, 3);
  constexpr double kStep = 0.5;  // the sum is linear in each: no error of the step
  for (const bool bias : {false, true}) {
    const Linear<double> map =
        bias ? Linear<double>(kOut, kIn, kWeight, kBias) : Linear<double>(kOut, kIn, kWeight);
    std::vector<double> gradients(parameters.size(), 10.0), dx(x.size(), 99.0);
    map.backward(parameters.data(), dense(x.data(), kRows, kIn), dense(dy.data(), kRows, kOut),
                 gradients.data(), dense(dx.data(), kRows, kIn));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      std::vector<double> up = parameters, down = parameters;
      up[i] += kStep, down[i] -= kStep;
      const double slope = weighted_sum(up, x, dy, bias) - weighted_sum(down, x, dy, bias);
      CHECK(gradients[i] == Approx(10.0 + slope).margin(1e-10));  // added to what was there
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::vector<double> up = x, down = x;
      up[i] += kStep, down[i] -= kStep;
      const double slope =
          weighted_sum(parameters, up, dy, bias) - weighted_sum(parameters, down, dy, bias);
      CHECK(dx[i] == Approx(slope).margin(1e-10));
    }
  }
}

TEMPLATE_TEST_CASE("copy, team and rows beside it change no bit of a linear map's row",
                   "[model][linear]", float, double) {
  using T = TestType;
  constexpr std::size_t kManyRows = 21, kManyOut = 147, kManyIn = 70;
  const std::vector<T> parameters = normals<T>(kManyOut * kManyIn + kManyOut, 1),
                       x = normals<T>(kManyRows * kManyIn, 2);
  const Linear<T> plain(kManyOut, kManyIn, 0, kManyOut * kManyIn);
  Linear<T> copied = plain;
  copied.refresh(parameters.data());
  CHECK(plain.transposed().data == nullptr);
  CHECK(copied.transposed().data != nullptr);
  const auto run = [&](const Linear<T>& map, std::size_t rows, std::size_t threads) {
    ThreadPool pool(threads);
    std::vector<T> y(rows * kManyOut, T{3});
    map.template forward<Store::accumulate>(pool, parameters.data(), dense(x.data(), rows, kManyIn),
                                            dense(y.data(), rows, kManyOut));
    return y;
  };
  std::vector<T> expected(kManyRows * kManyOut, T{3});
  copied.template forward<Store::accumulate>(parameters.data(), dense(x.data(), kManyRows, kManyIn),
                                             dense(expected.data(), kManyRows, kManyOut));
  for (const std::size_t rows : {1U, 5U, 16U, 21U}) {
    const std::vector<T> of_rows(expected.begin(),
                                 expected.begin() + static_cast<std::ptrdiff_t>(rows * kManyOut));
    for (const std::size_t threads : {1U, 2U, 3U}) {
      INFO(rows << " rows, " << threads << " threads");
      CHECK(run(copied, rows, threads) == of_rows);
      CHECK(run(plain, rows, threads) == of_rows);
    }
  }
}

TEST_CASE("a linear map in bfloat16 multiplies rounded factors, forward and backward",
          "[model][linear][bfloat16]") {
  const std::vector<float> parameters = normals<float>(kBias + kOut, 1),
                           x = normals<float>(kRows * kIn, 2), dy = normals<float>(kRows * kOut, 3);
  const auto rounded = [](float value) {
    return static_cast<double>(kernels::rounded_to_bfloat16(value));
  };
  Linear<float> map(kOut, kIn, kWeight, kBias, Precision::bfloat16);
  map.refresh(parameters.data());
  CHECK(map.rounded().data != nullptr);
  CHECK(map.transposed().data == nullptr);
  std::vector<float> y(kRows * kOut, 3.0F), gradients(parameters.size(), 10.0F),
      dx(x.size(), 99.0F);
  map.forward(parameters.data(), dense(x.data(), kRows, kIn), dense(y.data(), kRows, kOut));
  map.backward(parameters.data(), dense(x.data(), kRows, kIn), dense(dy.data(), kRows, kOut),
               gradients.data(), dense(dx.data(), kRows, kIn));
  const auto weight = [&](std::size_t i, std::size_t j) {
    return rounded(parameters[kWeight + i * kIn + j]);
  };
  const double tolerance = 1e-5;  // of sums in float; 2^-9 would be that of a factor not rounded
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t i = 0; i < kOut; ++i) {
      double sum = static_cast<double>(parameters[kBias + i]);
      for (std::size_t j = 0; j < kIn; ++j) sum += rounded(x[r * kIn + j]) * weight(i, j);
      CHECK(static_cast<double>(y[r * kOut + i]) == Approx(sum).margin(tolerance));
    }
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t j = 0; j < kIn; ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < kOut; ++i) sum += rounded(dy[r * kOut + i]) * weight(i, j);
      CHECK(static_cast<double>(dx[r * kIn + j]) == Approx(sum).margin(tolerance));
    }
  for (std::size_t i = 0; i < kOut; ++i)
    for (std::size_t j = 0; j < kIn; ++j) {
      double sum = 10.0;
      for (std::size_t r = 0; r < kRows; ++r)
        sum += rounded(dy[r * kOut + i]) * rounded(x[r * kIn + j]);
      CHECK(static_cast<double>(gradients[kWeight + i * kIn + j]) == Approx(sum).margin(tolerance));
    }
  std::vector<float> alone(x.size(), 99.0F);
  map.backward_input(parameters.data(), dense(dy.data(), kRows, kOut),
                     dense(alone.data(), kRows, kIn));
  CHECK(alone == dx);
}
