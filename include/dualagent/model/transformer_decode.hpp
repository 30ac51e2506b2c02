#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/cpu/sampling.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/transformer_layers.hpp"

namespace dualagent::detail {

/// Keys and values of one sequence for all layers, and the tokens they belong to.
///
/// What a layer reads of one position lies together for all heads, so that decoding streams through
/// memory: keys [layers, positions in panels, heads, head_dim, lanes], values [layers, positions,
/// heads, head_dim].
template <class T>
class KeyValueCache {
 public:
  explicit KeyValueCache(const TransformerConfig& config)
      : dim_(config.head_dim),
        row_(config.num_key_value_heads * dim_),
        capacity_(kernels::padded<T>(config.max_position_embeddings)),
        keys_(config.num_hidden_layers * row_ * capacity_),
        values_(keys_.size()) {
    tokens_.reserve(config.max_position_embeddings);
  }

  std::size_t capacity() const { return capacity_; }
  std::size_t bytes_per_token() const { return 2 * keys_.size() / capacity_ * sizeof(T); }
  std::size_t next_key_head() const { return dim_ * kernels::kLanes<T>; }
  std::size_t next_key_panel() const { return row_ * kernels::kLanes<T>; }
  std::size_t next_value_head() const { return dim_; }
  std::size_t next_value() const { return row_; }  // elements from a position to the next
  T* keys(std::size_t layer, std::size_t head) {   // [head_dim, capacity] in panels
    return keys_.data() + layer * row_ * capacity_ + head * next_key_head();
  }
  T* values(std::size_t layer, std::size_t head) {  // [capacity, head_dim] in rows of row_
    return values_.data() + layer * row_ * capacity_ + head * next_value_head();
  }
  std::vector<Token>& tokens() { return tokens_; }
  const std::vector<Token>& tokens() const { return tokens_; }

  /// Takes the first `count` positions of another cache.
  void copy_prefix(const KeyValueCache& other, std::size_t count) {
    tokens_.assign(other.tokens_.begin(),
                   other.tokens_.begin() + static_cast<std::ptrdiff_t>(count));
    for (std::size_t at = 0; at < keys_.size(); at += row_ * capacity_) {  // layers
      std::copy_n(other.keys_.data() + at, kernels::padded<T>(count) * row_, keys_.data() + at);
      std::copy_n(other.values_.data() + at, count * row_, values_.data() + at);
    }
  }

 private:
  std::size_t dim_, row_, capacity_;  // row_: kv heads * head_dim
  AlignedVector<T> keys_, values_;
  std::vector<Token> tokens_;  // whose keys and values are valid
};

/// Attention of all heads of one query that sees the first `seen` positions of a layer's cache:
/// what `attend_head` computes for its last row, with the same bits, several heads at a time.
///
/// scores is scratch of [kv_heads, padded(seen)].
template <class T>
void attend_position(const TransformerConfig& config, std::size_t seen, const T* queries,
                     KeyValueCache<T>& cache, std::size_t layer, T* scores, T* out) {
  const std::size_t dim = config.head_dim;
  const std::size_t kv_heads = config.num_key_value_heads;
  const std::size_t share = config.num_attention_heads / kv_heads;
  const T scale = T{1} / std::sqrt(static_cast<T>(dim));
  const std::size_t width = kernels::padded<T>(seen);
  for (std::size_t member = 0; member < share; ++member) {  // of the heads that share keys
    gemv(kv_heads, width, dim, queries + member * dim, share * dim,
         Panels<T>{cache.keys(layer, 0), cache.next_key_panel()}, cache.next_key_head(), scores,
         width);
    for (std::size_t head = 0; head < kv_heads; ++head)
      softmax_row(seen, width, scale, scores + head * width);
    gemv(kv_heads, dim, seen, scores, width, cache.values(layer, 0), cache.next_value(),
         cache.next_value_head(), out + member * dim, share * dim);
  }
}

/// Batched decoding: all running generations advance together, each worker of the pool takes a
/// contiguous share of them through the whole model.
template <class T>
class Decoder {
 public:
  Decoder(const TransformerWeights<T>& weights, const RotaryTable<T>& rotary)
      : weights_(&weights), rotary_(&rotary) {}

  void submit(const GenerationRequest& request) {
    check(request);
    Running running;
    running.request = request;
    running.cache = cache_of(request.sequence, request.context);
    const std::size_t most =
        std::min(request.stop->max_new_tokens,
                 weights_->config().max_position_embeddings - request.context.size());
    running.tokens.reserve(most);
    running.log_probs.reserve(most);
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
                                            std::move(done.tokens), std::move(done.log_probs)),
                     done.finish});
    finished_.clear();
    return running_.size();
  }

  void release(SequenceId sequence) {
    const auto found = caches_.find(sequence);
    if (found == caches_.end()) return;
    free_.push_back(std::move(found->second));
    caches_.erase(found);
  }

  void reset() {
    running_.clear();
    finished_.clear();  // an exception may have left some that were not handed over
    for (auto& [id, cache] : caches_) free_.push_back(std::move(cache));
    caches_.clear();
  }

  /// Keys and values no longer belong to the weights.
  void forget_cached() {
    for (auto& [id, cache] : caches_) cache->tokens().clear();
  }

 private:
  using Cache = KeyValueCache<T>;

  struct Running {
    GenerationRequest request;
    Cache* cache = nullptr;
    std::vector<Token> tokens;            // generated
    std::vector<float> log_probs;         // [tokens]
    std::vector<WeightVersion> versions;  // [tokens]
    FinishReason finish = FinishReason::stop;
    bool finished = false;
    bool waiting = false;  // for another request to compute a common prefix

    std::size_t length() const { return request.context.size() + tokens.size(); }
    Token token(std::size_t i) const {
      return i < request.context.size() ? request.context[i] : tokens[i - request.context.size()];
    }
    std::size_t pending() const { return length() - cache->tokens().size(); }
  };

  /// One worker's share of a step and its scratch memory.
  struct Worker {
    std::size_t first = 0, last = 0;     // its share of the running requests: [first, last)
    std::size_t begin = 0, end = 0;      // the part of it at work
    std::vector<std::size_t> counts;     // [requests] rows of each
    std::vector<std::size_t> positions;  // [rows]
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
    if (!(request.sampling.temperature >= 0.0F))
      throw Error("the temperature is not a number >= 0", where);
    for (const Token token : request.context)
      if (token < 0 || static_cast<std::size_t>(token) >= weights_->config().vocab_size)
        throw Error("token " + std::to_string(token) + " is not in the vocabulary of " +
                        std::to_string(weights_->config().vocab_size),
                    where);
    for (const Running& running : running_)
      if (running.request.sequence == request.sequence)
        throw Error("the sequence has a running generation already", where);
  }

  /// The sequence's cache, cut to the prefix that it shares with the context; at least the last
  /// token of the context is computed anew.
  Cache* cache_of(SequenceId sequence, std::span<const Token> context) {
    auto found = caches_.find(sequence);
    if (found == caches_.end()) {
      if (free_.empty()) free_.push_back(std::make_unique<Cache>(weights_->config()));
      free_.back()->tokens().clear();
      found = caches_.emplace(sequence, std::move(free_.back())).first;
      free_.pop_back();
    }
    Cache& cache = *found->second;
    cache.tokens().resize(std::min(common_prefix(cache.tokens(), context), context.size() - 1));
    return &cache;
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
      if (!mine.cache->tokens().empty() || mine.request.context.size() <= kSharedPrefix) continue;
      const std::span<const Token> wanted =
          mine.request.context.first(mine.request.context.size() - 1);
      std::size_t best = 0, promised = 0;
      const Cache* donor = nullptr;
      for (std::size_t j = 0; j < running_.size(); ++j) {
        const Running& other = running_[j];
        if (j == i) continue;
        const std::size_t has = common_prefix(other.cache->tokens(), wanted);
        if (has > best) best = has, donor = other.cache;
        if (j < i && !other.waiting)
          promised = std::max(promised, common_prefix(other.request.context, wanted));
      }
      if (promised >= kSharedPrefix && promised > best)
        mine.waiting = true;
      else if (best >= kSharedPrefix)
        mine.cache->copy_prefix(*donor, best);
    }
  }

  std::size_t rows_of(const Running& running) const {
    return running.waiting || running.finished ? 0 : std::min(running.pending(), kPrefillRows);
  }

  void deal_work(std::size_t workers) {
    while (workers_.size() < workers) workers_.emplace_back();
    std::size_t rows = 0;
    for (const Running& running : running_) rows += rows_of(running);
    std::size_t next = 0, dealt = 0;
    for (std::size_t w = 0; w < workers; ++w) {
      workers_[w].first = next;
      while (next < running_.size() && (w + 1 == workers || dealt < rows * (w + 1) / workers))
        dealt += rows_of(running_[next++]);
      workers_[w].last = next;
    }
  }

  /// Takes every request of the share one token further, or several.
  void step(Worker& worker) {
    std::size_t bytes = 0;
    for (std::size_t r = worker.first; r < worker.last; ++r)
      bytes += running_[r].length() * running_[r].cache->bytes_per_token();
    const bool in_blocks = bytes > kCacheBytes && worker.last - worker.first > kBlockRequests;
    for (worker.begin = worker.first; worker.begin < worker.last; worker.begin = worker.end) {
      worker.end = in_blocks ? std::min(worker.begin + kBlockRequests, worker.last) : worker.last;
      for (std::size_t i = 0; i < (in_blocks ? kBlockTokens : 1); ++i) step_block(worker);
    }
  }

  void step_block(Worker& worker) {
    gather(worker);
    if (worker.positions.empty()) return;
    for (std::size_t l = 0; l < weights_->config().num_hidden_layers; ++l)
      forward_layer(*weights_, *rotary_, l, worker.positions, worker.x.data(), worker.activations,
                    [&](const T* qkv, T* mixed) { attend(worker, l, qkv, mixed); });
    sample_all(worker);
  }

  void gather(Worker& worker) {
    const std::size_t d = weights_->config().hidden_size;
    worker.counts.clear();
    worker.positions.clear();
    for (std::size_t r = worker.begin; r < worker.end; ++r) {
      const Running& running = running_[r];
      worker.counts.push_back(rows_of(running));
      const std::size_t first = running.cache->tokens().size();
      for (std::size_t i = 0; i < worker.counts.back(); ++i) worker.positions.push_back(first + i);
    }
    LayerActivations<T>::grow(worker.x, worker.positions.size() * d);
    std::size_t row = 0;
    for (std::size_t r = worker.begin; r < worker.end; ++r)
      for (std::size_t i = 0; i < worker.counts[r - worker.begin]; ++i, ++row) {
        const auto token = static_cast<std::size_t>(running_[r].token(worker.positions[row]));
        std::copy_n(weights_->at(weights_->embedding()) + token * d, d, worker.x.data() + row * d);
      }
  }

  void attend(Worker& worker, std::size_t layer, const T* qkv, T* mixed) {
    const TransformerConfig& config = weights_->config();
    const std::size_t dim = config.head_dim;
    const std::size_t ld = weights_->qkv_size();
    const std::size_t ld_out = weights_->heads_size();
    const std::size_t kv_heads = config.num_key_value_heads;
    const std::size_t share = config.num_attention_heads / kv_heads;
    std::size_t row = 0;
    for (std::size_t r = worker.begin; r < worker.end; ++r) {
      const std::size_t count = worker.counts[r - worker.begin];
      if (count == 0) continue;
      Cache& cache = *running_[r].cache;
      const std::size_t first = worker.positions[row];
      append(cache, layer, first, count, qkv + row * ld);
      const std::size_t width = kernels::padded<T>(first + count);
      LayerActivations<T>::grow(worker.scores, std::max(count, kv_heads) * cache.capacity());
      if (count == 1)
        attend_position(config, first + 1, qkv + row * ld, cache, layer, worker.scores.data(),
                        mixed + row * ld_out);
      else
        for (std::size_t head = 0; head < config.num_attention_heads; ++head)
          attend_head(count, first, dim, Strided<T>{qkv + row * ld + head * dim, ld},
                      Panels<T>{cache.keys(layer, head / share), cache.next_key_panel()},
                      cache.values(layer, head / share), cache.next_value(), worker.scores.data(),
                      width, mixed + row * ld_out + head * dim, ld_out);
      row += count;
    }
  }

  void append(Cache& cache, std::size_t layer, std::size_t first, std::size_t count,
              const T* qkv) const {
    constexpr std::size_t kLanes = kernels::kLanes<T>;
    const TransformerConfig& config = weights_->config();
    const std::size_t dim = config.head_dim;
    const std::size_t kv = config.num_key_value_heads;
    for (std::size_t i = 0; i < count; ++i) {
      const T* keys = qkv + i * weights_->qkv_size() + weights_->heads_size();
      std::copy_n(keys + kv * dim, kv * dim,
                  cache.values(layer, 0) + (first + i) * cache.next_value());
      for (std::size_t head = 0; head < kv; ++head) {
        T* to = cache.keys(layer, head) + (first + i) / kLanes * cache.next_key_panel() +
                (first + i) % kLanes;
        for (std::size_t c = 0; c < dim; ++c) to[c * kLanes] = keys[head * dim + c];
      }
    }
  }

  void sample_all(Worker& worker) {
    const std::size_t d = weights_->config().hidden_size;
    const std::size_t vocab = weights_->vocab_padded();
    worker.sampling.clear();
    LayerActivations<T>::grow(worker.normed, (worker.end - worker.begin) * d);
    std::size_t row = 0;
    for (std::size_t r = worker.begin; r < worker.end; ++r) {
      Running& running = running_[r];
      const std::size_t count = worker.counts[r - worker.begin];
      for (std::size_t i = 0; i < count; ++i)
        running.cache->tokens().push_back(running.token(worker.positions[row + i]));
      row += count;
      if (count == 0 || running.pending() > 0) continue;
      rms_norm(d, worker.x.data() + (row - 1) * d, weights_->at(weights_->final_norm()),
               static_cast<T>(weights_->config().rms_norm_eps),
               worker.normed.data() + worker.sampling.size() * d);
      worker.sampling.push_back(r);
    }
    LayerActivations<T>::grow(worker.logits, worker.sampling.size() * vocab);
    LayerActivations<T>::grow(worker.exps, vocab);
    gemm(worker.sampling.size(), vocab, d, Strided<T>{worker.normed.data(), d},
         Panels<T>(weights_->transposed_head()), worker.logits.data(), vocab);
    for (std::size_t i = 0; i < worker.sampling.size(); ++i)
      sample(running_[worker.sampling[i]], worker.logits.data() + i * vocab, worker.exps.data());
  }

  void sample(Running& running, T* logits, T* exps) const {
    const std::size_t vocab = weights_->config().vocab_size;
    const bool greedy = running.request.sampling.temperature == 0.0F;
    const T inverse_temperature =
        greedy ? T{1} : T{1} / static_cast<T>(running.request.sampling.temperature);
    const cpu::LogitsRow<T> row = cpu::log_softmax_row(vocab, inverse_temperature, logits, exps);
    std::size_t drawn = 0;  // also where logits are not finite: refused for its log-probability
    if (greedy)
      drawn = static_cast<std::size_t>(std::max_element(logits, logits + vocab) - logits);
    else if (std::isfinite(row.sum))
      drawn = cpu::sample(vocab, exps, running.request.random.bits(running.tokens.size()));
    running.tokens.push_back(static_cast<Token>(drawn));
    running.log_probs.push_back(static_cast<float>(logits[drawn] - row.log_sum));
    running.finished = ended(running);
  }

  bool ended(Running& running) const {
    const StopRule& stop = *running.request.stop;
    const Token last = running.tokens.back();
    const auto ends = [&](FinishReason reason) { return running.finish = reason, true; };
    if (std::find(stop.stop_tokens.begin(), stop.stop_tokens.end(), last) != stop.stop_tokens.end())
      return ends(FinishReason::stop);
    if (stop.stop_early && stop.stop_early(running.tokens)) return ends(FinishReason::early);
    if (running.tokens.size() >= stop.max_new_tokens) return ends(FinishReason::length);
    if (running.length() >= weights_->config().max_position_embeddings)
      return ends(FinishReason::context_full);
    return false;
  }

  const TransformerWeights<T>* weights_;
  const RotaryTable<T>* rotary_;
  std::vector<Running> running_;
  std::vector<Running> finished_;
  std::vector<Worker> workers_;
  std::unordered_map<SequenceId, std::unique_ptr<Cache>> caches_;
  std::vector<std::unique_ptr<Cache>> free_;
};

}  // namespace dualagent::detail
