#include "dualagent/kernels/dual.inl"

#include <cmath>

#include "support/catch.hpp"

using D = dualagent::kernels::Dual<double, 2>;
using dualagent::kernels::variable;

namespace {

/// Central difference of f in one of its two arguments.
template <class F>
double slope(F f, double x, double y, int argument) {
  const double h = 1e-5;
  return argument == 0 ? (f(x + h, y) - f(x - h, y)) / (2 * h)
                       : (f(x, y + h) - f(x, y - h)) / (2 * h);
}

}  // namespace

TEST_CASE("dual numbers agree with finite differences through every operation", "[kernels]") {
  const auto function = [](auto x, auto y) {
    using std::abs, std::exp, std::log, std::sqrt;
    return exp(x * y) / (1.0 + log(x + 3.0)) - sqrt(y + 2.0) * abs(x - 2.0) + x / y - (-x);
  };
  for (const double x : {-0.7, 0.4, 3.1})
    for (const double y : {-1.2, 0.5, 1.7}) {
      const D result = function(variable<double, 2>(x, 0), variable<double, 2>(y, 1));
      CHECK(result.value == Approx(function(x, y)));
      CHECK(result.d[0] == Approx(slope(function, x, y, 0)).epsilon(1e-7));
      CHECK(result.d[1] == Approx(slope(function, x, y, 1)).epsilon(1e-7));
    }
}

TEST_CASE("kinks have the documented one-sided derivatives", "[kernels]") {
  const D x = variable<double, 2>(1.0, 0);
  const D y = variable<double, 2>(1.0, 1);
  CHECK(max(x, y).d[0] == 1.0);
  CHECK(max(x, y).d[1] == 0.0);
  CHECK(min(x, y).d[0] == 1.0);
  CHECK(clamp(x, D(1.0), D(2.0)).d[0] == 1.0);
  CHECK(clamp(x, D(0.0), D(1.0)).d[0] == 1.0);
  CHECK(clamp(x, D(1.5), D(2.0)).d[0] == 0.0);
  CHECK(clamp(x, D(1.5), D(2.0)).value == 1.5);
  CHECK(clamp(x, D(0.0), D(0.5)).value == 0.5);
  CHECK(abs(x - x).d[0] == 0.0);
  CHECK(abs(variable<double, 2>(0.0, 0)).d[0] == 1.0);
  CHECK(abs(variable<double, 2>(-3.0, 0)).d[0] == -1.0);
}

TEST_CASE("nothing is differentiated through stop_gradient", "[kernels]") {
  const D x = variable<double, 2>(3.0, 0);
  const D product = stop_gradient(x) * x;
  CHECK(product.value == 9.0);
  CHECK(product.d[0] == 3.0);
}
