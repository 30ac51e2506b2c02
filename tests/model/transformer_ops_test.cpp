#include "dualagent/model/transformer_ops.hpp"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <numbers>
#include <vector>

#include "support/catch.hpp"
#include "support/normals.hpp"

using namespace dualagent;

namespace {

const std::size_t kSizes[] = {1, 2, 7, 8, 15, 16, 17, 33, 64, 95};

template <class T>
constexpr double tolerance() {
  return std::is_same_v<T, double> ? 1e-13 : 2e-6;
}

/// Central difference of f at x[i].
double slope(const std::function<double()>& f, double& x) {
  const double at = x;
  const double h = 1e-5;
  x = at + h;
  const double above = f();
  x = at - h;
  const double below = f();
  x = at;
  return (above - below) / (2 * h);
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TEMPLATE_TEST_CASE("rms_norm divides by the root of the mean square", "[model][ops]", float,
                   double) {
  using T = TestType;
  for (const std::size_t n : kSizes) {
    const auto x = normals<T>(n, 1);
    const auto weight = normals<T>(n, 2);
    std::vector<T> y(n + 1, T{99});
    const T inverse = detail::rms_norm(n, x.data(), weight.data(), T(1e-5), y.data());
    double squares = 0;
    for (const T value : x) squares += static_cast<double>(value) * static_cast<double>(value);
    const double expected = 1.0 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    INFO("n = " << n);
    CHECK(static_cast<double>(inverse) == Approx(expected).epsilon(tolerance<T>()));
    for (std::size_t i = 0; i < n; ++i)
      CHECK(static_cast<double>(y[i]) ==
            Approx(static_cast<double>(x[i]) * expected * static_cast<double>(weight[i]))
                .epsilon(tolerance<T>()));
    CHECK(y[n] == T{99});
  }
}

TEST_CASE("the gradients of rms_norm are its slopes and are added", "[model][ops]") {
  for (const std::size_t n : kSizes) {
    auto x = normals<double>(n, 3);
    auto weight = normals<double>(n, 4);
    const auto dy = normals<double>(n, 5);
    std::vector<double> y(n), dx(n, 10.0), d_weight(n, 20.0);
    const auto f = [&] {
      detail::rms_norm(n, x.data(), weight.data(), 1e-2, y.data());
      return dot(y, dy);
    };
    const double inverse = detail::rms_norm(n, x.data(), weight.data(), 1e-2, y.data());
    detail::rms_norm_backward(n, x.data(), weight.data(), inverse, dy.data(), dx.data(),
                              d_weight.data());
    INFO("n = " << n);
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(dx[i] - 10.0 == Approx(slope(f, x[i])).margin(1e-8));
      CHECK(d_weight[i] - 20.0 == Approx(slope(f, weight[i])).margin(1e-8));
    }
  }
}

TEMPLATE_TEST_CASE("swiglu is gate * sigmoid(gate) * up", "[model][ops]", float, double) {
  using T = TestType;
  for (const std::size_t n : kSizes) {
    const auto gate = normals<T>(n, 6, 3.0);
    const auto up = normals<T>(n, 7);
    std::vector<T> act(n + 1, T{99});
    detail::swiglu(n, gate.data(), up.data(), act.data());
    for (std::size_t i = 0; i < n; ++i) {
      const auto g = static_cast<double>(gate[i]);
      CHECK(static_cast<double>(act[i]) ==
            Approx(g / (1.0 + std::exp(-g)) * static_cast<double>(up[i])).epsilon(tolerance<T>()));
    }
    CHECK(act[n] == T{99});
  }
}

TEST_CASE("swiglu stays finite at both ends", "[model][ops]") {
  const std::vector<float> gate{-200.0F, -88.0F, 0.0F, 88.0F, 200.0F};
  const std::vector<float> up(5, 1.0F);
  std::vector<float> act(5);
  detail::swiglu(5, gate.data(), up.data(), act.data());
  CHECK(std::abs(act[0]) < 1e-30F);
  CHECK(std::abs(act[1]) < 1e-30F);
  CHECK(act[2] == 0.0F);
  CHECK(act[3] == 88.0F);
  CHECK(act[4] == 200.0F);
}

TEST_CASE("the gradients of swiglu are its slopes", "[model][ops]") {
  for (const std::size_t n : kSizes) {
    auto gate = normals<double>(n, 8, 2.0);
    auto up = normals<double>(n, 9);
    const auto d_act = normals<double>(n, 10);
    std::vector<double> act(n), d_gate(n), d_up(n);
    const auto f = [&] {
      detail::swiglu(n, gate.data(), up.data(), act.data());
      return dot(act, d_act);
    };
    detail::swiglu_backward(n, gate.data(), up.data(), d_act.data(), d_gate.data(), d_up.data());
    INFO("n = " << n);
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(d_gate[i] == Approx(slope(f, gate[i])).margin(1e-8));
      CHECK(d_up[i] == Approx(slope(f, up[i])).margin(1e-8));
    }
  }
}

TEMPLATE_TEST_CASE("softmax_row normalises its first entries and clears the others", "[model][ops]",
                   float, double) {
  using T = TestType;
  for (const std::size_t n : kSizes) {
    const std::size_t width = kernels::padded<T>(n) + 2 * kernels::kLanes<T>;
    auto s = normals<T>(width, 11, 5.0);
    for (std::size_t i = n; i < width; ++i) s[i] = T(1e9);  // left by somebody else
    std::vector<double> expected(width, 0.0);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
      sum += expected[i] = std::exp(0.3 * static_cast<double>(s[i]));
    detail::softmax_row(n, width, T(0.3), s.data());
    INFO("n = " << n);
    for (std::size_t i = 0; i < n; ++i)
      CHECK(static_cast<double>(s[i]) == Approx(expected[i] / sum).epsilon(tolerance<T>()));
    for (std::size_t i = n; i < width; ++i) CHECK(s[i] == T{0});
  }
}

TEST_CASE("softmax_row has the same bits at any width", "[model][ops]") {
  constexpr std::size_t n = 21;
  const auto scores = normals<float>(n, 12);
  std::vector<float> first;
  for (std::size_t extra = 0; extra < 4; ++extra) {
    const std::size_t width = kernels::padded<float>(n) + extra * kernels::kLanes<float>;
    std::vector<float> s(width, static_cast<float>(extra));
    std::copy(scores.begin(), scores.end(), s.begin());
    detail::softmax_row(n, width, 0.5F, s.data());
    s.resize(n);
    if (extra == 0) first = s;
    CHECK(s == first);
  }
}

TEST_CASE("rotate turns pairs by their angle and back", "[model][ops]") {
  // A quarter turn of (1, 2) is (-2, 1); the pair (3, 5) has angle 0.
  const std::vector<double> cosine{0.0, 1.0}, sine{1.0, 0.0};
  std::vector<double> x{1.0, 3.0, 2.0, 5.0};  // half-split: pairs (0, 2) and (1, 3)
  detail::rotate(4, cosine.data(), sine.data(), 1.0, x.data());
  CHECK(x == std::vector<double>{-2.0, 3.0, 1.0, 5.0});
  detail::rotate(4, cosine.data(), sine.data(), -1.0, x.data());
  CHECK(x == std::vector<double>{1.0, 3.0, 2.0, 5.0});
}

TEST_CASE("rotate keeps lengths and depends on the distance only", "[model][ops]") {
  const auto q = normals<double>(8, 14), k = normals<double>(8, 15);
  const auto product = [&](double p, double s) {  // of q at position p and k at position s
    const auto turned = [](std::vector<double> x, double position) {
      std::vector<double> cosine, sine;
      for (const double speed : {1.0, 0.3, 0.1, 0.01}) {
        cosine.push_back(std::cos(position * speed));
        sine.push_back(std::sin(position * speed));
      }
      detail::rotate(8, cosine.data(), sine.data(), 1.0, x.data());
      return x;
    };
    return dot(turned(q, p), turned(k, s));
  };
  CHECK(product(5, 5) == Approx(dot(q, k)));
  CHECK(product(9, 2) == Approx(product(17, 10)));
  CHECK(std::abs(product(9, 2) - product(2, 9)) > 1e-3);
}
