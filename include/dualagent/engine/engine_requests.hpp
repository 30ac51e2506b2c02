#pragma once

/// Needs libcurl, as net/http_client.hpp.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/engine/engine_options.hpp"
#include "dualagent/engine/engine_wire.hpp"
#include "dualagent/engine/generation_job.hpp"
#include "dualagent/engine/weight_labels.hpp"
#include "dualagent/net/api_key.hpp"
#include "dualagent/net/http_client.hpp"

namespace dualagent {

/// The generations that an engine carries out, on a thread of their own; see HttpEngine.
///
/// `recover(stopped)` is called on that thread when the engine does not answer or answers from
/// weights that nobody published; it returns once the engine is as it should be, or throws, and
/// then whatever waits fails. It gives up once `stopped()` is true.
class EngineRequests {
 public:
  using Clock = std::chrono::steady_clock;
  using Stopped = std::function<bool()>;

  EngineRequests(const EngineOptions& options, EngineWords words,
                 std::function<void(const Stopped&)> recover)
      : options_(options),
        url_(BaseUrl(options.url).server + words.path),
        words_(std::move(words)),
        recover_(std::move(recover)),
        headers_(bearer_header(
            read_api_key(options.api_key_variable, "EngineOptions::api_key_variable"))),
        labels_(options.published_elsewhere ? WeightLabels::followed()
                                            : WeightLabels(words_.served_label)),
        client_({.connect_timeout_seconds = options.connect_timeout_seconds,
                 .max_kept_connections = options.max_in_flight}),
        thread_([this] { run(); }) {}
  EngineRequests(const EngineRequests&) = delete;
  EngineRequests& operator=(const EngineRequests&) = delete;
  ~EngineRequests() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    client_.wake();
    thread_.join();
  }

  static Clock::duration seconds(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  /// Errors: as GenerationJob.
  void submit(const GenerationRequest& request) {
    GenerationJob job(request, options_.vocab_size, words_.max_context_tokens);
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(Flight{std::move(job), {}, epoch_});
    }
    client_.wake();
  }

  std::vector<Generation> take_finished() {
    const std::lock_guard lock(mutex_);
    return std::exchange(finished_, {});
  }

  /// Forgets all requests; their connections are closed, by which the engine abandons them.
  void reset() {
    {
      const std::lock_guard lock(mutex_);
      ++epoch_;
      queue_.clear();
      finished_.clear();
      unproved_replies_.clear();
    }
    client_.wake();
  }

  /// New weights are about to be loaded: nothing is sent until `end_refit`, and what is sampled
  /// from them waits for it.
  void begin_refit(const std::string& label, WeightVersion version) {
    const std::lock_guard lock(mutex_);
    ++held_;
    labels_.begin(label, version);
  }
  void end_refit(Refit refit) {
    Ready ready;
    {
      const std::lock_guard lock(mutex_);
      --held_;
      labels_.end(refit);
      unproved_ = gone_ = refit == Refit::failed;
      for (auto& [flight, reply] : std::exchange(unproved_replies_, {}))
        if (refit == Refit::failed)
          queue_.push_back(std::move(flight));
        else
          take(std::move(flight), reply, ready);
    }
    client_.wake();
    for (const auto& call : ready) call();
  }

  /// Nothing is sent until `go_on`, which says whether the engine has proved its weights since.
  void hold() {
    const std::lock_guard lock(mutex_);
    ++held_;
  }
  void go_on(Refit refit) {
    {
      const std::lock_guard lock(mutex_);
      --held_;
      unproved_ = gone_ = refit == Refit::failed;
    }
    client_.wake();
  }

  /// What is sent from now on is to be sampled from this version, which another process publishes,
  /// or from later ones.
  void follow(WeightVersion version) {
    const std::lock_guard lock(mutex_);
    labels_.follow(version);
  }

  WeightVersion version() const {
    const std::lock_guard lock(mutex_);
    return labels_.proved_version();
  }
  /// Whether the engine may have weights that failed their proof.
  bool unproved() const {
    const std::lock_guard lock(mutex_);
    return unproved_;
  }
  EngineCounts counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  using Ready = std::vector<std::function<void()>>;  // to be called without the lock

  struct Flight {
    GenerationJob job;
    EngineCall call;             // without its tokens, once sent
    std::uint64_t epoch = 0;     // number of resets before it
    std::size_t sent_under = 0;  // which weights the engine had
    std::size_t attempts = 0;    // that the engine did not answer, since the last token
    std::size_t lost = 0;        // with the engine, which went away
    Clock::time_point not_before = {};
  };

  void run() {
    while (true) {
      Ready ready;
      bool recovering = false;
      double wait = 0;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        abort_abandoned();
        recovering = gone_ && held_ == 0 && !queue_.empty();
        if (!recovering) wait = send_what_is_due(ready);
      }
      for (const auto& call : ready) call();
      if (recovering)
        recover();
      else
        client_.poll(wait, [&](HttpClient::Ticket ticket, HttpReply&& reply) {
          receive(ticket, std::move(reply));
        });
    }
  }

  void abort_abandoned() {
    std::erase_if(running_, [&](const auto& one) {
      if (one.second.epoch == epoch_) return false;
      client_.abort(one.first);
      return true;
    });
  }

  /// Seconds until there may be more to do by itself.
  double send_what_is_due(Ready& ready) {
    if (gone_ || held_ > 0) return 1;
    const Clock::time_point now = Clock::now();
    Clock::time_point next = now + seconds(1);
    for (auto flight = queue_.begin(); flight != queue_.end();) {
      if (running_.size() >= options_.max_in_flight) break;
      if (flight->not_before > now) {
        next = std::min(next, flight->not_before);
        ++flight;
        continue;
      }
      Flight one = std::move(*flight);
      flight = queue_.erase(flight);
      send(std::move(one), ready);
    }
    return std::chrono::duration<double>(next - now).count();
  }

  void send(Flight flight, Ready& ready) {
    try {
      flight.call = flight.job.call();
      flight.sent_under = labels_.newest();
      HttpRequest request{.url = url_,
                          .body = words_.write(options_, flight.call).dump(),
                          .headers = headers_,
                          .timeout_seconds = options_.reply_timeout_seconds};
      flight.call.tokens.clear();
      ++counts_.sent;
      if (flight.attempts + flight.lost > 0) ++counts_.again;
      running_.emplace(client_.start(request), std::move(flight));
    } catch (const std::exception& error) {
      finish(flight, flight.job.failed(error.what()), ready);
    }
  }

  void recover() {
    std::string failure;
    try {
      recover_([this] {
        const std::lock_guard lock(mutex_);
        return stopping_;
      });
    } catch (const std::exception& error) {
      failure = error.what();
    }
    Ready ready;
    {
      const std::lock_guard lock(mutex_);
      ++counts_.recovered;
      if (failure.empty()) {
        gone_ = unproved_ = false;
      } else {
        for (Flight& flight : std::exchange(queue_, {}))
          finish(flight, flight.job.failed(failure), ready);
      }
    }
    for (const auto& call : ready) call();
  }

  void receive(HttpClient::Ticket ticket, HttpReply&& http) {
    std::optional<Flight> flight;
    {
      const std::lock_guard lock(mutex_);
      const auto found = running_.find(ticket);
      if (found == running_.end()) return;
      flight = std::move(found->second);
      running_.erase(found);
    }
    std::optional<EngineReply> reply;
    std::string refusal;
    if (http.ok()) try {
        reply = words_.read(options_, flight->call,
                            parse_json(http.body, url_, "Check that it is an engine"));
      } catch (const std::exception& error) {
        refusal = error.what();
      }
    Ready ready;
    {
      const std::lock_guard lock(mutex_);
      if (flight->epoch != epoch_) return;
      if (reply) {
        take(std::move(*flight), *reply, ready);
      } else if (!refusal.empty()) {
        ++counts_.refused;
        finish(*flight, flight->job.failed(refusal), ready);
      } else {
        not_answered(std::move(*flight), http, ready);
      }
    }
    for (const auto& call : ready) call();
  }

  void take(Flight flight, const EngineReply& reply, Ready& ready) {
    try {
      const LabelReading labels = labels_.read(reply.labels, flight.sent_under);
      if (labels.standing == LabelStanding::unproved)
        return void(unproved_replies_.emplace_back(std::move(flight), reply));
      if (labels.standing == LabelStanding::foreign) {
        ++counts_.refused;
        return lost(std::move(flight), labels.failure, ready);
      }
      if (labels.standing == LabelStanding::stamped_late) {
        ++counts_.refused;
        return again(std::move(flight), labels.failure, 0, ready);
      }
      if (const auto reason = flight.job.take(reply, labels.versions))
        return finish(flight, flight.job.finished(*reason), ready);
      if (reply.end == EngineEnd::aborted)
        return again(std::move(flight), "the engine aborted the request", 0, ready);
      flight.attempts = flight.lost = 0;
      queue_.push_front(std::move(flight));
    } catch (const std::exception& error) {
      ++counts_.refused;
      finish(flight, flight.job.failed(error.what()), ready);
    }
  }

  void not_answered(Flight flight, const HttpReply& http, Ready& ready) {
    const std::string place = url_;
    switch (http.failure) {
      case HttpFailure::no_connection:
        gone_ = true;
        queue_.push_front(std::move(flight));
        return;
      case HttpFailure::broken:
        return lost(std::move(flight),
                    Error("the connection broke: " + printable(http.reason), place,
                          "Look into the engine's log")
                        .what(),
                    ready);
      case HttpFailure::timed_out:
        return again(std::move(flight),
                     Error("the engine did not reply in time", place,
                           "Raise reply_timeout_seconds, or lower max_in_flight")
                         .what(),
                     0, ready);
      default:
        break;
    }
    const Error failure("the engine replied with HTTP " + std::to_string(http.status) + ": " +
                            printable(http.body.substr(0, 300) + http.reason),
                        place, "Look into the engine's log");
    if (http.status == 429 || http.status >= 500)
      return again(std::move(flight), failure.what(), http.retry_after_seconds, ready, true);
    ++counts_.refused;
    finish(flight, flight.job.failed(failure.what()), ready);
  }

  /// The engine went away, or lost its weights, with the request.
  void lost(Flight flight, const std::string& reason, Ready& ready) {
    gone_ = true;
    if (++flight.lost > options_.retries) return finish(flight, flight.job.failed(reason), ready);
    queue_.push_front(std::move(flight));
  }

  /// Another attempt, after a wait where the engine is busy.
  void again(Flight flight, const std::string& reason, double asked_seconds, Ready& ready,
             bool busy = false) {
    if (++flight.attempts > options_.retries)
      return finish(flight, flight.job.failed(reason), ready);
    const double doubled =
        options_.backoff_seconds * std::exp2(static_cast<double>(flight.attempts - 1));
    const double wait = busy ? std::max(asked_seconds, std::min(doubled, 30.0)) : 0;
    flight.not_before = Clock::now() + seconds(std::min(wait, options_.reply_timeout_seconds));
    queue_.push_front(std::move(flight));
  }

  void finish(const Flight& flight, Generation generation, Ready& ready) {
    finished_.push_back(std::move(generation));
    if (flight.job.request().on_ready) ready.push_back(flight.job.request().on_ready);
  }

  const EngineOptions& options_;
  std::string url_;
  EngineWords words_;
  std::function<void(const Stopped&)> recover_;
  std::vector<std::string> headers_;

  mutable std::mutex mutex_;  // of everything down to the client
  WeightLabels labels_;
  std::deque<Flight> queue_;  // not sent
  std::vector<std::pair<Flight, EngineReply>> unproved_replies_;
  std::vector<Generation> finished_;
  EngineCounts counts_;
  std::uint64_t epoch_ = 0;
  int held_ = 0;           // reasons to send nothing
  bool gone_ = false;      // the engine has to be looked after before anything is sent
  bool unproved_ = false;  // its weights failed their proof
  bool stopping_ = false;

  std::map<HttpClient::Ticket, Flight> running_;  // of the thread; changed under the lock
  HttpClient client_;                             // of the thread, but for `wake`
  std::thread thread_;                            // last: uses the rest
};

}  // namespace dualagent
