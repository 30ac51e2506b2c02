#pragma once

/// Needs libcurl: link the CMake target dualagent::http. Not part of the umbrella.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/net/api_key.hpp"
#include "dualagent/net/http_client.hpp"
#include "dualagent/service/store_wire.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// Where a store is served, and how long is waited for it.
struct HttpStoreOptions {
  std::string url = {};  ///< of a StoreService, e.g. "http://10.0.0.7:18889"
  /// Name of the environment variable that holds that service's token; empty: none is sent.
  std::string api_key_variable = {};
  double timeout_seconds = 60;
  /// Attempts after the first where the server does not answer, or says 5xx, 408, 425 or 429.
  std::size_t retries = 8;
  /// Before the first of them; each later one waits twice as long, or as long as the server asks
  /// (Retry-After), up to `max_backoff_seconds`.
  double backoff_seconds = 0.1;
  double max_backoff_seconds = 10;

  void validate() const {
    require_option(timeout_seconds, kPositiveSeconds, "timeout_seconds", "HttpStoreOptions");
    require_option(backoff_seconds, kSeconds, "backoff_seconds", "HttpStoreOptions");
    require_option(max_backoff_seconds, kSeconds, "max_backoff_seconds", "HttpStoreOptions");
  }
};

/// A store that a StoreService serves.
///
/// A call whose answer was lost is made again: a commit counts what is there already as `repeated`,
/// an acknowledgement may be answered `repeated` where it was lost the first time. Groups of a
/// claim whose answer was lost stay claimed until their lease is over or `give_back_all`; a claim
/// whose answer is too late or too large is not made again, since each one claims more. One call
/// at a time: threads that want to commit side by side have an HttpStore each. Errors: Error with
/// the server's sentence for what cannot be meant and for a wrong token; StoreFault where the
/// server is not there or fails, after all attempts. Example: HttpStore store({.url =
/// "http://10.0.0.7:18889", .api_key_variable = "STORE_TOKEN"});
class HttpStore {
 public:
  explicit HttpStore(HttpStoreOptions options)
      : options_((options.validate(), std::move(options))),
        address_(options_.url),
        headers_(bearer_header(
            read_api_key(options_.api_key_variable, "HttpStoreOptions::api_key_variable"))) {}

  CommitResult commit(std::span<const TrainingRollout> rollouts) {
    return store_wire::read_commit_reply(call("commit", store_wire::commit_body(rollouts)));
  }
  template <detail::NotForTraining Rollouts>
  CommitResult commit(const Rollouts&) {
    detail::refuse_commit<Rollouts>();
    return {};
  }
  ClaimResult claim(const ClaimRequest& request) {
    request.validate();
    require_utf8(request.run, "run", "ClaimRequest");
    require_utf8(request.reader, "reader", "ClaimRequest");
    return store_wire::read_claim_reply(call("claim", store_wire::claim_body(request).dump()));
  }
  std::vector<LeaseStatus> acknowledge(std::span<const Lease> leases) {
    return leases_call("acknowledge", store_wire::leases_body(leases));
  }
  std::vector<LeaseStatus> extend(std::span<const Lease> leases, double seconds) {
    return leases_call("extend", store_wire::leases_body(leases, seconds));
  }
  std::vector<LeaseStatus> give_back(std::span<const Lease> leases) {
    return leases_call("give_back", store_wire::leases_body(leases));
  }
  std::size_t give_back_all(const std::string& reader) {
    require_utf8(reader, "reader", "HttpStore::give_back_all");
    return store_wire::Fields(call("give_back_all", nlohmann::json{{"reader", reader}}.dump()),
                              "the answer to give_back_all")
        .count("groups");
  }
  void forget(const std::string& run) {
    require_utf8(run, "run", "HttpStore::forget");
    call("forget", nlohmann::json{{"run", run}}.dump());
  }
  StoreStats stats() { return store_wire::read_stats(call("stats", {}, HttpMethod::get)); }

 private:
  std::vector<LeaseStatus> leases_call(const std::string& name, const nlohmann::json& body) {
    return store_wire::read_statuses(call(name, body.dump()));
  }

  std::string call(const std::string& name, const std::string& body,
                   HttpMethod method = HttpMethod::post) {
    HttpRequest request{.url = address_.server + address_.path + "/store/" + name,
                        .method = method,
                        .body = body,
                        .headers = headers_,
                        .timeout_seconds = options_.timeout_seconds};
    const std::lock_guard lock(mutex_);
    for (std::size_t attempt = 0;; ++attempt) {
      HttpReply reply = client_.fetch(request);
      if (reply.ok()) return std::move(reply.body);
      if (reply.failure == HttpFailure::too_large) too_large(request.url);
      const bool is_refused = refuses(reply.status);
      // The groups of a claim that comes too late are claimed: another one would claim more.
      const bool is_late = reply.failure == HttpFailure::timed_out && name == "claim";
      if (is_refused || is_late || attempt == options_.retries)
        fail(request.url, reply, is_refused);
      const double backoff =
          options_.backoff_seconds * static_cast<double>(1U << std::min<std::size_t>(attempt, 10));
      std::this_thread::sleep_for(std::chrono::duration<double>(
          std::min(options_.max_backoff_seconds, std::max(backoff, reply.retry_after_seconds))));
    }
  }

  /// Whether the same call would be refused again: not where the server had to wait for it (408),
  /// or asks for it later (425, 429).
  static bool refuses(int status) {
    return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
  }

  [[noreturn]] static void too_large(const std::string& url) {
    throw Error("the store's answer is larger than " +
                    std::to_string(HttpOptions{}.max_reply_bytes) + " bytes",
                url, "Lower ClaimRequest::max_bytes or the size of the groups");
  }

  [[noreturn]] static void fail(const std::string& url, const HttpReply& reply, bool is_refused) {
    const std::string said = reply.failure == HttpFailure::none
                                 ? "status " + std::to_string(reply.status) + ", " +
                                       printable(message_in(reply.body).substr(0, 300))
                                 : reply.reason;
    if (reply.status == 401)
      throw Error("the store refuses the token", url, "Set HttpStoreOptions::api_key_variable");
    if (reply.status == 413)
      throw Error("the store refuses a call: " + said, url,
                  "Commit fewer groups at once, or raise StoreServiceOptions::max_body_bytes");
    if (is_refused)
      throw Error("the store refuses a call: " + said, url, "Correct the call as the store says");
    throw StoreFault("the store does not answer: " + said, url,
                     "Start its service again, and make the same call again");
  }

  /// What a service says in `{"error": {"message": ...}}`; of another server all that it says.
  static std::string message_in(const std::string& body) {
    const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
    const nlohmann::json::json_pointer message("/error/message");
    if (!json.is_object() || !json.contains(message) || !json[message].is_string()) return body;
    return json[message].get<std::string>();
  }

  HttpStoreOptions options_;
  BaseUrl address_;
  std::vector<std::string> headers_;
  std::mutex mutex_;
  HttpClient client_;
};

}  // namespace dualagent
