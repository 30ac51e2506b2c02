#pragma once

#include <cmath>
#include <concepts>

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// Whether the compiler knows that x is 0: the derivative of a constant, which costs nothing then.
/// Floating-point rules forbid it to drop 0 * y by itself, since y might be infinite.
///
/// In device code every 0 counts: nvcc 13.0 takes __builtin_constant_p to be true of derivatives
/// that it does not know, and all of them became 0.
template <class T>
DUALAGENT_HD constexpr bool known_zero(T x) {
#if defined(__CUDA_ARCH__)
  return x == T{0};
#else
  return __builtin_constant_p(x == T{0}) && x == T{0};
#endif
}
/// derivative * factor, where a known derivative of 0 stays 0.
template <class T>
DUALAGENT_HD constexpr T scaled(T derivative, T factor) {
  return known_zero(derivative) ? T{0} : derivative * factor;
}
/// Sum of two derivatives.
template <class T>
DUALAGENT_HD constexpr T added(T a, T b) {
  return known_zero(a) ? b : known_zero(b) ? a : a + b;
}

/// A number and its partial derivatives with respect to N inputs (forward mode).
///
/// Kinks: `max(a, b)` and `min(a, b)` differentiate `a` where the values are equal; `clamp`
/// differentiates x at its bounds; `abs` has derivative +1 at 0.
/// Cost: no memory, everything inlines; N multiplications per operation.
/// Example: Dual<double, 1> x = variable<double, 1>(2.0, 0); (x * x).d[0] == 4.0
template <class T, int N>
struct Dual {
  T value{};
  T d[N]{};

  Dual() = default;
  /// A constant.
  DUALAGENT_HD constexpr Dual(T constant) : value(constant) {}  // implicit: 1.0 - x

  /// A parameter in double precision, rounded to T. A template: an int is not ambiguous.
  template <std::same_as<double> Parameter>
  DUALAGENT_HD constexpr explicit Dual(Parameter constant) requires(!std::same_as<T, double>)
      : value(static_cast<T>(constant)) {}

  /// value and derivative of f at this number: f(value), f'(value).
  DUALAGENT_HD constexpr Dual chain(T f, T slope) const {
    Dual result(f);
    for (int i = 0; i < N; ++i) result.d[i] = scaled(d[i], slope);
    return result;
  }

  DUALAGENT_HD friend constexpr Dual operator+(const Dual& a, const Dual& b) {
    Dual result(a.value + b.value);
    for (int i = 0; i < N; ++i) result.d[i] = added(a.d[i], b.d[i]);
    return result;
  }
  DUALAGENT_HD friend constexpr Dual operator-(const Dual& a, const Dual& b) {
    Dual result(a.value - b.value);
    for (int i = 0; i < N; ++i) result.d[i] = added(a.d[i], scaled(b.d[i], T{-1}));
    return result;
  }
  DUALAGENT_HD friend constexpr Dual operator*(const Dual& a, const Dual& b) {
    Dual result(a.value * b.value);
    for (int i = 0; i < N; ++i)
      result.d[i] = added(scaled(a.d[i], b.value), scaled(b.d[i], a.value));
    return result;
  }
  DUALAGENT_HD friend constexpr Dual operator/(const Dual& a, const Dual& b) {
    Dual result(a.value / b.value);
    for (int i = 0; i < N; ++i)
      result.d[i] = scaled(added(a.d[i], scaled(b.d[i], -result.value)), T{1} / b.value);
    return result;
  }
  DUALAGENT_HD friend constexpr Dual operator-(const Dual& a) { return a.chain(-a.value, T{-1}); }

  DUALAGENT_HD friend constexpr bool operator<(const Dual& a, const Dual& b) {
    return a.value < b.value;
  }
  DUALAGENT_HD friend constexpr bool operator>(const Dual& a, const Dual& b) { return b < a; }
  DUALAGENT_HD friend constexpr bool operator<=(const Dual& a, const Dual& b) {
    return a.value <= b.value;
  }
  DUALAGENT_HD friend constexpr bool operator>=(const Dual& a, const Dual& b) { return b <= a; }

  DUALAGENT_HD friend Dual exp(const Dual& a) {
    const T f = std::exp(a.value);
    return a.chain(f, f);
  }
  DUALAGENT_HD friend Dual log(const Dual& a) { return a.chain(std::log(a.value), T{1} / a.value); }
  DUALAGENT_HD friend Dual sqrt(const Dual& a) {
    const T f = std::sqrt(a.value);
    return a.chain(f, T{0.5} / f);
  }
  /// `a` where the condition holds, else `b`; number by number, so that all stay in registers.
  DUALAGENT_HD friend constexpr Dual select(bool condition, const Dual& a, const Dual& b) {
    Dual result(condition ? a.value : b.value);
    for (int i = 0; i < N; ++i) result.d[i] = condition ? a.d[i] : b.d[i];
    return result;
  }
  DUALAGENT_HD friend constexpr Dual abs(const Dual& a) { return select(a.value < T{0}, -a, a); }
  DUALAGENT_HD friend constexpr Dual min(const Dual& a, const Dual& b) {
    return select(b.value < a.value, b, a);
  }
  DUALAGENT_HD friend constexpr Dual max(const Dual& a, const Dual& b) {
    return select(a.value < b.value, b, a);
  }
  /// x within [low, high]; the derivative is 0 outside.
  DUALAGENT_HD friend constexpr Dual clamp(const Dual& x, const Dual& low, const Dual& high) {
    return select(x.value < low.value, low, select(high.value < x.value, high, x));
  }
  /// The value of a with the derivative of b.
  DUALAGENT_HD friend constexpr Dual straight_through(const Dual& a, const Dual& b) {
    Dual result(b);
    result.value = a.value;
    return result;
  }
  /// The value as a constant: nothing is differentiated through it.
  DUALAGENT_HD friend constexpr Dual stop_gradient(const Dual& a) { return Dual(a.value); }
};

/// Input number `index`: its derivative with respect to itself is 1.
template <class T, int N>
DUALAGENT_HD constexpr Dual<T, N> variable(T value, int index) {
  Dual<T, N> result(value);
  result.d[index] = T{1};
  return result;
}

}  // namespace dualagent::kernels
