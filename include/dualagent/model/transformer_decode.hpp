#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/model/attention.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/sequence_cache.hpp"
#include "dualagent/model/token_sampling.hpp"
#include "dualagent/model/transformer_layers.hpp"

namespace dualagent::detail {

/// Batched decoding: all running generations advance together, each worker of the pool takes a
/// contiguous share of them through the whole model.
template <class T>
class Decoder {
 public:
  Decoder(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary)
      : weights_(&weights), rotary_(&rotary), heads_(weights.config()), cache_(weights.config()) {}

  void submit(const GenerationRequest& request) {
    check(request);
    Running running;
    running.request = request;
    running.cache = &cache_.open(request.sequence, request.context);
    const std::size_t most =
        std::min(request.stop->max_new_tokens,
                 weights_->config().max_position_embeddings - request.context.size());
    running.tokens.reserve(most);
    running.log_probs.reserve(most);
    if (request.sampling.leaves_out()) running.drawn_log_probs.reserve(most);
    running.versions.reserve(most);
    running_.push_back(std::move(running));
  }

  /// `version` is that of the weights as they are now.
  template <class OnFinished>
  std::size_t advance(ThreadPool& pool, WeightVersion version, OnFinished&& on_finished) {
    share_prefixes();
    deal_work(pool.size());
    pool.run([&](std::size_t worker) { step(workers_[worker]); });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < running_.size(); ++i) {
      running_[i].versions.resize(running_[i].tokens.size(), version);
      if (running_[i].finished) {
        finished_.push_back(std::move(running_[i]));
      } else if (kept++ != i) {
        running_[kept - 1] = std::move(running_[i]);
      }
    }
    running_.resize(kept);
    for (Running& done : finished_)
      on_finished(
          Generation{done.request.sequence,
                     BackendAccess::sampled(done.request.agent, std::move(done.versions),
                                            std::move(done.tokens), std::move(done.log_probs),
                                            std::move(done.drawn_log_probs)),
                     done.finish});
    finished_.clear();
    return running_.size();
  }

  void release(SequenceId sequence) { cache_.release(sequence); }

  void reset() {
    running_.clear();
    finished_.clear();  // an exception may have left some that were not handed over
    cache_.clear();
  }

  /// Keys and values no longer belong to the weights.
  void forget_cached() { cache_.forget_computed(); }

  PositionCounts position_counts() const {
    PositionCounts counts{.computed = 0, .reused = cache_.reused()};
    for (const Worker& worker : workers_) counts.computed += worker.computed;
    return counts;
  }

 private:
  using Cached = CachedSequence<T>;

  struct Running {
    GenerationRequest request;
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
    std::size_t first = 0, last = 0;     // its share of the running requests: [first, last)
    std::size_t begin = 0, end = 0;      // the part of it at work
    bool in_blocks = false;              // see kCacheBytes
    std::vector<std::size_t> counts;     // [requests] rows of each
    std::vector<std::size_t> positions;  // [rows]
    std::uint64_t computed = 0;          // rows of all its steps
    AlignedVector<T> x;                  // [rows, hidden]
    LayerActivations<T> activations;     // of the layer at work
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

  void check(const GenerationRequest& request) const {
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
      if (running.request.sequence == request.sequence)
        throw Error("the sequence has a running generation already", where);
  }

  static std::size_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
    const std::size_t most = std::min(a.size(), b.size());
    std::size_t n = 0;
    while (n < most && a[n] == b[n]) ++n;
    return n;
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
        if (!running_[j].waiting)
          promised = std::max(promised, common_prefix(running_[j].request.context, wanted));
      const typename SequenceCache<T>::Prefix ready = cache_.longest_prefix(wanted);
      if (promised >= kSharedPrefix && promised > ready.size)
        mine.waiting = true;
      else if (ready.size >= kSharedPrefix)
        cache_.share(ready, *mine.cache);
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
      cache_.reserve(*running.cache, std::min(most, weights_->config().max_position_embeddings));
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
      forward_layer(*weights_, *rotary_, l, worker.positions, worker.x.data(), worker.activations,
                    [&](Matrix<const T> qkv, Matrix<T> mixed) { attend(worker, l, qkv, mixed); });
    sample_all(worker);
  }

  void gather(Worker& worker) {
    const std::size_t d = weights_->config().hidden_size;
    worker.counts.clear();
    worker.positions.clear();
    for (std::size_t r = worker.begin; r < worker.end; ++r) {
      const Running& running = running_[r];
      worker.counts.push_back(rows_of(running));
      const std::size_t first = running.cache->size();
      for (std::size_t i = 0; i < worker.counts.back(); ++i) worker.positions.push_back(first + i);
    }
    worker.computed += worker.positions.size();
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
  std::vector<Running> finished_;
  std::vector<Worker> workers_;
  HeadLayout heads_;
  SequenceCache<T> cache_;
};

}  // namespace dualagent::detail
