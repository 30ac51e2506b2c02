#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "dualagent/core/number_text.hpp"

namespace dualagent {

/// What a service has now.
struct ServiceGauges {
  std::size_t running = 0;              ///< generations in the decode batch
  std::size_t queued = 0;               ///< generations that wait for a place in it
  std::size_t connections = 0;          ///< open connections
  std::size_t refused_connections = 0;  ///< connections above the most, since it was started
  std::uint64_t weight_version = 0;     ///< of the sampler
  std::uint64_t resident_bytes = 0;     ///< memory of the process; 0: not known
  bool paused = false;
};

/// What a service counts, and the text that Prometheus reads. Thread-safe; of constant size.
/// Source of the format: Prometheus, "Exposition formats", text-based format 0.0.4.
class ServiceMetrics {
 public:
  void replied(int status) {
    const std::lock_guard lock(mutex_);
    ++replies_[status];
  }
  void aborted_by_client() {
    const std::lock_guard lock(mutex_);
    ++gone_;
  }
  /// A generation has ended for a reason of SGLang's finish_reason, or "failed".
  void generated(std::string_view reason, std::size_t prompt_tokens, std::size_t new_tokens,
                 double seconds) {
    const std::lock_guard lock(mutex_);
    ++ends_[reason == "stop" ? 0U : reason == "length" ? 1U : reason == "abort" ? 2U : 3U];
    prompt_tokens_ += prompt_tokens;
    new_tokens_ += new_tokens;
    seconds_ += seconds;
    for (std::size_t i = 0; i < kSeconds.size(); ++i)
      if (seconds <= kSeconds[i]) ++within_[i];
  }
  void updated() {
    const std::lock_guard lock(mutex_);
    ++updates_;
  }

  std::string text(const ServiceGauges& now) const {
    const std::lock_guard lock(mutex_);
    std::string out;
    head(out, "http_replies_total", "counter", "Replies to HTTP requests by status.");
    for (const auto& [status, count] : replies_)
      line(out, "http_replies_total{status=\"" + std::to_string(status) + "\"}", count);
    one(out, "disconnected_clients_total", "counter",
        "Requests that were abandoned because their client had gone.", gone_);
    head(out, "generations_total", "counter", "Ended generations by reason.");
    for (std::size_t i = 0; i < kEnds.size(); ++i)
      line(out, "generations_total{reason=\"" + std::string(kEnds[i]) + "\"}", ends_[i]);
    one(out, "prompt_tokens_total", "counter", "Prompt tokens of ended generations.",
        prompt_tokens_);
    one(out, "generated_tokens_total", "counter", "New tokens of ended generations.", new_tokens_);
    one(out, "weight_updates_total", "counter", "Updates of the weights.", updates_);
    histogram(out);
    one(out, "running_generations", "gauge", "Generations in the decode batch.", now.running);
    one(out, "queued_generations", "gauge", "Generations that wait for a place in it.", now.queued);
    one(out, "connections", "gauge", "Open connections.", now.connections);
    one(out, "refused_connections_total", "counter", "Connections above the most.",
        now.refused_connections);
    one(out, "weight_version", "gauge", "Version of the weights.", now.weight_version);
    one(out, "paused", "gauge", "1 while generation is paused.", now.paused ? 1U : 0U);
    if (now.resident_bytes > 0)
      one(out, "resident_bytes", "gauge", "Memory of the process.", now.resident_bytes);
    return out;
  }

 private:
  static constexpr std::array<std::string_view, 4> kEnds{"stop", "length", "abort", "failed"};
  static constexpr std::array<double, 12> kSeconds{0.01, 0.03, 0.1, 0.3, 1,    3,
                                                   10,   30,   100, 300, 1000, 3000};

  static void head(std::string& out, const std::string& name, const char* type, const char* help) {
    out +=
        "# HELP dualagent_" + name + " " + help + "\n# TYPE dualagent_" + name + " " + type + "\n";
  }
  static void line(std::string& out, const std::string& name, std::uint64_t value) {
    out += "dualagent_" + name + " " + std::to_string(value) + "\n";
  }
  static void one(std::string& out, const std::string& name, const char* type, const char* help,
                  std::uint64_t value) {
    head(out, name, type, help);
    line(out, name, value);
  }
  void histogram(std::string& out) const {
    head(out, "generation_seconds", "histogram", "From a request to the end of its generation.");
    for (std::size_t i = 0; i < kSeconds.size(); ++i)
      line(out, "generation_seconds_bucket{le=\"" + shortest_text(kSeconds[i]) + "\"}", within_[i]);
    std::uint64_t all = 0;
    for (const std::uint64_t count : ends_) all += count;
    line(out, "generation_seconds_bucket{le=\"+Inf\"}", all);
    out += "dualagent_generation_seconds_sum " + shortest_text(seconds_) + "\n";
    line(out, "generation_seconds_count", all);
  }

  mutable std::mutex mutex_;
  std::map<int, std::uint64_t> replies_;  // of the statuses that a server can reply
  std::array<std::uint64_t, kEnds.size()> ends_{};
  std::array<std::uint64_t, kSeconds.size()> within_{};
  std::uint64_t gone_ = 0, prompt_tokens_ = 0, new_tokens_ = 0, updates_ = 0;
  double seconds_ = 0;
};

}  // namespace dualagent
