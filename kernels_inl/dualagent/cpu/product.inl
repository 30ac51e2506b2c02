#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dualagent/cpu/machine.inl"
#include "dualagent/kernels/bfloat16.inl"
#include "dualagent/kernels/matrix.inl"
#include "dualagent/kernels/simd.inl"

/// The tiles that products are made of, for any machine. Each element of a product is one chain of
/// multiply-adds in a fixed order, whatever the tiles and the width of vectors. One file of more
/// than 400 lines, since tiles, what they are cut from and products of heads share loads and
/// chains.
namespace dualagent::cpu {

/// The left operand of a product: a matrix, or the transpose of one where it lies; element (i, j)
/// is data[i * row + j * column].
template <class T>
struct LeftOperand {
  const T* data;
  std::size_t rows, columns;
  std::size_t row, column;  // elements to the next of them

  LeftOperand(const T* from, std::size_t r, std::size_t c, std::size_t next_row,
              std::size_t next_column)
      : data(from), rows(r), columns(c), row(next_row), column(next_column) {}
  LeftOperand(kernels::Matrix<const T> m) : LeftOperand(m.data, m.rows, m.columns, m.stride, 1) {}
  LeftOperand(kernels::Matrix<T> m) : LeftOperand(kernels::Matrix<const T>(m)) {}

  LeftOperand from_row(std::size_t i) const {
    return {data + i * row, rows - i, columns, row, column};
  }
};

/// What a product does with what C holds. An argument of the tiles: as a parameter of their
/// templates it would have each of them compiled three times.
enum class Store {
  overwrite,
  accumulate,  ///< C + (A B)
  extend,  ///< each sum starts from C's value, so a product in parts of its depth keeps its bits
};

/// A right operand, a matrix or panels: element (k, j) is data[k * row + j / lanes * panel + j %
/// lanes], lanes those of a panel.
template <class B>
struct RightOperand {
  const B* data;
  std::size_t row;
  std::size_t panel;

  const B* at(std::size_t column) const {
    constexpr std::size_t kWidth = kernels::kPanelLanes<B>;
    return data + column / kWidth * panel + column % kWidth;
  }
  RightOperand from_column(std::size_t column) const { return {at(column), row, panel}; }
};

namespace detail {

template <class V, class T>
[[gnu::always_inline]] inline void load_to(V& to, const T* from) {
  std::memcpy(&to, from, sizeof to);
}
template <class V, class T>
[[gnu::always_inline]] inline void store_from(T* to, const V& from) {
  std::memcpy(to, &from, sizeof from);
}

/// Pointers to every third of kRows rows of a column: the others are one and two strides further,
/// which an address of the processor adds for nothing. With an offset for each row, registers run
/// out in the innermost loop.
template <class T, int kRows>
struct RowsOfColumn {
  static constexpr int kGroups = (kRows + 2) / 3;
  const T* at[kGroups];
  std::size_t next_row;

  [[gnu::always_inline]] RowsOfColumn(const T* a, std::size_t next) : next_row(next) {
#pragma GCC unroll 16
    for (int g = 0; g < kGroups; ++g) at[g] = a + static_cast<std::size_t>(3 * g) * next;
  }
  [[gnu::always_inline]] void advance(std::size_t elements) {
#pragma GCC unroll 16
    for (int g = 0; g < kGroups; ++g) {
      at[g] += elements;
      asm("" : "+r"(at[g]));  // not one pointer and offsets
    }
  }
  [[gnu::always_inline]] T operator[](int i) const {
    return at[i / 3][static_cast<std::size_t>(i % 3) * next_row];
  }
};

/// sum += a column of A times right, for all rows and vectors.
template <class M, class T, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_column(
    const RowsOfColumn<T, kRows>& a, const typename M::template Vec<T> (&right)[kVectors],
    typename M::template Vec<T> (&sum)[kRows][kVectors]) {
  using Vec = typename M::template Vec<T>;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const Vec left = a[i] - Vec{};
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) M::multiply_add(left, right[j], sum[i][j]);
  }
}

/// sum += A B over the whole depth; B has vectors at `from`, `next` elements from row to row.
template <class M, class T, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_depth(
    const LeftOperand<T>& a, const T* const (&from)[kVectors], std::size_t next,
    typename M::template Vec<T> (&sum)[kRows][kVectors]) {
  RowsOfColumn<T, kRows> rows(a.data, a.row);
  for (std::size_t k = 0; k < a.columns; ++k) {
    typename M::template Vec<T> right[kVectors];
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) load_to(right[j], from[j] + k * next);
    multiply_column<M, T, kRows, kVectors>(rows, right, sum);
    rows.advance(a.column);
  }
}

/// The same with a row of B for every two columns of A, in the order of the instruction VDPBF16PS:
/// the second one of a pair, then the first one. Of an odd depth the last column has no partner.
template <class M, class T, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_depth(
    const LeftOperand<T>& a, const kernels::Bfloat16Pair* const (&from)[kVectors], std::size_t next,
    typename M::template Vec<T> (&sum)[kRows][kVectors]) {
  using Bits = typename M::template Vec<std::uint32_t>;
  typename M::template Vec<T> right[kVectors];
  Bits pairs[kVectors];
  const auto widen = [&](int j, const Bits& bits) __attribute__((always_inline)) {
    load_to(right[j], &bits);
  };
  for (std::size_t k = 0; k < a.columns; k += 2) {
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) load_to(pairs[j], from[j] + k / 2 * next);
    if (k + 1 < a.columns) {
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) widen(j, pairs[j] & 0xFFFF0000U);
      multiply_column<M, T, kRows, kVectors>({a.data + (k + 1) * a.column, a.row}, right, sum);
    }
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) widen(j, pairs[j] << 16U);
    multiply_column<M, T, kRows, kVectors>({a.data + k * a.column, a.row}, right, sum);
  }
}

/// kRows rows and kVectors vectors of C from column `first` of B on.
template <class M, class T, class B, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_tile(Store mode, const LeftOperand<T>& a,
                                                 const RightOperand<B>& b, std::size_t first, T* c,
                                                 std::size_t ldc) {
  using Vec = typename M::template Vec<T>;
  constexpr std::size_t kLanes = M::kBytes / sizeof(T);
  const auto at = [&](int i, int j) __attribute__((always_inline)) {
    return c + static_cast<std::size_t>(i) * ldc + static_cast<std::size_t>(j) * kLanes;
  };
  const B* from[kVectors];
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) from[j] = b.at(first + static_cast<std::size_t>(j) * kLanes);
  Vec sum[kRows][kVectors] = {};
  if (mode == Store::extend) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) load_to(sum[i][j], at(i, j));
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) __builtin_prefetch(at(i, 0), 1);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) __builtin_prefetch(at(i, kVectors - 1), 1);
  }
  multiply_depth<M, T, kRows, kVectors>(a, from, b.row, sum);
  if (mode == Store::accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) {
        Vec value;
        load_to(value, at(i, j));
        value = value + sum[i][j];
        store_from(at(i, j), value);
      }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) store_from(at(i, j), sum[i][j]);
}

/// A kernel: kRows rows by `columns` columns of a product. With `padded` the last panel of B may be
/// read to its end.
template <class T, class B, int kRows>
struct ProductRows {
  Store mode;
  std::size_t columns;
  LeftOperand<T> left;
  RightOperand<B> right;
  bool padded;
  T* c;
  std::size_t ldc;

  template <class M>
  [[gnu::always_inline]] inline void on() const {
    constexpr std::size_t kLanes = M::kBytes / sizeof(T);
    const LeftOperand<T> a = left;
    const RightOperand<B> b = right;
    T* const to = c;
    const std::size_t next = ldc, count = columns;
    const Store kind = mode;
    std::size_t j = 0;
    if constexpr (kRows <= 2)  // few rows need more columns to keep the adders busy
      for (; j + 4 * kLanes <= count; j += 4 * kLanes)
        multiply_tile<M, T, B, kRows, 4>(kind, a, b, j, to + j, next);
    for (; j + 2 * kLanes <= count; j += 2 * kLanes)
      multiply_tile<M, T, B, kRows, 2>(kind, a, b, j, to + j, next);
    for (; j + kLanes <= count; j += kLanes)
      multiply_tile<M, T, B, kRows, 1>(kind, a, b, j, to + j, next);
    if (j < count) last_columns<M>(a, b, j, to, next, count);
  }

 private:
  /// Fewer columns than a vector has, from column j on.
  template <class M>
  [[gnu::always_inline]] inline void last_columns(const LeftOperand<T>& a, const RightOperand<B>& b,
                                                  std::size_t j, T* to, std::size_t next,
                                                  std::size_t count) const {
    constexpr std::size_t kLanes = M::kBytes / sizeof(T);
    T last[kRows * kLanes] = {};
    if (mode == Store::extend)
      for (std::size_t i = 0; i < kRows; ++i)
        std::memcpy(last + i * kLanes, to + i * next + j, (count - j) * sizeof(T));
    const Store start = mode == Store::extend ? Store::extend : Store::overwrite;
    if (padded) {
      multiply_tile<M, T, B, kRows, 1>(start, a, b, j, last, kLanes);
    } else if constexpr (std::is_same_v<T, B>) {
      for (std::size_t i = 0; i < kRows; ++i)
        for (std::size_t l = j; l < count; ++l) {
          T sum = last[i * kLanes + l - j];
          const B* const from = b.at(l);
          for (std::size_t k = 0; k < a.columns; ++k)
            sum = M::multiply_add_scalar(a.data[i * a.row + k * a.column], from[k * b.row], sum);
          last[i * kLanes + l - j] = sum;
        }
    }
    for (std::size_t i = 0; i < kRows; ++i)
      for (std::size_t l = j; l < count; ++l) {
        T& value = to[i * next + l];
        const T sum = last[i * kLanes + l - j];
        value = mode == Store::accumulate ? value + sum : sum;
      }
  }
};

/// Columns, a multiple of 4 panels, of a right operand of this depth that stay in the second-level
/// cache.
template <class B>
constexpr std::size_t columns_in_cache(std::size_t depth) {
  constexpr std::size_t kCacheBytes = 1U << 19U;
  constexpr std::size_t kFour = 4 * kernels::kPanelLanes<B>;
  return std::max<std::size_t>(
      kFour, kCacheBytes / (sizeof(B) * std::max<std::size_t>(depth, 1)) / kFour * kFour);
}

/// Rows of a tile of a product on a machine.
template <class M>
inline constexpr int kTileRows = M::kBytes == 64   ? 12
                                 : M::kBytes == 32 ? 6
                                                   : 4;

/// Tiles of a transposed left operand that are copied together, so that whole cache lines are read.
inline constexpr std::size_t kStripTiles = 4;

/// Elements of a strip: kStripTiles tiles of the rows of a left operand.
template <class M, class T>
std::size_t strip_size(const LeftOperand<T>& a) {
  return kStripTiles * kTileRows<M> * a.columns;
}

/// Copies `tiles` tiles of a transpose, one behind the other, each [columns, rows of a tile].
template <int kRows, class T>
void copy_strip(const LeftOperand<T>& a, std::size_t tiles, T* to) {
  for (std::size_t k = 0; k < a.columns; ++k)
    for (std::size_t t = 0; t < tiles; ++t)
      std::memcpy(to + (t * a.columns + k) * kRows, a.data + k * a.column + t * kRows,
                  kRows * sizeof(T));
}

/// A whole product on a machine: columns of B that stay in the cache, then tiles of rows. Tiles of
/// a transposed left operand are copied to `strip` [strip_size] first, unless it is null.
template <class M, class T, class B>
void multiply_on(Store mode, const LeftOperand<T>& a, const RightOperand<B>& b, std::size_t depth,
                 bool padded, kernels::Matrix<T> c, T* strip = nullptr) {
  constexpr int kRows = kTileRows<M>;
  const std::size_t block = columns_in_cache<B>(depth);
  for (std::size_t j = 0; j < c.columns; j += block) {
    const std::size_t width = std::min(block, c.columns - j);
    std::size_t i = 0;
    const auto take = [&]<int rows>(std::integral_constant<int, rows>, const LeftOperand<T>& left) {
      M::run(ProductRows<T, B, rows>{mode, width, left, b.from_column(j), padded, c.row(i) + j,
                                     c.stride});
      i += rows;
    };
    while (strip != nullptr && i + kRows <= c.rows) {
      const std::size_t tiles = std::min(kStripTiles, (c.rows - i) / kRows);
      copy_strip<kRows>(a.from_row(i), tiles, strip);
      for (std::size_t t = 0; t < tiles; ++t)
        take(std::integral_constant<int, kRows>{},
             {strip + t * kRows * a.columns, kRows, a.columns, 1, kRows});
    }
    while (i + kRows <= c.rows) take(std::integral_constant<int, kRows>{}, a.from_row(i));
    if constexpr (kRows > 6)  // fewer kinds of tiles of lesser machines: they take compile time
      while (i + 4 <= c.rows) take(std::integral_constant<int, 4>{}, a.from_row(i));
    if constexpr (kRows > 4)
      while (i + 2 <= c.rows) take(std::integral_constant<int, 2>{}, a.from_row(i));
    while (i < c.rows) take(std::integral_constant<int, 1>{}, a.from_row(i));
  }
}

/// A kernel: kHeads products of one row each, every one with a right operand of its own, `next_b`
/// elements after the one before it.
template <class T, int kHeads>
struct HeadProducts {
  Store mode;
  kernels::Matrix<const T> left;
  RightOperand<T> right;
  std::size_t next_b;
  kernels::Matrix<T> to;

  template <class M>
  [[gnu::always_inline]] inline void on() const {
    constexpr std::size_t kLanes = M::kBytes / sizeof(T);
    const kernels::Matrix<const T> a = left;
    const RightOperand<T> b = right;
    const kernels::Matrix<T> c = to;
    const std::size_t next = next_b;
    const Store kind = mode;
    std::size_t j = 0;
    for (; j + 2 * kLanes <= c.columns; j += 2 * kLanes) tile<M, 2>(kind, a, b, next, j, c);
    if (j + kLanes <= c.columns) tile<M, 1>(kind, a, b, next, j, c), j += kLanes;
    for (std::size_t i = 0; i < kHeads; ++i)
      for (std::size_t l = j; l < c.columns; ++l) {
        T sum = kind == Store::extend ? c.row(i)[l] : T{0};
        const T* const from = b.at(l) + i * next;
        for (std::size_t k = 0; k < a.columns; ++k)
          sum = M::multiply_add_scalar(a.row(i)[k], from[k * b.row], sum);
        c.row(i)[l] = sum;
      }
  }

 private:
  template <class M, int kVectors>
  [[gnu::always_inline]] static void tile(Store mode, const kernels::Matrix<const T>& a,
                                          const RightOperand<T>& b, std::size_t next, std::size_t j,
                                          const kernels::Matrix<T>& c) {
    using Vec = typename M::template Vec<T>;
    constexpr std::size_t kLanes = M::kBytes / sizeof(T);
    const T* from[kVectors];
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kVectors; ++v) from[v] = b.at(j + v * kLanes);
    Vec sum[kHeads][kVectors] = {};
    if (mode == Store::extend)
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kHeads; ++i)
#pragma GCC unroll 16
        for (std::size_t v = 0; v < kVectors; ++v) load_to(sum[i][v], c.row(i) + j + v * kLanes);
    for (std::size_t k = 0; k < a.columns; ++k)
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kHeads; ++i) {
        const Vec of_row = a.row(i)[k] - Vec{};
#pragma GCC unroll 16
        for (std::size_t v = 0; v < kVectors; ++v) {
          Vec of_b;
          load_to(of_b, from[v] + i * next + k * b.row);
          M::multiply_add(of_row, of_b, sum[i][v]);
        }
      }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kHeads; ++i)
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kVectors; ++v) store_from(c.row(i) + j + v * kLanes, sum[i][v]);
  }
};

/// A product for each row of `a` on a machine.
template <class M, class T>
void multiply_heads_on(Store mode, kernels::Matrix<const T> a, RightOperand<T> b,
                       std::size_t next_b, kernels::Matrix<T> c) {
  std::size_t i = 0;
  const auto take = [&]<int heads>(std::integral_constant<int, heads>) {
    for (; i + heads <= c.rows; i += heads)
      M::run(HeadProducts<T, heads>{mode,
                                    a.rows_at(i, heads),
                                    {b.data + i * next_b, b.row, b.panel},
                                    next_b,
                                    c.rows_at(i, heads)});
  };
  take(std::integral_constant<int, 4>{});
  take(std::integral_constant<int, 2>{});
  take(std::integral_constant<int, 1>{});
}

}  // namespace detail

}  // namespace dualagent::cpu
