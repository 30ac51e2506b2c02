#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/types.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/service/generate_reply.hpp"
#include "dualagent/service/generate_request.hpp"
#include "dualagent/text/stop_rule.hpp"

namespace dualagent {

/// Why a sampler's generation ended; `matched` is the stop string that ended it, empty where none
/// did.
inline ServedEnd end_of(const Generation& done, const std::string& matched) {
  switch (done.finish) {
    case FinishReason::stop:
      return {ServedEnd::Kind::stop_token, {}};
    case FinishReason::early:
      return matched.empty() ? ServedEnd{ServedEnd::Kind::aborted, "Aborted"}
                             : ServedEnd{ServedEnd::Kind::stop_string, matched};
    case FinishReason::failed:
      return {ServedEnd::Kind::failed, done.failure};
    default:
      return {ServedEnd::Kind::length, {}};
  }
}

/// One generation of a service, between the thread that owns the sampler and the one that waits
/// for it: the sampler asks after each token whether it ends (`ends`), the waiting thread looks
/// (`look`) whenever `on_change` was called, and anybody may ask for its end (`abort`).
class LiveGeneration {
 public:
  using Clock = std::chrono::steady_clock;

  /// `on_change` is called, from any thread, when it has ended and, of a streamed one, when there
  /// is a token more.
  LiveGeneration(GenerateItem item, bool streams, const ServedText& text,
                 std::function<void()> on_change)
      : item_(std::move(item)), text_(text), streams_(streams), on_change_(std::move(on_change)) {
    for (const std::string& one : item_.stop_strings) longest_ = std::max(longest_, one.size());
  }

  const GenerateItem& item() const { return item_; }

  /// It ends with the token that is being computed, or before its first one.
  void abort() { aborted_ = true; }
  bool aborted() const { return aborted_; }

  /// The stop rule; `model_stops` are the model's own. It refers to this object.
  StopRule stop_rule(std::span<const Token> model_stops) const {
    StopRule stop{.max_new_tokens = item_.max_new_tokens,
                  .stop_early = EarlyStop::of<&LiveGeneration::ends>(*this, item_.stop_strings)};
    if (item_.ignores_stops) return stop;
    stop.stop_tokens = item_.stop_tokens;
    stop.stop_tokens.insert(stop.stop_tokens.end(), model_stops.begin(), model_stops.end());
    return stop;
  }

  /// What there is of it.
  ServedGeneration look() const {
    const std::lock_guard lock(mutex_);
    ServedGeneration now = now_;
    if (!now.end) now.seconds = seconds();
    return now;
  }
  bool has_ended() const {
    const std::lock_guard lock(mutex_);
    return now_.end.has_value();
  }

  void finish(ServedGeneration done) {
    done.seconds = seconds();
    {
      const std::lock_guard lock(mutex_);
      now_ = std::move(done);
    }
    on_change_();
  }
  void label(const std::string& newest) {
    const std::lock_guard lock(mutex_);
    now_.newest_label = newest;
  }

  /// The stop string that ended it; empty: none did.
  const std::string& matched() const { return matched_; }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - since_).count(); }

 private:
  /// Called after each token, for one generation by one thread at a time.
  bool ends(std::span<const Token> said) const {
    if (streams_) {
      {
        const std::lock_guard lock(mutex_);
        now_.tokens.assign(said.begin(), said.end());
      }
      on_change_();
    }
    if (longest_ > 0 && matched_.empty()) find_strings(said);
    return aborted_ || !matched_.empty();
  }

  void find_strings(std::span<const Token> said) const {
    const std::size_t before = seen_.size();
    for (; read_ < said.size(); ++read_) seen_ += text_.bytes(said[read_]);
    const std::size_t from = before < longest_ ? 0 : before - longest_ + 1;
    std::size_t first = std::string::npos;
    for (const std::string& one : item_.stop_strings)
      if (const std::size_t at = seen_.find(one, from); at < first) {
        first = at;
        matched_ = one;
      }
  }

  GenerateItem item_;
  const ServedText& text_;
  bool streams_;
  std::function<void()> on_change_;
  Clock::time_point since_ = Clock::now();
  std::size_t longest_ = 0;  // bytes of a stop string
  std::atomic<bool> aborted_ = false;

  mutable std::mutex mutex_;
  mutable ServedGeneration now_;
  // Of `ends`, and of its owner once the generation has ended.
  mutable std::string seen_, matched_;
  mutable std::size_t read_ = 0;
};

}  // namespace dualagent
