#pragma once

#include <cmath>

#include "dualagent/kernels/host_device.inl"

/// Associative operators for reductions: `identity()` and `operator()(a, b)`.
///
/// Associative up to rounding; loops that need equal bits keep a fixed order.
namespace dualagent::kernels {

template <class T>
struct Sum {
  DUALAGENT_HD static constexpr T identity() { return T{0}; }
  DUALAGENT_HD constexpr T operator()(T a, T b) const { return a + b; }
};

/// Count, mean and sum of squared deviations of a set of numbers.
template <class T>
struct MomentsState {
  T count;
  T mean;
  T squares;  ///< sum of (x - mean)^2
  /// Unbiased: divides by count - 1; 0 for fewer than two numbers.
  DUALAGENT_HD constexpr T variance() const {
    return count > T{1} ? squares / (count - T{1}) : T{0};
  }
  /// Whether the numbers are equal up to rounding, as 0.3 and 0.1 + 0.2 are: no difference is above
  /// about 1e-9 (float: 1e-6) times the larger of 1 and the mean. True of fewer than two numbers.
  DUALAGENT_HD constexpr bool all_equal() const {
    const T size = mean < T{0} ? -mean : mean;
    const T rounding = static_cast<T>(sizeof(T) < sizeof(double) ? 1e-6 : 1e-9);
    return std::sqrt(squares) <= rounding * (size > T{1} ? size : T{1});
  }
};

/// Combines the moments of two disjoint sets.
/// Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm", 1979.
template <class T>
struct Moments {
  using State = MomentsState<T>;
  DUALAGENT_HD static constexpr State identity() { return {T{0}, T{0}, T{0}}; }
  DUALAGENT_HD static constexpr State of(T x) { return {T{1}, x, T{0}}; }
  DUALAGENT_HD constexpr State operator()(State a, State b) const {
    if (a.count == T{0}) return b;
    if (b.count == T{0}) return a;
    const T count = a.count + b.count;
    const T delta = b.mean - a.mean;
    return {count, a.mean + delta * (b.count / count),
            a.squares + b.squares + delta * delta * (a.count * b.count / count)};
  }
};

}  // namespace dualagent::kernels
