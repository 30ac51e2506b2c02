#include "dualagent/cpu/policy_loss.inl"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/normals.hpp"

using namespace dualagent;

namespace {

const std::size_t kSizes[] = {1, 2, 7, 8, 15, 16, 17, 33, 64, 95, 200};

template <class T>
constexpr double tolerance() {
  return std::is_same_v<T, double> ? 1e-13 : 2e-6;
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEMPLATE_TEST_CASE("largest finds the largest number wherever it stands", "[cpu]", float, double) {
  using T = TestType;
  for (const std::size_t n : kSizes)
    for (std::size_t at = 0; at < n; ++at) {
      std::vector<T> x(n + 1, T{-3});
      x[at] = T{-2};
      x[n] = T{5};  // beyond the row
      CHECK(cpu::largest(n, x.data()) == T{-2});
    }
}

TEMPLATE_TEST_CASE("log_softmax_row gives log-probabilities and entropy", "[cpu]", float, double) {
  using T = TestType;
  for (const std::size_t n : kSizes)
    for (const double temperature : {0.6, 1.0, 1.7}) {
      auto logits = normals<T>(n + 1, 13, 4.0);
      logits[n] = T{1e9F};  // somebody else's
      std::vector<double> p(n);
      double sum = 0, entropy = 0;
      for (std::size_t i = 0; i < n; ++i)
        sum += p[i] = std::exp(static_cast<double>(logits[i]) / temperature);
      for (double& value : p) value /= sum, entropy -= value * std::log(value);
      std::vector<T> e(n + 1, T{77});
      std::vector<T> again = logits;
      const auto row =
          cpu::log_softmax_row(n, static_cast<T>(1.0 / temperature), logits.data(), e.data());
      INFO("n = " << n << ", temperature " << temperature);
      CHECK(static_cast<double>(row.entropy) == Approx(entropy).margin(20 * tolerance<T>()));
      CHECK(row.log_sum == std::log(row.sum));
      for (std::size_t i = 0; i < n; ++i) {
        CHECK(static_cast<double>(e[i] / row.sum) == Approx(p[i]).margin(tolerance<T>()));
        CHECK(static_cast<double>(logits[i] - row.log_sum) ==
              Approx(std::log(p[i])).margin(20 * tolerance<T>()));
      }
      CHECK(logits[n] == T{1e9F});
      CHECK(e[n] == T{77});
      const auto without_e =
          cpu::log_softmax_row<T>(n, static_cast<T>(1.0 / temperature), again.data(), nullptr);
      CHECK(again == logits);
      CHECK(without_e.sum == row.sum);
      CHECK(without_e.entropy == row.entropy);
    }
}

TEMPLATE_TEST_CASE("impossible tokens have probability 0 and leave the others alone", "[cpu]",
                   float, double) {
  using T = TestType;
  std::vector<T> logits(40, static_cast<T>(-kInfinity));
  logits[3] = logits[18] = logits[39] = T{1000};  // one third each
  std::vector<T> e(40);
  const auto row = cpu::log_softmax_row(40, T{1}, logits.data(), e.data());
  CHECK(row.sum == T{3});
  CHECK(static_cast<double>(row.entropy) == Approx(std::log(3.0)));
  CHECK(e[4] == T{0});
  CHECK(logits[4] == static_cast<T>(-kInfinity));
  cpu::logit_gradient_row(40, row, 3, T{1}, T{0.5}, logits.data(), logits.data());
  for (std::size_t v = 0; v < 40; ++v) {  // the entropy's share is 0: all have log p = -H
    const double expected = v == 3 ? 2.0 / 3 : v == 18 || v == 39 ? -1.0 / 3 : 0.0;
    CHECK(static_cast<double>(logits[v]) == Approx(expected).margin(1e-6));
  }
  CHECK(logits[4] == T{0});
}

TEMPLATE_TEST_CASE("a row that is not a distribution has a sum that is not a number", "[cpu]",
                   float, double) {
  using T = TestType;
  for (const std::size_t n : {1U, 5U, 16U, 70U}) {
    for (std::size_t at = 0; at < n; ++at)
      for (const double poison : {kInfinity, std::numeric_limits<double>::quiet_NaN()}) {
        auto logits = normals<T>(n, 5, 1.0);
        logits[at] = static_cast<T>(poison);
        CHECK(std::isnan(cpu::log_softmax_row<T>(n, T{1}, logits.data(), nullptr).sum));
      }
    std::vector<T> never(n, static_cast<T>(-kInfinity));
    CHECK(std::isnan(cpu::log_softmax_row<T>(n, T{1}, never.data(), nullptr).sum));
  }
}

TEMPLATE_TEST_CASE("logit_gradient_row is logit_gradient of every logit", "[cpu]", float, double) {
  using T = TestType;
  for (const std::size_t n : kSizes)
    for (const std::size_t target : {std::size_t{0}, n / 2, n - 1}) {
      auto z = normals<T>(n + 1, 21, 2.0);
      z[n] = T{42};
      std::vector<T> e(n);
      const auto row = cpu::log_softmax_row<T>(n, T{1}, z.data(), e.data());
      const std::vector<T> before = z;
      cpu::logit_gradient_row(n, row, target, T(-0.8), T(0.3), z.data(), z.data());
      INFO("n = " << n << ", target " << target);
      for (std::size_t v = 0; v < n; ++v) {
        const double expected = kernels::logit_gradient(
            static_cast<double>(e[v]) / static_cast<double>(row.sum),
            static_cast<double>(before[v]) - static_cast<double>(row.log_sum),
            static_cast<double>(row.entropy), v == target, -0.8, 0.3);
        CHECK(static_cast<double>(z[v]) == Approx(expected).margin(tolerance<T>()));
      }
      CHECK(z[n] == T{42});
    }
}
