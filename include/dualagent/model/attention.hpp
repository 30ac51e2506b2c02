#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>

#include "dualagent/collective/collective.hpp"
#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/transformer_config.hpp"
#include "dualagent/model/transformer_ops.hpp"

/// Causal attention with grouped queries. Probabilities exist for a few rows at a time only: the
/// backward pass computes them again.
namespace dualagent::detail {

/// Where heads lie in rows of queries, keys and values [.., heads + 2 kv_heads, dim].
struct HeadLayout {
  std::size_t heads, kv_heads, dim;

  explicit HeadLayout(const TransformerConfig& config)
      : heads(config.num_attention_heads),
        kv_heads(config.num_key_value_heads),
        dim(config.head_dim) {}

  std::size_t queries_per_kv() const { return heads / kv_heads; }  // query heads of one kv head

  /// The layout of rows of keys and values alone, and those columns of rows with queries.
  HeadLayout without_queries() const {
    HeadLayout held = *this;
    held.heads = 0;
    return held;
  }
  template <class U>
  Matrix<U> keys_and_values(Matrix<U> rows) const {
    return rows.columns_at(heads * dim, 2 * kv_heads * dim);
  }

  /// The columns of one head; `queries` also takes rows [.., heads, dim].
  template <class U>
  Matrix<U> queries(Matrix<U> rows, std::size_t head) const {
    return rows.columns_at(head * dim, dim);
  }
  template <class U>
  Matrix<U> keys(Matrix<U> rows, std::size_t kv_head) const {
    return rows.columns_at((heads + kv_head) * dim, dim);
  }
  template <class U>
  Matrix<U> values(Matrix<U> rows, std::size_t kv_head) const {
    return rows.columns_at((heads + kv_heads + kv_head) * dim, dim);
  }
};

/// Rows of scores that are computed together; probabilities beyond a row's own position are exactly
/// 0, so the block changes no bits.
inline constexpr std::size_t kQueryBlock = 12;

/// Scratch memory; linear in the longest sequence.
template <class T>
struct AttentionScratch {
  AlignedVector<T> p, d_p;            // [rows, positions] probabilities, gradients of the scores
  AlignedVector<T> keys, values;      // [dim, positions] in panels
  AlignedVector<T> d_keys, d_values;  // [positions, dim] of one query head

  static Matrix<T> rows(AlignedVector<T>& buffer, std::size_t rows, std::size_t columns) {
    grow(buffer, rows * columns);
    return dense(buffer.data(), rows, columns);
  }
  static Panels<T> transpose(Matrix<const T> from, AlignedVector<T>& to) {
    grow(to, panels_size<T>(from.columns, from.rows));
    return transpose_to_panels<T>(from, to.data());
  }
};

/// Keys [dim, positions] and values [positions, dim] of one head in one part. A cache has a part
/// for each of its blocks, all of them positions() long, a multiple of the lanes.
template <class T>
struct OnePart {
  Panels<T> panels;
  Matrix<const T> rows;

  std::size_t positions() const { return kernels::padded<T>(rows.rows); }
  Panels<T> keys(std::size_t) const { return panels; }
  Matrix<const T> values(std::size_t) const { return rows; }
};

/// Calls visit(part, first, count) for the parts that hold the first `positions` positions.
template <class Parts, class Visitor>
void for_each_part(const Parts& parts, std::size_t positions, Visitor&& visit) {
  for (std::size_t first = 0; first < positions; first += parts.positions())
    visit(first / parts.positions(), first, std::min(parts.positions(), positions - first));
}

/// out = p values, over the positions of p's columns. Each sum is one chain of multiply-adds over
/// the positions in their order, whatever the parts.
template <class T, class Parts>
void mix_values(Matrix<const T> p, const Parts& parts, Matrix<T> out) {
  for_each_part(parts, p.columns, [&](std::size_t part, std::size_t first, std::size_t count) {
    const Matrix<const T> values = parts.values(part).rows_at(0, count);
    if (first == 0)
      gemm(p.columns_at(first, count), values, out);
    else
      gemm<Store::extend>(p.columns_at(first, count), values, out);
  });
}

/// Probabilities of up to kQueryBlock consecutive queries [rows, dim], the first at position
/// `first`, over the positions that the last of them sees: p [rows, padded(first + rows)].
template <class T, class Parts>
void attention_probabilities(std::size_t first, Matrix<const T> queries, const Parts& parts,
                             Matrix<T> p) {
  for_each_part(parts, p.columns, [&](std::size_t part, std::size_t at, std::size_t count) {
    gemm(queries, parts.keys(part), p.columns_at(at, count));
  });
  const T scale = T{1} / std::sqrt(static_cast<T>(queries.columns));
  for (std::size_t i = 0; i < p.rows; ++i) softmax_row(first + i + 1, p.columns, scale, p.row(i));
}

/// Attention of consecutive queries [rows, dim] of one head, the first at position `first`, over
/// the head's keys and values up to their own positions -> out [rows, dim].
template <class T, class Parts>
void attend_head(std::size_t first, Matrix<const T> queries, const Parts& parts,
                 AlignedVector<T>& scratch, Matrix<T> out) {
  for (std::size_t begin = 0; begin < queries.rows; begin += kQueryBlock) {
    const std::size_t count = std::min(kQueryBlock, queries.rows - begin);
    const std::size_t seen = first + begin + count;  // positions that the last of the block sees
    const Matrix<T> p = AttentionScratch<T>::rows(scratch, count, kernels::padded<T>(seen));
    attention_probabilities(first + begin, queries.rows_at(begin, count), parts, p);
    mix_values<T>(p.columns_at(0, seen), parts, out.rows_at(begin, count));
  }
}

/// Attention of all heads of one query that sees the first `seen` positions: what `attend_head`
/// computes for its last row, with the same bits, several heads at a time.
///
/// parts are those of head 0; the other heads' lie next_key_head() and next_value_head() elements
/// behind one another.
template <class T, class Parts>
void attend_position(const HeadLayout& layout, std::size_t seen, const T* queries,
                     const Parts& parts, AlignedVector<T>& scratch, T* out) {
  const T scale = T{1} / std::sqrt(static_cast<T>(layout.dim));
  const Matrix<T> p = AttentionScratch<T>::rows(scratch, layout.kv_heads, kernels::padded<T>(seen));
  for (std::size_t member = 0; member < layout.queries_per_kv();
       ++member) {  // of those that share keys
    const auto of_member = [&](auto* rows) {
      return Matrix<std::remove_pointer_t<decltype(rows)>>{rows + member * layout.dim,
                                                           layout.kv_heads, layout.dim,
                                                           layout.queries_per_kv() * layout.dim};
    };
    for_each_part(parts, p.columns, [&](std::size_t part, std::size_t first, std::size_t count) {
      gemv(of_member(queries), parts.keys(part), parts.next_key_head(), p.columns_at(first, count));
    });
    for (std::size_t i = 0; i < p.rows; ++i) softmax_row(seen, p.columns, scale, p.row(i));
    for_each_part(parts, seen, [&](std::size_t part, std::size_t first, std::size_t count) {
      const Matrix<const T> values = parts.values(part).rows_at(0, count);
      if (first == 0)
        gemv(p.columns_at(first, count), values, parts.next_value_head(), of_member(out));
      else
        gemv<Store::extend>(p.columns_at(first, count), values, parts.next_value_head(),
                            of_member(out));
    });
  }
}

/// The rows of a sequence that are at hand, and the keys and values of all its positions. The rows
/// are pieces of the sequence: positions that follow one another, and rise from piece to piece.
template <class T>
struct SequenceRows {
  std::span<const Shard> pieces;
  Matrix<const T> qkv;              // [rows, q + k + v] rotated; queries are read
  Matrix<const T> keys_and_values;  // [positions, k + v] rotated

  /// Calls visit(piece, row), `row` being that of the piece's first position.
  template <class Visitor>
  void for_each_piece(Visitor&& visit) const {
    std::size_t row = 0;
    for (const Shard& piece : pieces) {
      if (piece.size() > 0) visit(piece, row);
      row += piece.size();
    }
  }
};

/// Attention of rows of a sequence -> out [rows, heads, dim]. The bits of a row do not depend on
/// which other rows are at hand.
template <class T>
void attend_rows(const HeadLayout& layout, const SequenceRows<T>& sequence,
                 AttentionScratch<T>& scratch, Matrix<T> out) {
  const HeadLayout held = layout.without_queries();
  const std::size_t positions = sequence.keys_and_values.rows;
  for (std::size_t head = 0; head < layout.heads; ++head) {
    const std::size_t kv_head = head / layout.queries_per_kv();
    if (head % layout.queries_per_kv() == 0)
      scratch.transpose(held.keys(sequence.keys_and_values, kv_head), scratch.keys);
    const Panels<T> keys = dense_panels<T>(scratch.keys.data(), layout.dim, positions);
    const OnePart<T> part{keys, held.values(sequence.keys_and_values, kv_head)};
    sequence.for_each_piece([&](const Shard& piece, std::size_t row) {
      const auto rows = [&](auto all) {
        return layout.queries(all, head).rows_at(row, piece.size());
      };
      attend_head<T>(piece.begin, rows(sequence.qkv), part, scratch.p, rows(out));
    });
  }
}

/// Attention of a whole sequence: rows of rotated q, k, v -> out [positions, heads, dim].
template <class T>
void attend_sequence(const HeadLayout& layout, Matrix<const T> qkv, AttentionScratch<T>& scratch,
                     Matrix<T> out) {
  const Shard all{0, qkv.rows};
  attend_rows<T>(layout, {std::span(&all, 1), qkv, layout.keys_and_values(qkv)}, scratch, out);
}

/// d <- gradient of scores from the gradient d of probabilities p = softmax(scale * scores); both
/// [width], a multiple of the lanes.
template <class T>
void softmax_backward(std::size_t width, T scale, const T* p, T* d) {
  Vec<T> dot{};
  for (std::size_t i = 0; i < width; i += kernels::kLanes<T>)
    dot += kernels::load<T>(p + i) * kernels::load<T>(d + i);
  const T sum = kernels::sum_lanes<T>(dot);
  for (std::size_t i = 0; i < width; i += kernels::kLanes<T>)
    kernels::store<T>(d + i, kernels::load<T>(p + i) * (kernels::load<T>(d + i) - sum) * scale);
}

/// What the backward pass of one head reads and adds to, of one piece of a sequence; d_keys and
/// d_values are those of this head alone.
template <class T>
struct HeadGradients {
  std::size_t first;  // position of the piece's first query
  Matrix<const T> queries, d_out;
  OnePart<T> keys_and_values;
  Matrix<const T> keys;  // as rows
  Panels<T> values;      // as panels of their transpose
  Matrix<T> d_queries, d_keys, d_values;
};

/// Through p = softmax(scale * q k^T), out = p v, for `count` queries of the piece from `begin` on.
///
/// Every element of d_keys and d_values is one chain of multiply-adds over the queries in their
/// order, whatever the blocks.
template <class T>
void attend_backward_rows(const HeadGradients<T>& head, std::size_t begin, std::size_t count,
                          Matrix<T> all_p, Matrix<T> all_d) {
  const std::size_t end = begin + count;
  const T scale = T{1} / std::sqrt(static_cast<T>(head.queries.columns));
  for (std::size_t at = begin; at < end; at += kQueryBlock) {
    const std::size_t rows = std::min(kQueryBlock, end - at);
    const std::size_t seen = head.first + at + rows;
    const auto block = [&](Matrix<T> all) {
      return all.rows_at(at - begin, rows).columns_at(0, kernels::padded<T>(seen));
    };
    const Matrix<T> p = block(all_p), d = block(all_d);
    attention_probabilities(head.first + at, head.queries.rows_at(at, rows), head.keys_and_values,
                            p);
    gemm(head.d_out.rows_at(at, rows), head.values, d);
    for (std::size_t i = 0; i < rows; ++i) softmax_backward(d.columns, scale, p.row(i), d.row(i));
    gemm<Store::accumulate>(d.columns_at(0, seen), head.keys.rows_at(0, seen),
                            head.d_queries.rows_at(at, rows));
  }
  const auto extend = [&](std::size_t key, std::size_t keys, std::size_t query) {
    const auto from = [&](Matrix<T> all) {
      return transposed(all.rows_at(query - begin, end - query).columns_at(key, keys));
    };
    gemm<Store::extend>(from(all_p), head.d_out.rows_at(query, end - query),
                        head.d_values.rows_at(key, keys));
    gemm<Store::extend>(from(all_d), head.queries.rows_at(query, end - query),
                        head.d_keys.rows_at(key, keys));
  };
  if (head.first + begin > 0) extend(0, head.first + begin, begin);
  for (std::size_t at = begin; at < end; at += kQueryBlock)  // keys that not all queries see
    extend(head.first + at, std::min(kQueryBlock, end - at), at);
}

/// Adds the gradients of rows of a sequence, from d_out [rows, heads, dim]: of rotated queries to
/// d_qkv [rows, q + k + v], and what these rows give to those of all keys and values to
/// d_keys_and_values [positions, k + v].
template <class T>
void attend_rows_backward(const HeadLayout& layout, const SequenceRows<T>& sequence,
                          Matrix<const T> d_out, AttentionScratch<T>& scratch, Matrix<T> d_qkv,
                          Matrix<T> d_keys_and_values) {
  constexpr std::size_t kRows = 4 * kQueryBlock;  // whose probabilities exist at a time
  const HeadLayout held = layout.without_queries();
  const std::size_t positions = sequence.keys_and_values.rows;
  const std::size_t width = kernels::padded<T>(positions);
  const Matrix<T> p = scratch.rows(scratch.p, kRows, width);
  const Matrix<T> d_p = scratch.rows(scratch.d_p, kRows, width);
  const Matrix<T> d_keys = scratch.rows(scratch.d_keys, positions, layout.dim);
  const Matrix<T> d_values = scratch.rows(scratch.d_values, positions, layout.dim);
  const auto add = [](Matrix<const T> from, Matrix<T> to) {
    for (std::size_t i = 0; i < to.rows; ++i)
      for (std::size_t c = 0; c < to.columns; ++c) to.row(i)[c] += from.row(i)[c];
  };
  for (std::size_t kv_head = 0; kv_head < layout.kv_heads; ++kv_head) {
    const Matrix<const T> all_keys = held.keys(sequence.keys_and_values, kv_head);
    const Matrix<const T> all_values = held.values(sequence.keys_and_values, kv_head);
    const OnePart<T> part{scratch.transpose(all_keys, scratch.keys), all_values};
    const Panels<T> values = scratch.transpose(all_values, scratch.values);
    for (std::size_t member = 0; member < layout.queries_per_kv(); ++member) {
      const std::size_t head = kv_head * layout.queries_per_kv() + member;
      std::fill_n(d_keys.data, positions * layout.dim, T{0});
      std::fill_n(d_values.data, positions * layout.dim, T{0});
      sequence.for_each_piece([&](const Shard& piece, std::size_t row) {
        const auto rows = [&](auto all) {
          return layout.queries(all, head).rows_at(row, piece.size());
        };
        const HeadGradients<T> gradients{
            piece.begin, rows(sequence.qkv), rows(d_out), part,    all_keys,
            values,      rows(d_qkv),        d_keys,      d_values};
        for (std::size_t begin = 0; begin < piece.size(); begin += kRows)
          attend_backward_rows(gradients, begin, std::min(kRows, piece.size() - begin), p, d_p);
      });
      add(d_keys, held.keys(d_keys_and_values, kv_head));
      add(d_values, held.values(d_keys_and_values, kv_head));
    }
  }
}

/// Adds to d_qkv the gradients of rotated q, k, v of a whole sequence, from d_out [positions,
/// heads, dim].
template <class T>
void attend_sequence_backward(const HeadLayout& layout, Matrix<const T> qkv, Matrix<const T> d_out,
                              AttentionScratch<T>& scratch, Matrix<T> d_qkv) {
  const Shard all{0, qkv.rows};
  attend_rows_backward<T>(layout, {std::span(&all, 1), qkv, layout.keys_and_values(qkv)}, d_out,
                          scratch, d_qkv, layout.keys_and_values(d_qkv));
}

}  // namespace dualagent::detail
