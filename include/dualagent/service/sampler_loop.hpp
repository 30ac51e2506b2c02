#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/service/generate_reply.hpp"
#include "dualagent/service/generate_request.hpp"
#include "dualagent/service/live_generation.hpp"
#include "dualagent/service/prompt_scores.hpp"
#include "dualagent/service/sampler_loop_options.hpp"
#include "dualagent/service/service_metrics.hpp"
#include "dualagent/service/weight_names.hpp"

namespace dualagent {

/// The thread that owns a Sampler and continues all requests of a service in one decode batch.
///
/// Requests begin in their order, at most `max_running` at a time; each is released when it has
/// ended, so that the sampler may keep its keys and values for others with an equal prefix. Other
/// threads submit, abort, pause and change weights; what they ask for is done between two steps.
/// A request that is aborted ends with the token that is being computed, or without one if it has
/// not begun; while paused, those that have begun wait.
///
/// An update of the weights (`update`) waits for nobody: requests that run go on under the new
/// weights after everything computed from the old ones was dropped, and each token is labelled
/// with the weights that it was drawn from.
/// A request that the sampler refuses (an exception of its `submit`) fails alone; an exception of
/// its `advance` fails all that run. Either says the message, and the loop goes on.
/// Determinism: a request with a seed gets the tokens that the sampler alone would give for
/// RandomStream::from_seed(seed), whatever else runs.
template <class M>
class SamplerLoop {
  static_assert(check_sampler<M>());

 public:
  using Live = std::shared_ptr<LiveGeneration>;

  /// The sampler is kept by reference; nobody else uses it until the loop has ended.
  SamplerLoop(M& sampler, SamplerLoopOptions options, ServedText text, ServiceMetrics& metrics)
      : options_((options.validate(), std::move(options))),
        sampler_(sampler),
        text_((text.validate(), std::move(text))),
        metrics_(metrics),
        random_(RandomStream::from_seed(options_.seed ? *options_.seed : std::random_device{}())),
        names_(sampler.weight_version(), options_.served_label),
        thread_([this] { work(); }) {}
  SamplerLoop(const SamplerLoop&) = delete;
  SamplerLoop& operator=(const SamplerLoop&) = delete;
  ~SamplerLoop() { stop(0); }

  /// Takes all prompts of the request or none; `on_change` as of LiveGeneration.
  /// Errors: QueueFull, ServiceEnds; Error for an empty function.
  std::vector<Live> submit(GenerateRequest request, const std::function<void()>& on_change) {
    require_function(on_change, "on_change", "SamplerLoop::submit");
    std::vector<Live> taken;
    {
      const std::lock_guard lock(mutex_);
      if (broken_) throw ServiceEnds(kBroken, "", "Restart the server");
      if (ending_) throw ServiceEnds("the server is about to stop", "", "Ask another one");
      if (queue_.size() + running_count_ + request.items.size() > options_.most())
        throw QueueFull("the queue is full", std::to_string(queue_.size()) + " requests wait",
                        "Ask again later");
      for (GenerateItem& item : request.items) {
        taken.push_back(
            std::make_shared<LiveGeneration>(std::move(item), request.stream, text_, on_change));
        taken.back()->label(names_.newest());
        queue_.push_back(taken.back());
      }
    }
    wake();
    return taken;
  }

  /// Ends these, whose client has gone.
  void abandon(const std::vector<Live>& live) {
    for (const Live& one : live) one->abort();
    wake();
  }
  /// Ends all whose name begins so; "" ends all.
  void abort(std::string_view rid_prefix) {
    const std::lock_guard lock(mutex_);
    mark_aborted(rid_prefix);
  }

  enum class Pause : std::uint8_t {
    abort,  ///< what runs and waits is aborted
    keep    ///< what runs stands still, and loses nothing but time
  };
  /// Nothing begins until `go_on`. With `abort` it returns once nothing runs, so that on_change,
  /// which may be called by the loop's thread, may not call it.
  void pause(Pause mode) {
    std::unique_lock lock(mutex_);
    held_ = true;
    standing_ = mode == Pause::keep;
    if (standing_) return;
    mark_aborted("");
    idle_.wait(lock, [&] { return begun_.empty() || !held_; });
  }
  void go_on() {
    {
      const std::lock_guard lock(mutex_);
      held_ = standing_ = false;
      idle_.notify_all();
    }
    wake();
  }

  /// Calls `work(sampler)` on the loop's thread between two steps, and returns what it returns.
  /// Errors: what it throws; ServiceEnds.
  template <class Work>
  auto run(Work work) {
    using Result = std::invoke_result_t<Work&, M&>;
    auto task = std::make_shared<std::packaged_task<Result(M&)>>(std::move(work));
    std::future<Result> result = task->get_future();
    {
      const std::lock_guard lock(mutex_);
      if (ended_) throw ServiceEnds("the server has stopped");
      commands_.push_back([task](M& sampler) { (*task)(sampler); });
    }
    wake();
    return result.get();
  }

  /// Changes the weights by `write(sampler)`, which has to make a new version of them
  /// (weights_changed), and names them; without a label by the number of that version.
  /// Returns the label. Errors: what `write` throws.
  template <class Write>
  std::string update(const Write& write, const std::optional<std::string>& label) {
    return run([&](M& sampler) {
      write(sampler);
      const WeightVersion version = sampler.weight_version();
      const std::string name = label.value_or(std::to_string(version));
      const std::lock_guard lock(mutex_);
      WeightVersion oldest = version;
      for (const auto& [sequence, one] : running_) oldest = std::min(oldest, one.began_under);
      names_.add(version, name, oldest);
      for (const Live& one : begun_) one->label(name);
      for (const Live& one : queue_) one->label(name);
      return name;
    });
  }

  /// Has the sampler forget all that it computed; false, and nothing is done, while requests run or
  /// wait.
  bool flush() {
    return run([&](M& sampler) {
      const std::lock_guard lock(mutex_);
      if (!running_.empty() || !queue_.empty()) return false;
      sampler.reset();
      return true;
    });
  }

  std::string label() const {
    const std::lock_guard lock(mutex_);
    return names_.newest();
  }
  /// Whether requests are taken: until it is to end, or the sampler failed and cannot be reset.
  bool takes() const {
    const std::lock_guard lock(mutex_);
    return !ending_ && !broken_;
  }
  std::size_t running() const { return running_count_; }
  std::size_t queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }
  bool paused() const {
    const std::lock_guard lock(mutex_);
    return held_;
  }
  WeightVersion version() const {
    const std::lock_guard lock(mutex_);
    return names_.newest_version();
  }

  /// Takes no more requests from now on.
  void end_admission() {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  /// Takes no more requests, waits up to `seconds` for those that it has, and aborts the others.
  void stop(double seconds) {
    {
      std::unique_lock lock(mutex_);
      ending_ = true;
      held_ = standing_ = false;
      woken_ = true;
      wake_.notify_one();
      idle_.wait_for(lock, std::chrono::duration<double>(std::min(seconds, 1e8)),
                     [&] { return queue_.empty() && running_count_ == 0; });
      stopping_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
  }

 private:
  static constexpr const char* kBroken = "the sampler failed and cannot be reset";

  struct Running {
    Live live;
    StopRule stop;
    std::vector<double> prompt_log_probs;
    WeightVersion began_under = 0;
  };

  void mark_aborted(std::string_view rid_prefix) {
    for (const auto* group : {&queue_, &begun_})
      for (const Live& one : *group)
        if (std::string_view(one->item().rid).starts_with(rid_prefix)) one->abort();
    woken_ = true;
    wake_.notify_one();
  }

  void wake() {
    {
      const std::lock_guard lock(mutex_);  // not between the loop's look and its sleep
      woken_ = true;
    }
    wake_.notify_one();
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return woken_ || (going_on_ > 0 && !standing_); });
      woken_ = false;
      const auto commands = std::exchange(commands_, {});
      const std::vector<Live> never_begun = take_aborted();
      const std::vector<Live> next = take_next();
      const bool stands = standing_, stops = stopping_;
      lock.unlock();
      for (const auto& command : commands) command(sampler_);
      for (const Live& live : never_begun) end(live, {ServedEnd::Kind::aborted, "Aborted"});
      if (stops) end_all({ServedEnd::Kind::aborted, "the server stops"});
      for (const Live& live : next) begin(live);
      if (!stands && !stops) advance();
      lock.lock();
      running_count_ = running_.size();
      if (running_.empty()) idle_.notify_all();
      if (stops && queue_.empty() && commands_.empty()) {
        ended_ = true;
        return;
      }
    }
  }

  std::vector<Live> take_aborted() {
    std::vector<Live> aborted;
    for (const Live& live : queue_)
      if (live->aborted() || stopping_) aborted.push_back(live);
    std::erase_if(queue_, [&](const Live& live) { return live->aborted() || stopping_; });
    return aborted;
  }

  std::vector<Live> take_next() {
    std::vector<Live> next;
    while (!held_ && !queue_.empty() && running_.size() + next.size() < options_.max_running) {
      next.push_back(queue_.front());
      begun_.push_back(queue_.front());
      queue_.pop_front();
    }
    running_count_ = running_.size() + next.size();
    return next;
  }

  void begin(const Live& live) {
    if (broken_) return end(live, {ServedEnd::Kind::failed, kBroken});
    const SequenceId sequence = next_sequence_++;
    try {
      Running& one = running_[sequence];
      one.live = live;
      one.stop = live->stop_rule(options_.stop_tokens);
      one.began_under = sampler_.weight_version();
      const GenerateItem& item = live->item();
      if (item.scores_prompt) one.prompt_log_probs = prompt_scores(sampler_, item.prompt);
      sampler_.submit(
          {.sequence = sequence,
           .context = item.prompt,
           .sampling = item.sampling,
           .stop = &one.stop,
           .random = item.seed ? RandomStream::from_seed(*item.seed) : random_.child(sequence),
           .on_ready = [this] { wake(); }});
    } catch (const std::exception& error) {  // the sampler did not take it: the others go on
      running_.erase(sequence);
      --running_count_;
      end(live, {ServedEnd::Kind::failed, error.what()});
    }
  }

  void advance() {
    if (running_.empty()) {
      going_on_ = 0;
      return;
    }
    std::vector<Generation> ended;
    try {
      going_on_ = sampler_.advance([&](Generation&& done) { ended.push_back(std::move(done)); });
      for (const Generation& done : ended) sampler_.release(done.sequence);
    } catch (const std::exception& error) {
      return end_all({ServedEnd::Kind::failed, error.what()});
    }
    for (const Generation& done : ended) finish(done);
    if (!ended.empty()) woken_ = true;  // there is room for others
  }

  void finish(const Generation& done) {
    const auto found = running_.find(done.sequence);
    if (found == running_.end()) return;
    const Running one = std::move(found->second);
    running_.erase(found);
    --running_count_;
    ServedGeneration result{
        .tokens = {done.sampled.tokens().begin(), done.sampled.tokens().end()},
        .log_probs = {done.sampled.log_probs().begin(), done.sampled.log_probs().end()},
        .end = end_of(done, one.live->matched()),
        .prompt_log_probs = one.prompt_log_probs};
    deliver(one.live, std::move(result), done.sampled.weight_versions());
  }

  void end(const Live& live, const ServedEnd& why) { deliver(live, {.end = why}, {}); }

  void deliver(const Live& live, ServedGeneration done, std::span<const WeightVersion> versions) {
    {
      const std::lock_guard lock(mutex_);
      done.newest_label = names_.newest();
      done.labels = names_.spans(versions);
    }
    metrics_.generated(reason_of(done.end->kind), live->item().prompt.size(), done.tokens.size(),
                       live->seconds());
    live->finish(std::move(done));
    const std::lock_guard lock(mutex_);
    std::erase(begun_, live);
  }

  void end_all(const ServedEnd& why) {
    running_count_ = 0;
    going_on_ = 0;
    std::map<SequenceId, Running> ended = std::exchange(running_, {});
    try {
      sampler_.reset();
    } catch (const std::exception&) {
      broken_ = true;
    }
    for (const auto& [sequence, one] : ended) end(one.live, why);
    if (broken_) left_.merge(ended);
    woken_ = true;
  }

  SamplerLoopOptions options_;
  M& sampler_;
  ServedText text_;
  ServiceMetrics& metrics_;
  RandomStream random_;

  mutable std::mutex mutex_;  // of everything down to ended_
  std::condition_variable wake_, idle_;
  WeightNames names_;
  std::deque<Live> queue_;
  std::deque<Live> begun_;  // those in running_, for other threads
  std::vector<std::function<void(M&)>> commands_;
  bool held_ = false;      // nothing begins
  bool standing_ = false;  // nothing that runs goes on
  bool ending_ = false, stopping_ = false, ended_ = false;

  std::atomic<bool> woken_ = false;  // there may be something to do
  std::atomic<std::size_t> running_count_ = 0;
  std::atomic<std::size_t> going_on_ = 0;  // of the sampler, without waiting
  std::atomic<bool> broken_ = false;       // the sampler could not be reset
  // Of the thread, which writes running_ while nobody else reads it.
  std::map<SequenceId, Running> running_;
  std::map<SequenceId, Running> left_;  // what a broken sampler may still read
  SequenceId next_sequence_ = 0;
  std::thread thread_;  // last: uses the rest
};

}  // namespace dualagent
