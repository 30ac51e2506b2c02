#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/simd.inl"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/gemm_bfloat16.hpp"
#include "dualagent/model/gemm_transposed.hpp"
#include "dualagent/model/policy_loss.hpp"

namespace dualagent {

namespace detail {

/// The head of a language model: W [vocab, width], and W^T in panels if somebody keeps them. With
/// W^T in bfloat16 all products are of rounded factors, those of the gradients as well.
template <class T>
struct HeadWeights {
  Matrix<const T> rows;
  Panels<T> transposed = {};
  Panels<Bfloat16Pair> rounded = {};

  bool rounds() const { return rounded.data != nullptr; }
};

/// The memory of a chunk of rows on its way through the head, and the three products of the way:
/// logits, gradient of the head, gradient of the hidden states. In between, the owner turns the
/// logits into their gradient.
///
/// A team (ThreadPool or SerialExecutor) shares the work by tiles of the vocabulary, then of the
/// width. Bits: each element is one chain of multiply-adds in the order of its sum, whatever the
/// tiles and the team; that of the head's gradient is one chain per chunk, added to what was there.
/// Memory: rows * vocab + width * (rows + team * tile) elements, kept for the next chunk.
template <class T>
class HeadChunk {
 public:
  /// hidden [rows, width] W^T -> logits().
  template <class Team>
  void forward(Team& team, Matrix<const T> hidden, const HeadWeights<T>& head) {
    const std::size_t vocab = head.rows.rows;
    // An odd number of vectors from row to row, so that a column does not share one cache set.
    const std::size_t vectors = kernels::padded<T>(vocab) / kLanes | 1U;
    grow(logits_, hidden.rows * vectors * kLanes);
    view_ = {logits_.data(), hidden.rows, vocab, vectors * kLanes};
    const Matrix<const T> factor = head.rounds() ? rounded(hidden) : hidden;
    team.for_each_dynamic(tiles(vocab), [&](std::size_t, std::size_t tile) {
      const std::size_t first = tile * kTile;
      const std::size_t count = std::min(kTile, vocab - first);
      const Matrix<T> logits = view_.columns_at(first, count);
      if constexpr (std::is_same_v<T, float>)
        if (head.rounds()) return gemm(factor, head.rounded.columns_at(first, count), logits);
      if (head.transposed.data != nullptr)
        gemm(hidden, head.transposed.columns_at(first, count), logits);
      else
        gemm_transposed(hidden, head.rows.rows_at(first, count), logits);
    });
  }

  /// The chunk's logits, or what the owner wrote over them.
  const Matrix<T>& logits() const { return view_; }

  /// From gradients over the logits: adds those of W to d_head [vocab, width] unless its data are
  /// null, and overwrites d_hidden [rows, width].
  template <class Team>
  void backward(Team& team, Matrix<const T> hidden, const HeadWeights<T>& head, Matrix<T> d_head,
                Matrix<T> d_hidden) {
    grow_scratch(team, head);
    if (head.rounds()) round_logits(team);
    if (d_head.data != nullptr) backward_head(team, hidden, head, d_head);
    backward_hidden(team, head, d_hidden);
  }

 private:
  Matrix<const T> rounded(Matrix<const T> hidden) {
    if constexpr (std::is_same_v<T, float>) return rounded_to_bfloat16(hidden, hidden_);
    return hidden;
  }
  template <class Team>
  void round_logits(Team& team) {
    if constexpr (std::is_same_v<T, float>)
      team.for_each_dynamic(view_.rows, [&](std::size_t, std::size_t r) {
        round_to_bfloat16(view_.columns, view_.row(r), view_.row(r));
      });
  }
  static constexpr std::size_t kLanes = kernels::kLanes<T>;
  static constexpr std::size_t kTile = 512;  // of the vocabulary; a multiple of the lanes

  static std::size_t tiles(std::size_t vocab) { return (vocab + kTile - 1) / kTile; }

  template <class Team>
  void grow_scratch(const Team& team, const HeadWeights<T>& head) {
    scratch_size_ = std::min(kTile, head.rows.rows) * panels_width<T>(head.rows.columns);
    grow(scratch_, team.size() * scratch_size_);
  }
  T* scratch_of(std::size_t worker) { return scratch_.data() + worker * scratch_size_; }

  template <class Team>
  void backward_head(Team& team, Matrix<const T> hidden, const HeadWeights<T>& head,
                     Matrix<T> d_head) {
    if constexpr (std::is_same_v<T, float>)
      if (head.rounds()) {
        grow(pairs_, panels_size<Bfloat16Pair>(row_pairs(hidden.rows), hidden.columns));
        return add_products(team, copy_to_pairs(hidden, pairs_.data()), d_head);
      }
    grow(hidden_, panels_size<T>(hidden.rows, hidden.columns));
    add_products(team, copy_to_panels<T>(hidden, hidden_.data()), d_head);
  }
  /// d_head += the gradients over the logits, transposed, times the right operand.
  template <class Team, class B>
  void add_products(Team& team, Panels<B> right, Matrix<T> d_head) {
    team.for_each_dynamic(tiles(d_head.rows), [&](std::size_t, std::size_t tile) {
      const std::size_t first = tile * kTile;
      const std::size_t count = std::min(kTile, d_head.rows - first);
      gemm<Store::accumulate>(transposed(view_.columns_at(first, count)), right,
                              d_head.rows_at(first, count));
    });
  }

  /// A share is some rows and columns of d_hidden; it goes down the vocabulary tile by tile.
  template <class Team>
  void backward_hidden(Team& team, const HeadWeights<T>& head, Matrix<T> d_hidden) {
    const std::size_t width = d_hidden.columns;
    const std::size_t pairs = (width + 2 * kLanes - 1) / (2 * kLanes);  // of vectors
    const std::size_t wanted = team.size() == 1 ? 1 : 2 * team.size();
    const std::size_t column_shares = std::min(pairs, wanted);
    const std::size_t row_shares =
        std::min(view_.rows, (wanted + column_shares - 1) / column_shares);
    team.for_each_dynamic(column_shares * row_shares, [&](std::size_t worker, std::size_t share) {
      const std::size_t c = share % column_shares;
      const std::size_t r = share / column_shares;
      const std::size_t first = pairs * c / column_shares * 2 * kLanes;
      const std::size_t count =
          std::min(width, pairs * (c + 1) / column_shares * 2 * kLanes) - first;
      const std::size_t row = view_.rows * r / row_shares;
      const std::size_t rows = view_.rows * (r + 1) / row_shares - row;
      backward_hidden_share(view_.rows_at(row, rows), head.rows.columns_at(first, count),
                            head.rounds(), scratch_of(worker),
                            d_hidden.rows_at(row, rows).columns_at(first, count));
    });
  }

  static void backward_hidden_share(Matrix<const T> d_logits, Matrix<const T> head, bool rounds,
                                    T* scratch, Matrix<T> d_hidden) {
    static_assert(kTile % 2 == 0);  // so that pairs stay together
    for (std::size_t r = 0; r < d_hidden.rows; ++r)
      std::fill_n(d_hidden.row(r), d_hidden.columns, T{0});
    for (std::size_t v = 0; v < head.rows; v += kTile) {
      const std::size_t depth = std::min(kTile, head.rows - v);
      const Matrix<const T> left = d_logits.columns_at(v, depth), right = head.rows_at(v, depth);
      if constexpr (std::is_same_v<T, float>)
        if (rounds) {
          gemm_bfloat16<Store::extend>(left, right, d_hidden);
          continue;
        }
      gemm<Store::extend>(left, copy_to_panels<T>(right, scratch), d_hidden);
    }
  }

  Matrix<T> view_;
  AlignedVector<T> logits_;   // [rows, stride]
  AlignedVector<T> hidden_;   // [rows, width] in panels, or rounded
  AlignedVector<T> scratch_;  // [team, tile of the vocabulary, width] in panels
  std::size_t scratch_size_ = 0;
  AlignedVector<Bfloat16Pair> pairs_;  // [pairs of rows, width]
};

/// The trained rows among those of a policy_head_loss, some at a time, one after another.
template <class T>
struct GatheredRows {
  std::vector<std::size_t> index;  // [R] of the row among all
  std::vector<Token> target;
  std::vector<float> loss_weight, temperature;
  AlignedVector<T> hidden, d_hidden;  // [R, width]

  PolicyRows rows() const { return {target, loss_weight, temperature}; }
  Matrix<T> matrix(AlignedVector<T>& of, std::size_t width) const {
    return dense(of.data(), index.size(), width);
  }

  /// Takes trained rows from `next` on until there are `most`; false if none is left.
  bool gather(const PolicyRows& all, const T* all_hidden, std::size_t width, std::size_t most,
              std::size_t& next) {
    index.clear(), target.clear(), loss_weight.clear(), temperature.clear(), hidden.clear();
    for (; next < all.size() && index.size() < most; ++next) {
      if (!kernels::is_trained(all.loss_weight[next])) continue;
      index.push_back(next);
      target.push_back(all.target[next]);
      loss_weight.push_back(all.loss_weight[next]);
      temperature.push_back(all.temperature_of(next));
      hidden.insert(hidden.end(), all_hidden + next * width, all_hidden + (next + 1) * width);
    }
    d_hidden.resize(hidden.size());
    return !index.empty();
  }
  void scatter(T* all_d_hidden, std::size_t width) const {
    for (std::size_t s = 0; s < index.size(); ++s)
      std::copy_n(d_hidden.data() + s * width, width, all_d_hidden + index[s] * width);
  }
};

}  // namespace detail

/// Hidden states, the head, and where their gradients go. T rows, V tokens, D width; row-major.
template <class T>
struct PolicyHead {
  std::size_t width = 0;       // D
  std::span<const T> hidden;   // [T, D] that the head is multiplied with
  std::span<const T> weights;  // [V, D]
  std::span<T> d_hidden;       // [T, D] overwritten
  std::span<T> d_weights;      // [V, D] added to
};

/// How policy_head_loss uses memory.
struct PolicyHeadOptions {
  /// Trained rows whose logits exist at a time. More make better use of the head's every reading
  /// from memory; their logits take chunk_rows * V elements.
  std::size_t chunk_rows = 384;
};

namespace detail {

template <class T>
void check(const PolicyHead<T>& head, const PolicyHeadOptions& options, std::size_t rows,
           const std::string& where) {
  const auto check_size = [&](const char* name, std::size_t size, std::size_t expected) {
    if (size != expected)
      throw Error(std::string(name) + " has " + std::to_string(size) + " elements, expected " +
                      std::to_string(expected),
                  where);
  };
  if (head.width == 0) throw Error("the width of the hidden states is 0", where);
  if (options.chunk_rows == 0) throw Error("chunk_rows must be at least 1", where);
  if (head.weights.size() % head.width != 0)
    throw Error("weights of " + std::to_string(head.weights.size()) +
                    " elements are not rows of width " + std::to_string(head.width),
                where);
  check_size("hidden", head.hidden.size(), rows * head.width);
  check_size("d_hidden", head.d_hidden.size(), rows * head.width);
  check_size("d_weights", head.d_weights.size(), head.weights.size());
}

}  // namespace detail

/// A policy loss from hidden states through the head, forward and backward; the logits [T, V] never
/// exist whole.
///
/// Row t has logits W h_t; its loss, masking and errors are those of policy_loss_on_logits. Writes
/// d_hidden (0 at masked rows), adds to d_weights, and fills `outputs` of the trained rows. Masked
/// rows cost nothing.
/// Memory beyond the arguments, in elements: chunk_rows * (V + 3 D) + threads * 512 * D; 54 MiB for
/// T = 4096, V = 32768, D = 576 in float with 2 threads.
/// Determinism: bits depend on `chunk_rows` (d_weights only), never on the number of threads.
/// Errors: as policy_loss_on_logits, and if sizes do not fit; after an error in the middle
/// d_hidden and d_weights are incomplete.
/// Example: policy_head_loss(pool, PolicyHead<float>{d, hidden, w, d_hidden, d_w}, rows, loss, out)
template <class T, class Loss>
void policy_head_loss(ThreadPool& pool, const PolicyHead<T>& head, const PolicyRows& rows,
                      Loss&& loss, TokenOutputs& outputs, const PolicyHeadOptions& options = {}) {
  const std::string where = "policy_head_loss";
  detail::check(head, options, rows.size(), where);
  const std::size_t vocab = head.weights.size() / head.width;
  const detail::HeadWeights<T> weights{dense(head.weights.data(), vocab, head.width)};
  detail::check(rows, rows.size(), vocab, where);
  detail::check(outputs, rows.size(), where);
  std::fill(head.d_hidden.begin(), head.d_hidden.end(), T{0});
  detail::HeadChunk<T> chunk;
  detail::GatheredRows<T> part;
  for (std::size_t next = 0;
       part.gather(rows, head.hidden.data(), head.width, options.chunk_rows, next);) {
    const Matrix<T> hidden = part.matrix(part.hidden, head.width);
    chunk.forward(pool, hidden, weights);
    detail::differentiate_logits(pool, chunk.logits(), part.rows(), {part.index},
                                 detail::record_outputs(loss, outputs, {part.index}));
    chunk.backward(pool, hidden, weights, dense(head.d_weights.data(), vocab, head.width),
                   part.matrix(part.d_hidden, head.width));
    part.scatter(head.d_hidden.data(), head.width);
  }
}

}  // namespace dualagent
