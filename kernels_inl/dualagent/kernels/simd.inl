#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace dualagent::kernels {

/// Bytes of the widest vector registers that the compiler may use.
#if defined(__AVX512F__)
inline constexpr std::size_t kVectorBytes = 64;
#elif defined(__AVX__)
inline constexpr std::size_t kVectorBytes = 32;
#else
inline constexpr std::size_t kVectorBytes = 16;
#endif

/// A vector register of T; arithmetic is lane by lane.
template <class T>
struct SimdOf {
  typedef T Vec __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Simd = typename SimdOf<T>::Vec;

/// Lanes of a Simd<T>.
template <class T>
inline constexpr std::size_t kLanes = kVectorBytes / sizeof(T);

/// Smallest multiple of the lanes that is >= n.
template <class T>
constexpr std::size_t padded(std::size_t n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// Whether multiply_add rounds once.
#if defined(__FMA__) || defined(__ARM_NEON)
inline constexpr bool kFusedMultiplyAdd = true;
#else
inline constexpr bool kFusedMultiplyAdd = false;
#endif

/// Bytes of a row of a panel (model/panels.hpp): the widest vector register of any machine that the
/// program may run on.
#if defined(__x86_64__)
inline constexpr std::size_t kPanelBytes = 64;
#else
inline constexpr std::size_t kPanelBytes = kVectorBytes;
#endif
template <class T>
inline constexpr std::size_t kPanelLanes = kPanelBytes / sizeof(T);

template <class T>
inline Simd<T> load(const T* from) {
  Simd<T> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class T>
inline void store(T* to, Simd<T> v) {
  std::memcpy(to, &v, sizeof v);
}

template <class T>
inline Simd<T> broadcast(T value) {
  return value - Simd<T>{};
}

#if defined(__AVX512F__)  // without a store of parts before the load of all, which waits for it
namespace detail {

inline __m512 load_lanes(const float* from, unsigned lanes, __m512 fill) {
  return _mm512_mask_loadu_ps(fill, static_cast<__mmask16>(lanes), from);
}
inline __m512d load_lanes(const double* from, unsigned lanes, __m512d fill) {
  return _mm512_mask_loadu_pd(fill, static_cast<__mmask8>(lanes), from);
}
inline void store_lanes(float* to, unsigned lanes, __m512 v) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>(lanes), v);
}
inline void store_lanes(double* to, unsigned lanes, __m512d v) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>(lanes), v);
}

}  // namespace detail
#endif

/// The last `count` < kLanes numbers of a row; the other lanes are `fill`.
template <class T>
inline Simd<T> load_end(const T* from, std::size_t count, T fill) {
  Simd<T> v = broadcast(fill);
#if defined(__AVX512F__)
  return detail::load_lanes(from, (1U << count) - 1, v);
#else
  if (count > 0) std::memcpy(&v, from, count * sizeof(T));  // of none, `from` may be null
  return v;
#endif
}

/// Writes the first `count` < kLanes lanes.
template <class T>
inline void store_end(T* to, std::size_t count, Simd<T> v) {
#if defined(__AVX512F__)
  detail::store_lanes(to, (1U << count) - 1, v);
#else
  if (count > 0) std::memcpy(to, &v, count * sizeof(T));
#endif
}

/// Elements of a 16-byte piece of a vector; shuffles stay within pieces.
template <class T>
inline constexpr std::size_t kPiece = 16 / sizeof(T);

#if defined(__CUDACC__)  // whose front end does not expand packs in __builtin_shufflevector
/// The columns of a block [kLanes, kPiece] of a matrix whose rows are `stride` elements apart.
template <class T, std::size_t count>
inline void load_columns(const T* from, std::size_t stride, Simd<T> (&columns)[count]) {
  for (std::size_t c = 0; c < count; ++c)
    for (std::size_t r = 0; r < kLanes<T>; ++r) columns[c][r] = from[r * stride + c];
}
#else
namespace detail {

template <class V, std::size_t... i>
inline auto joined(V a, V b, std::index_sequence<i...>) {
  return __builtin_shufflevector(a, b, i...);
}

/// The pieces at from, from + step, ..., `pieces` of them, as one vector.
template <class T, std::size_t pieces>
inline auto load_pieces(const T* from, std::size_t step) {
  if constexpr (pieces == 1) {
    typedef T Piece __attribute__((vector_size(16)));
    Piece piece;
    std::memcpy(&piece, from, sizeof piece);
    return piece;
  } else {
    return joined(load_pieces<T, pieces / 2>(from, step),
                  load_pieces<T, pieces / 2>(from + pieces / 2 * step, step),
                  std::make_index_sequence<pieces * kPiece<T>>{});
  }
}

/// Where element i of `interleave` comes from, in the concatenation of both vectors.
template <class T, std::size_t group, bool upper>
constexpr std::size_t interleaved(std::size_t i) {
  const std::size_t in_piece = i % kPiece<T>;
  return i - in_piece + (upper ? kPiece<T> / 2 : 0) + in_piece / group / 2 * group +
         in_piece % group + in_piece / group % 2 * kLanes<T>;
}

/// In every piece, groups of elements of a and b in turn, from their lower or upper halves.
template <class T, std::size_t group, bool upper, std::size_t... i>
inline Simd<T> interleave(Simd<T> a, Simd<T> b, std::index_sequence<i...>) {
  return __builtin_shufflevector(a, b, interleaved<T, group, upper>(i)...);
}
template <class T, std::size_t group, bool upper>
inline Simd<T> interleave(Simd<T> a, Simd<T> b) {
  return interleave<T, group, upper>(a, b, std::make_index_sequence<kLanes<T>>{});
}

}  // namespace detail

/// The columns of a block [kLanes, kPiece] of a matrix whose rows are `stride` elements apart.
inline void load_columns(const float* from, std::size_t stride, Simd<float> (&columns)[4]) {
  using namespace detail;
  constexpr std::size_t kPieces = kVectorBytes / 16;
  // Row i, row 4 + i, ... in the pieces of one vector.
  const Simd<float> r0 = load_pieces<float, kPieces>(from, 4 * stride);
  const Simd<float> r1 = load_pieces<float, kPieces>(from + stride, 4 * stride);
  const Simd<float> r2 = load_pieces<float, kPieces>(from + 2 * stride, 4 * stride);
  const Simd<float> r3 = load_pieces<float, kPieces>(from + 3 * stride, 4 * stride);
  const Simd<float> low01 = interleave<float, 1, false>(r0, r1);
  const Simd<float> low23 = interleave<float, 1, false>(r2, r3);
  const Simd<float> high01 = interleave<float, 1, true>(r0, r1);
  const Simd<float> high23 = interleave<float, 1, true>(r2, r3);
  columns[0] = interleave<float, 2, false>(low01, low23);
  columns[1] = interleave<float, 2, true>(low01, low23);
  columns[2] = interleave<float, 2, false>(high01, high23);
  columns[3] = interleave<float, 2, true>(high01, high23);
}
inline void load_columns(const double* from, std::size_t stride, Simd<double> (&columns)[2]) {
  using namespace detail;
  constexpr std::size_t kPieces = kVectorBytes / 16;
  const Simd<double> even = load_pieces<double, kPieces>(from, 2 * stride);
  const Simd<double> odd = load_pieces<double, kPieces>(from + stride, 2 * stride);
  columns[0] = interleave<double, 1, false>(even, odd);
  columns[1] = interleave<double, 1, true>(even, odd);
}
#endif

/// a * b + c, rounded once where the machine can; written out, since compilers decide case by case
/// whether to fuse a product and a sum, and equal sums must have equal bits.
inline Simd<float> multiply_add(Simd<float> a, Simd<float> b, Simd<float> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__ARM_NEON)
  return vfmaq_f32(c, a, b);
#else
  return a * b + c;
#endif
}
inline Simd<double> multiply_add(Simd<double> a, Simd<double> b, Simd<double> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(a, b, c);
#elif defined(__ARM_NEON)
  return vfmaq_f64(c, a, b);
#else
  return a * b + c;
#endif
}
template <class T>
inline T multiply_add_scalar(T a, T b, T c) {
#if defined(__FMA__) || defined(__ARM_NEON)
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// The larger (or smaller) of a and b, lane by lane; b where one of them is NaN. Written out, since
/// compilers make a comparison and a blend of it where an operand is constant; the full mask spares
/// GCC 12's warning of an uninitialised operand (GCC bug 105593).
inline Simd<float> max(Simd<float> a, Simd<float> b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(0xFFFF, a, b);
#elif defined(__FMA__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
inline Simd<double> max(Simd<double> a, Simd<double> b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_pd(0xFF, a, b);
#elif defined(__FMA__)
  return _mm256_max_pd(a, b);
#else
  return a > b ? a : b;
#endif
}
inline Simd<float> min(Simd<float> a, Simd<float> b) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(0xFFFF, a, b);
#elif defined(__FMA__)
  return _mm256_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}

/// Sum of all lanes, always in the same order.
template <class T>
inline T sum_lanes(Simd<T> v) {
  T lanes[kLanes<T>];
  store(lanes, v);
  for (std::size_t width = kLanes<T> / 2; width > 0; width /= 2)
    for (std::size_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

/// exp(x), lane by lane; 0 below -87.
///
/// Float: range reduction by multiples of log 2 and a polynomial of degree 6, minimax for the
/// relative error (3e-9) on [-log(2)/2, log(2)/2]; rounding included, the relative error is below
/// 2e-7 for x in
/// [-87, 88]. Double: std::exp.
inline Simd<float> exp(Simd<float> x) {
  typedef std::int32_t Int __attribute__((vector_size(kVectorBytes)));
  const auto constant = [](float value) { return broadcast(value); };
  const Simd<float> y = min(constant(88.0F), max(constant(-87.0F), x));
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const Simd<float> shifted = multiply_add(y, constant(1.44269504F), constant(kRound));
  const Simd<float> n = shifted - kRound;
  Simd<float> r = multiply_add(n, constant(-0.693359375F), y);
  r = multiply_add(n, constant(2.12194440e-4F), r);
  Simd<float> p = multiply_add(r, constant(1.3814540e-3F), constant(8.3687451e-3F));
  p = multiply_add(p, r, constant(4.1668391e-2F));
  p = multiply_add(p, r, constant(1.6666520e-1F));
  p = multiply_add(p, r, constant(4.9999993e-1F));
  p = multiply_add(p, r * r, r) + 1.0F;
  Int bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  Int power = (bits << 23) + (127 << 23);  // 2^n: low bits of `shifted` hold n
  Simd<float> scale;
  std::memcpy(&scale, &power, sizeof scale);
  return x < -87.0F ? Simd<float>{} : p * scale;
}

inline Simd<double> exp(Simd<double> x) {
  for (std::size_t i = 0; i < kLanes<double>; ++i) x[i] = std::exp(x[i]);
  return x;
}

}  // namespace dualagent::kernels
