#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/model/adapter.hpp"
#include "dualagent/model/attention.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/kv_cache.hpp"
#include "dualagent/model/token_sampling.hpp"
#include "dualagent/model/transformer_layers.hpp"

namespace dualagent::detail {

/// Batched decoding: all running generations advance together, each worker of the pool takes a
/// contiguous share of them through the whole model.
///
/// Models that share weights share one batch: every request is of the base (null) or of an adapter,
/// which is kept by reference until `reset`. Each of these has sequences of its own, and gets what
/// is finished of them; whoever advances, all requests go on.
template <class T>
class Decoder {
 public:
  Decoder(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary)
      : weights_(&weights), rotary_(&rotary), heads_(weights.config()), cache_(weights.config()) {}

  void submit(const GenerationRequest& request, const Adapter<T>* adapter = nullptr) {
    check(request, adapter);
    Running running;
    running.request = request;
    running.adapter = adapter;
    running.cache = cache_of(sequences_[adapter], request.sequence, request.context);
    const std::size_t most =
        std::min(request.stop->max_new_tokens,
                 weights_->config().max_position_embeddings - request.context.size());
    running.tokens.reserve(most);
    running.log_probs.reserve(most);
    if (request.sampling.leaves_out()) running.drawn_log_probs.reserve(most);
    running.versions.reserve(most);
    // Beside the others of the adapter, so that its products get their rows in one piece.
    const auto same = [&](const Running& other) { return other.adapter == adapter; };
    running_.insert(std::find_if(running_.rbegin(), running_.rend(), same).base(),
                    std::move(running));
  }

  /// `version` is that of the weights as they are now. Returns how many requests of the adapter go
  /// on. After an exception requests of others go on as if it had not been.
  template <class OnFinished>
  std::size_t advance(ThreadPool& pool, WeightVersion version, OnFinished&& on_finished,
                      const Adapter<T>* adapter = nullptr) {
    share_prefixes();
    deal_work(pool.size());
    try {
      pool.run([&](std::size_t worker) { step(workers_[worker]); });
    } catch (...) {
      forget_cached();  // it may be ahead of the tokens
      throw;
    }
    std::vector<Running> finished;
    std::size_t kept = 0, going_on = 0;
    for (std::size_t i = 0; i < running_.size(); ++i) {
      Running& running = running_[i];
      running.versions.resize(running.tokens.size(),
                              running.adapter == nullptr ? version : running.adapter->version);
      if (running.finished && running.adapter == adapter) {
        finished.push_back(std::move(running));
        continue;
      }
      if (running.adapter == adapter) ++going_on;
      if (kept++ != i) running_[kept - 1] = std::move(running);
    }
    running_.resize(kept);
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
    sequences_[adapter].erase(sequence);
  }

  void reset(const Adapter<T>* adapter = nullptr) {
    const auto of_adapter = [&](const Running& running) { return running.adapter == adapter; };
    std::erase_if(running_, of_adapter);
    sequences_.erase(adapter);
  }

  /// Keys and values no longer belong to the weights.
  void forget_cached() {
    for (const auto& [adapter, sequences] : sequences_) forget_cached(adapter);
  }
  /// The same where only the adapter has changed.
  void forget_cached(const Adapter<T>* adapter) {
    for (auto& [id, sequence] : sequences_[adapter]) sequence.cut(0);
  }

 private:
  using Cached = CachedSequence<T>;
  using Sequences = std::unordered_map<SequenceId, Cached>;

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
  };

  /// One worker's share of a step and its scratch memory.
  struct Worker {
    std::size_t first = 0, last = 0;      // its share of the running requests: [first, last)
    std::size_t begin = 0, end = 0;       // the part of it at work
    bool in_blocks = false;               // see kCacheBytes
    std::vector<std::size_t> counts;      // [requests] rows of each
    std::vector<std::size_t> positions;   // [rows]
    std::vector<AdaptedRows<T>> adapted;  // of these rows
    AlignedVector<T> x;                   // [rows, hidden]
    LayerActivations<T> activations;      // of the layer at work
    AlignedVector<T> scores;
    std::vector<std::size_t> sampling;  // [S] requests that sample in this step
    AlignedVector<T> normed;            // [S, hidden]
    AlignedVector<T> logits;            // [S, vocab_padded]
    AlignedVector<T> exps;              // [vocab_padded]
  };

  static constexpr std::size_t kPrefillRows = 64;  // of one request in one step
  static constexpr std::size_t kSharedPrefix = 4;  // shorter ones are not worth a wait
  /// A share whose keys and values exceed kCacheBytes is decoded in blocks: kBlockRequests requests
  /// advance by up to kBlockTokens tokens before the next block's turn, so that a block's keys and
  /// values stay in the processor's cache.
  static constexpr std::size_t kCacheBytes = 6U << 20U;
  static constexpr std::size_t kBlockRequests = 12;  // a tile of rows of a product
  static constexpr std::size_t kBlockTokens = 16;

  void check(const GenerationRequest& request, const Adapter<T>* adapter) const {
    const std::size_t most = weights_->config().max_position_embeddings;
    const std::string where = "sequence " + std::to_string(request.sequence);
    if (request.context.empty())
      throw Error("a generation needs a context of at least one token", where,
                  "Begin every context with a start token");
    if (request.context.size() >= most)
      throw Error("a context of " + std::to_string(request.context.size()) +
                      " tokens leaves no room in a model of " + std::to_string(most),
                  where, "Summarize earlier, or raise max_position_embeddings");
    if (request.stop == nullptr || request.stop->max_new_tokens == 0)
      throw Error("a generation needs a stop rule with max_new_tokens >= 1", where);
    request.sampling.validate(where);
    for (const Token token : request.context)
      if (token < 0 || static_cast<std::size_t>(token) >= weights_->config().vocab_size)
        throw Error("token " + std::to_string(token) + " is not in the vocabulary of " +
                        std::to_string(weights_->config().vocab_size),
                    where);
    for (const Running& running : running_)
      if (running.adapter == adapter && running.request.sequence == request.sequence)
        throw Error("the sequence has a running generation already", where);
  }

  /// What is kept of the sequence, cut to the prefix that it shares with the context; at least the
  /// last token of the context is computed anew.
  Cached* cache_of(Sequences& sequences, SequenceId sequence, std::span<const Token> context) {
    Cached& cached =
        sequences.try_emplace(sequence, cache_, weights_->config().max_position_embeddings)
            .first->second;
    cached.cut(std::min(cached.common_prefix(context), context.size() - 1));
    return &cached;
  }

  static std::size_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
    const std::size_t most = std::min(a.size(), b.size());
    std::size_t n = 0;
    while (n < most && a[n] == b[n]) ++n;
    return n;
  }

  /// A request that has computed nothing yet takes the longest prefix that another one has
  /// computed, or waits for one that is about to.
  void share_prefixes() {
    for (std::size_t i = 0; i < running_.size(); ++i) {
      Running& mine = running_[i];
      mine.waiting = false;
      if (mine.cache->size() > 0 || mine.request.context.size() <= kSharedPrefix) continue;
      const std::span<const Token> wanted =
          mine.request.context.first(mine.request.context.size() - 1);
      std::size_t best = 0, promised = 0;
      const Cached* donor = nullptr;
      for (std::size_t j = 0; j < running_.size(); ++j) {
        const Running& other = running_[j];
        if (j == i || other.adapter != mine.adapter) continue;
        const std::size_t has = other.cache->common_prefix(wanted);
        if (has > best) best = has, donor = other.cache;
        if (j < i && !other.waiting)
          promised = std::max(promised, common_prefix(other.request.context, wanted));
      }
      if (promised >= kSharedPrefix && promised > best)
        mine.waiting = true;
      else if (best >= kSharedPrefix)
        mine.cache->share_prefix(*donor, best);
    }
  }

  std::size_t rows_of(const Running& running) const {
    return running.waiting || running.finished ? 0 : std::min(running.pending(), kPrefillRows);
  }

  void deal_work(std::size_t workers) {
    while (workers_.size() < workers) workers_.emplace_back();
    std::size_t rows = 0;
    for (const Running& running : running_) rows += rows_of(running);
    std::size_t next = 0, assigned = 0;
    for (std::size_t w = 0; w < workers; ++w) {
      workers_[w].first = next;
      while (next < running_.size() && (w + 1 == workers || assigned < rows * (w + 1) / workers))
        assigned += rows_of(running_[next++]);
      workers_[w].last = next;
      reserve(workers_[w]);
    }
  }

  /// Takes the blocks of keys and values that the worker's step will write.
  void reserve(Worker& worker) {
    std::size_t tokens = 0;
    for (std::size_t r = worker.first; r < worker.last; ++r) tokens += running_[r].length();
    worker.in_blocks = tokens * cache_.bytes_per_token() > kCacheBytes &&
                       worker.last - worker.first > kBlockRequests;
    const std::size_t turns = worker.in_blocks ? kBlockTokens : 1;
    for (std::size_t r = worker.first; r < worker.last; ++r) {
      Running& running = running_[r];
      if (rows_of(running) == 0) continue;
      const std::size_t most =
          std::min(running.length() + turns - 1, running.cache->size() + turns * kPrefillRows);
      running.cache->reserve(std::min(most, weights_->config().max_position_embeddings));
    }
  }

  /// Takes every request of the share one token further, or several.
  void step(Worker& worker) {
    const std::size_t turns = worker.in_blocks ? kBlockTokens : 1;
    for (worker.begin = worker.first; worker.begin < worker.last; worker.begin = worker.end) {
      worker.end =
          worker.in_blocks ? std::min(worker.begin + kBlockRequests, worker.last) : worker.last;
      for (std::size_t i = 0; i < turns; ++i) step_block(worker);
    }
  }

  void step_block(Worker& worker) {
    gather(worker);
    if (worker.positions.empty()) return;
    for (std::size_t l = 0; l < weights_->config().num_hidden_layers; ++l)
      forward_layer(*weights_, *rotary_, l, worker.positions, worker.x.data(), worker.adapted,
                    worker.activations,
                    [&](Matrix<const T> qkv, Matrix<T> mixed) { attend(worker, l, qkv, mixed); });
    sample_all(worker);
  }

  void gather(Worker& worker) {
    const std::size_t d = weights_->config().hidden_size;
    worker.counts.clear();
    worker.positions.clear();
    worker.adapted.clear();
    for (std::size_t r = worker.begin; r < worker.end; ++r) {
      const Running& running = running_[r];
      worker.counts.push_back(rows_of(running));
      const std::size_t first = running.cache->size();
      for (std::size_t i = 0; i < worker.counts.back(); ++i) worker.positions.push_back(first + i);
      if (worker.adapted.empty() || worker.adapted.back().adapter != running.adapter)
        worker.adapted.push_back({running.adapter, 0});
      worker.adapted.back().rows += worker.counts.back();
    }
    grow(worker.x, worker.positions.size() * d);
    std::size_t row = 0;
    for (std::size_t r = worker.begin; r < worker.end; ++r)
      for (std::size_t i = 0; i < worker.counts[r - worker.begin]; ++i, ++row) {
        const auto token = static_cast<std::size_t>(running_[r].token(worker.positions[row]));
        std::copy_n(weights_->at(weights_->embedding()) + token * d, d, worker.x.data() + row * d);
      }
  }

  void attend(Worker& worker, std::size_t layer, Matrix<const T> qkv, Matrix<T> mixed) {
    std::size_t row = 0;
    for (std::size_t r = worker.begin; r < worker.end; ++r) {
      const std::size_t count = worker.counts[r - worker.begin];
      if (count == 0) continue;
      Cached& cached = *running_[r].cache;
      const std::size_t first = worker.positions[row];
      const Matrix<const T> rows = qkv.rows_at(row, count);
      const Matrix<T> out = mixed.rows_at(row, count);
      for (std::size_t i = 0; i < count; ++i)
        cached.write(layer, first + i, heads_.keys(rows, 0).row(i), heads_.values(rows, 0).row(i));
      grow(worker.scores, std::max(kQueryBlock, heads_.kv_heads) * cached.capacity());
      if (count == 1)
        attend_position(heads_, first + 1, rows.data, cached.head(layer, 0), worker.scores,
                        out.data);
      else
        for (std::size_t head = 0; head < heads_.heads; ++head)
          attend_head(first, heads_.queries(rows, head),
                      cached.head(layer, head / heads_.queries_per_kv()), worker.scores,
                      heads_.queries(out, head));
      row += count;
    }
  }

  void sample_all(Worker& worker) {
    const std::size_t d = weights_->config().hidden_size;
    const std::size_t vocab = weights_->vocab_padded();
    worker.sampling.clear();
    grow(worker.normed, (worker.end - worker.begin) * d);
    std::size_t row = 0;
    for (std::size_t r = worker.begin; r < worker.end; ++r) {
      Running& running = running_[r];
      const std::size_t count = worker.counts[r - worker.begin];
      for (std::size_t i = 0; i < count; ++i)
        running.cache->append(running.token(worker.positions[row + i]));
      row += count;
      if (count == 0 || running.pending() > 0) continue;
      rms_norm(d, worker.x.data() + (row - 1) * d, weights_->at(weights_->final_norm()),
               static_cast<T>(weights_->config().rms_norm_eps),
               worker.normed.data() + worker.sampling.size() * d);
      worker.sampling.push_back(r);
    }
    grow(worker.logits, worker.sampling.size() * vocab);
    grow(worker.exps, vocab);
    gemm(dense(worker.normed.data(), worker.sampling.size(), d), weights_->head().transposed(),
         dense(worker.logits.data(), worker.sampling.size(), vocab));
    for (std::size_t i = 0; i < worker.sampling.size(); ++i)
      sample(running_[worker.sampling[i]], worker.logits.data() + i * vocab, worker.exps.data());
  }

  void sample(Running& running, T* logits, T* exps) const {
    const GenerationRequest& request = running.request;
    const DrawnToken drawn = draw_token(weights_->config().vocab_size, request.sampling,
                                        request.random.bits(running.tokens.size()), logits, exps);
    running.tokens.push_back(drawn.token);
    running.log_probs.push_back(drawn.log_prob);
    if (request.sampling.leaves_out()) running.drawn_log_probs.push_back(drawn.drawn_log_prob);
    const bool full = running.length() >= weights_->config().max_position_embeddings;
    const auto reason = finish_reason(*request.stop, running.tokens, full);
    running.finished = reason.has_value();
    if (reason) running.finish = *reason;
  }

  const TransformerWeights<T>* weights_;
  const RotaryTable<T>* rotary_;
  std::vector<Running> running_;
  std::vector<Worker> workers_;
  HeadLayout heads_;
  KeyValueCache<T> cache_;
  std::unordered_map<const Adapter<T>*, Sequences> sequences_;  // after the cache that they are of
};

}  // namespace dualagent::detail
