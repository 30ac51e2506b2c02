#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/model/adapter.hpp"
#include "dualagent/model/attention.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/decode_plan.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/request_check.hpp"
#include "dualagent/model/sequence_cache.hpp"
#include "dualagent/model/split_draws.hpp"
#include "dualagent/model/token_sampling.hpp"
#include "dualagent/model/transformer_layers.hpp"

namespace dualagent::detail {

/// Batched decoding: all running generations advance together. Each worker of the pool takes a
/// contiguous share of them through the whole model, or all workers share the work on all of them
/// (plan_decode).
///
/// Models that share weights share one batch: every request is of the base (null) or of an adapter,
/// which is kept by reference until `reset`. Each of these has sequences of its own, and gets what
/// is finished of them; whoever advances, all requests go on.
///
/// With the ModelAxis of a split model all ranks make the same calls in the same order, and all
/// workers share each product; rank 0 draws, and decides where a generation ends.
template <class T, class Axis = WholeModel>
class Decoder {
 public:
  Decoder(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary, Axis axis = Axis())
      : weights_(&weights),
        rotary_(&rotary),
        axis_(std::move(axis)),
        heads_(weights.config()),
        cache_(weights.config()) {}

  void submit(const GenerationRequest& request, const Adapter<T>* adapter = nullptr);

  /// `version` is that of the weights as they are now. Returns how many requests of the adapter go
  /// on. After an exception requests of others go on as if it had not been.
  template <class OnFinished>
  std::size_t advance(ThreadPool& pool, WeightVersion version, OnFinished&& on_finished,
                      const Adapter<T>* adapter = nullptr) {
    std::size_t going_on = 0;
    std::vector<Running> finished = step_once(pool, version, adapter, going_on);
    for (Running& done : finished)
      on_finished(
          Generation{done.request.sequence,
                     BackendAccess::sampled(done.request.agent, std::move(done.versions),
                                            std::move(done.tokens), std::move(done.log_probs),
                                            std::move(done.drawn_log_probs)),
                     done.finish});
    return going_on;
  }

  void release(SequenceId sequence, const Adapter<T>* adapter = nullptr) {
    cache_.release(sequence, adapter);
  }

  void reset(const Adapter<T>* adapter = nullptr);

  /// Keys and values no longer belong to the weights.
  void forget_cached() { cache_.forget_all_computed(); }
  /// The same where only the adapter has changed.
  void forget_cached(const Adapter<T>* adapter) { cache_.forget_computed(adapter); }

  PositionCounts position_counts() const {
    PositionCounts counts{.computed = 0, .reused = cache_.reused()};
    for (const Share& share : shares_) counts.computed += share.computed;
    return counts;
  }

 private:
  using Cached = CachedSequence<T>;

  struct Running {
    GenerationRequest request;
    const Adapter<T>* adapter = nullptr;
    Cached* cache = nullptr;
    std::vector<Token> tokens;            // generated
    std::vector<float> log_probs;         // [tokens]
    std::vector<float> drawn_log_probs;   // [tokens], or empty where nothing can be left out
    std::vector<WeightVersion> versions;  // [tokens]
    FinishReason finish = FinishReason::stop;
    bool finished = false;
    bool waiting = false;  // for another request to compute a common prefix

    std::size_t length() const { return request.context.size() + tokens.size(); }
    Token token(std::size_t i) const {
      return i < request.context.size() ? request.context[i] : tokens[i - request.context.size()];
    }
    std::size_t pending() const { return length() - cache->size(); }

    /// How the next token is drawn, and its random bits.
    std::pair<SamplingOptions, std::uint64_t> next_draw() const {
      return {request.sampling, request.random.bits(tokens.size())};
    }
    void append(const DrawnToken& drawn) {
      tokens.push_back(drawn.token);
      log_probs.push_back(drawn.log_prob);
      if (request.sampling.leaves_out()) drawn_log_probs.push_back(drawn.drawn_log_prob);
    }
    void end(std::optional<FinishReason> reason) {
      finished = reason.has_value();
      if (reason) finish = *reason;
    }
  };

  /// Scratch memory of one who works on a share.
  struct Scratch {
    AlignedVector<T> scores;
    AlignedVector<T> exps;  // [vocab_padded]
  };

  /// A share of a step and its memory.
  struct Share {
    std::size_t first = 0, last = 0;      // of the running requests: [first, last)
    std::size_t begin = 0, end = 0;       // the part of it at work
    std::vector<std::size_t> counts;      // [requests] rows of each
    std::vector<std::size_t> rows;        // [requests] and its first row
    std::vector<std::size_t> positions;   // [rows]
    std::uint64_t computed = 0;           // rows of all its steps
    std::vector<AdaptedRows<T>> adapted;  // of these rows
    AlignedVector<T> x;                   // [rows, hidden]
    LayerActivations<T> activations;      // of the layer at work
    std::vector<std::size_t> sampling;    // [S] requests that sample in this step
    AlignedVector<T> normed;              // [S, hidden]
    AlignedVector<T> logits;              // [S, vocab_padded]
    std::vector<Scratch> scratch;         // [team]
  };

  static constexpr std::size_t kPrefillRows = 64;  // of one request in one step
  static constexpr std::size_t kSharedPrefix = 4;  // shorter ones are not worth a wait

  /// What `advance` does; returns what has finished.
  std::vector<Running> step_once(ThreadPool& pool, WeightVersion version, const Adapter<T>* adapter,
                                 std::size_t& going_on);

  void check(const GenerationRequest& request, const Adapter<T>* adapter) const;

  static std::size_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
  }

  /// A request that has computed nothing yet takes the longest prefix that is there, or waits for
  /// an earlier one that is about to compute a longer one.
  void share_prefixes() {
    for (std::size_t i = 0; i < running_.size(); ++i) {
      Running& mine = running_[i];
      mine.waiting = false;
      if (mine.cache->size() > 0 || mine.request.context.size() <= kSharedPrefix) continue;
      const std::span<const Token> wanted =
          mine.request.context.first(mine.request.context.size() - 1);
      std::size_t promised = 0;
      for (std::size_t j = 0; j < i; ++j)
        if (rows_of(running_[j]) > 0 && running_[j].adapter == mine.adapter)
          promised = std::max(promised, common_prefix(running_[j].request.context, wanted));
      const typename SequenceCache<T>::Prefix ready = cache_.longest_prefix(wanted, mine.adapter);
      if (promised >= kSharedPrefix && promised > ready.size)
        mine.waiting = true;
      else if (ready.size >= kSharedPrefix)
        cache_.share(ready, *mine.cache);
    }
  }

  std::size_t rows_of(const Running& running) const {
    return running.waiting || running.finished ? 0 : std::min(running.pending(), kPrefillRows);
  }

  DecodeSizes sizes(std::size_t workers) const {
    std::size_t tokens = 0;
    for (const Running& running : running_) tokens += running.length();
    return {.weight_bytes = weights_->product_bytes(),
            .cache_bytes = tokens * cache_.bytes_per_token(),
            .requests = running_.size(),
            .workers = workers};
  }

  void deal_work(std::size_t shares) {
    while (shares_.size() < shares) shares_.emplace_back();
    std::size_t rows = 0;
    for (const Running& running : running_) rows += rows_of(running);
    std::size_t next = 0, assigned = 0;
    for (std::size_t w = 0; w < shares; ++w) {
      shares_[w].first = next;
      while (next < running_.size() && (w + 1 == shares || assigned < rows * (w + 1) / shares))
        assigned += rows_of(running_[next++]);
      shares_[w].last = next;
      reserve(shares_[w]);
    }
  }

  /// Takes the blocks of keys and values that the share's step will write.
  void reserve(const Share& share) {
    for (std::size_t r = share.first; r < share.last; ++r) {
      Running& running = running_[r];
      if (rows_of(running) == 0) continue;
      const std::size_t most = std::min(running.length() + plan_.turns - 1,
                                        running.cache->size() + plan_.turns * kPrefillRows);
      cache_.reserve(*running.cache, std::min(most, weights_->config().max_position_embeddings));
    }
  }

  void step_all(ThreadPool& pool) {
    if (plan_.together) return step(pool, shares_[0]);
    pool.run([&](std::size_t worker) {
      SerialExecutor alone;
      step(alone, shares_[worker]);
    });
  }

  /// Takes every request of the share one token further, or several.
  template <class Team>
  void step(Team& team, Share& share) {
    if (share.scratch.size() < team.size()) share.scratch.resize(team.size());
    for (share.begin = share.first; share.begin < share.last; share.begin = share.end) {
      share.end = std::min(share.begin + plan_.requests, share.last);
      for (std::size_t i = 0; i < plan_.turns; ++i) step_block(team, share);
    }
  }

  template <class Team>
  void step_block(Team& team, Share& share) {
    gather(share);
    if (share.positions.empty()) return;
    for (std::size_t l = 0; l < weights_->config().num_hidden_layers; ++l)
      forward_layer(
          team, *weights_, *rotary_, l, share.positions, share.x.data(), share.adapted,
          share.activations,
          [&](Matrix<const T> qkv, Matrix<T> mixed) {
            team.for_each_dynamic(
                share.end - share.begin, [&](std::size_t worker, std::size_t request) {
                  attend(share, request, l, qkv, mixed, share.scratch[worker].scores);
                });
          },
          axis_);
    sample_all(team, share);
  }

  void gather(Share& share) {
    const std::size_t d = weights_->config().hidden_size;
    share.counts.clear();
    share.rows.clear();
    share.positions.clear();
    share.adapted.clear();
    for (std::size_t r = share.begin; r < share.end; ++r) {
      const Running& running = running_[r];
      share.counts.push_back(rows_of(running));
      share.rows.push_back(share.positions.size());
      const std::size_t first = running.cache->size();
      for (std::size_t i = 0; i < share.counts.back(); ++i) share.positions.push_back(first + i);
      if (share.adapted.empty() || share.adapted.back().adapter != running.adapter)
        share.adapted.push_back({running.adapter, 0});
      share.adapted.back().rows += share.counts.back();
    }
    share.computed += share.positions.size();
    grow(share.x, share.positions.size() * d);
    std::size_t row = 0;
    for (std::size_t r = share.begin; r < share.end; ++r)
      for (std::size_t i = 0; i < share.counts[r - share.begin]; ++i, ++row)
        embed(*weights_, axis_, running_[r].token(share.positions[row]), share.x.data() + row * d);
    if constexpr (Axis::kSplit) axis_.sum(dense(share.x.data(), row, d));
  }

  /// Attention of one request of the part at work.
  void attend(const Share& share, std::size_t request, std::size_t layer, Matrix<const T> qkv,
              Matrix<T> mixed, AlignedVector<T>& scores) {
    const std::size_t count = share.counts[request];
    if (count == 0) return;
    Cached& cached = *running_[share.begin + request].cache;
    const std::size_t first = share.positions[share.rows[request]];
    const Matrix<const T> rows = qkv.rows_at(share.rows[request], count);
    const Matrix<T> out = mixed.rows_at(share.rows[request], count);
    for (std::size_t i = 0; i < count; ++i)
      cached.write(layer, first + i, heads_.keys(rows, 0).row(i), heads_.values(rows, 0).row(i));
    grow(scores, std::max(kQueryBlock, heads_.kv_heads) * cached.capacity());
    if (count == 1)
      attend_position(heads_, first + 1, rows.data, cached.head(layer, 0), scores, out.data);
    else
      for (std::size_t head = 0; head < heads_.heads; ++head)
        attend_head(first, heads_.queries(rows, head),
                    cached.head(layer, head / heads_.queries_per_kv()), scores,
                    heads_.queries(out, head));
  }

  template <class Team>
  void sample_all(Team& team, Share& share) {
    const std::size_t d = weights_->config().hidden_size;
    const std::size_t vocab = weights_->vocab_padded();
    share.sampling.clear();
    grow(share.normed, (share.end - share.begin) * d);
    for (std::size_t r = share.begin; r < share.end; ++r) {
      Running& running = running_[r];
      const std::size_t count = share.counts[r - share.begin];
      const std::size_t end = share.rows[r - share.begin] + count;
      for (std::size_t row = end - count; row < end; ++row)
        running.cache->append(running.token(share.positions[row]));
      if (count == 0 || running.pending() > 0) continue;
      rms_norm(d, share.x.data() + (end - 1) * d, weights_->at(weights_->final_norm()),
               static_cast<T>(weights_->config().rms_norm_eps),
               share.normed.data() + share.sampling.size() * d);
      share.sampling.push_back(r);
    }
    if (share.sampling.empty()) return;
    grow(share.logits, share.sampling.size() * vocab);
    for (Scratch& scratch : share.scratch) grow(scratch.exps, vocab);
    const Matrix<T> logits = dense(share.logits.data(), share.sampling.size(), vocab);
    weights_->head().forward(team, weights_->at(0),
                             dense(share.normed.data(), share.sampling.size(), d),
                             logits.columns_at(0, weights_->config().vocab_size));
    if constexpr (Axis::kSplit)
      return sample_split(share, logits.columns_at(0, weights_->config().vocab_size));
    team.for_each_dynamic(share.sampling.size(), [&](std::size_t worker, std::size_t i) {
      sample(running_[share.sampling[i]], logits.row(i), share.scratch[worker].exps.data());
    });
  }

  void sample(Running& running, T* logits, T* exps) const {
    const auto [sampling, bits] = running.next_draw();
    running.append(draw_token(weights_->config().vocab_size, sampling, bits, logits, exps));
    running.end(reason_to_end(running));
  }
  std::optional<FinishReason> reason_to_end(const Running& running) const {
    const bool full = running.length() >= weights_->config().max_position_embeddings;
    return finish_reason(*running.request.stop, running.tokens, full);
  }

  /// From this rank's columns of the logits [S, own tokens].
  void sample_split(const Share& share, Matrix<T> logits) {
    draws_.draw(
        axis_, logits, [&](std::size_t i) -> Running& { return running_[share.sampling[i]]; },
        [&](const Running& running) { return reason_to_end(running); });
  }

  const TransformerWeights<T>* weights_;
  const RotaryTable<T>* rotary_;
  Axis axis_;
  std::vector<Running> running_;
  DecodePlan plan_;
  std::vector<Share> shares_;
  HeadLayout heads_;
  SequenceCache<T> cache_;
  SplitDraws<T> draws_;  // of a split model
};

}  // namespace dualagent::detail

#include "dualagent/model/transformer_decode.inl"
