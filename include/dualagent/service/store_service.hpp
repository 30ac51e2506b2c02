#pragma once

/// Needs cpp-httplib: link the CMake target dualagent::http_server. Not part of the umbrella.

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/net/http_server.hpp"
#include "dualagent/service/store_wire.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// How a store is served: as HttpServerOptions, but for bodies as large as commits are.
struct StoreServiceOptions {
  std::string host = "127.0.0.1";  ///< IPv4 address of the interface; 0.0.0.0: all of them
  int port = 0;                    ///< 0: any that is free, see StoreService::port
  std::string token = {};          ///< what clients have to say; empty: only for 127.0.0.1
  std::size_t max_connections = 256;
  /// Of a commit; a larger one is answered 413. 64 MiB are e.g. 32,768 rollouts of 2 KiB.
  std::size_t max_body_bytes = std::size_t{64} << 20U;
  HttpPatience patience = {};

  HttpServerOptions http() const {
    return {.host = host,
            .port = port,
            .token = token,
            .max_connections = max_connections,
            .max_body_bytes = max_body_bytes,
            .patience = patience};
  }
};

/// A store behind HTTP, for processes on other machines: HttpStore is the other side.
///
/// POST /store/commit, /store/claim, /store/acknowledge, /store/extend, /store/give_back,
/// /store/give_back_all, /store/forget; GET /store/stats and /health. A call is answered once the
/// store has done it: what the store makes durable is durable then. Calls run side by side, each on
/// its connection's thread, so that an SqliteStore's commits share flushes. /health asks the store.
/// What cannot be meant is answered 400 with the sentence; a StoreFault 503 with Retry-After. The
/// token, limits and slow clients are HttpServer's business: give `options.token` where others
/// reach the port. Holds a reference to the store. Errors: as HttpServer. Example: SqliteStore
/// store("rollouts.sqlite");
///          StoreService service(store, {.host = "0.0.0.0", .port = 18889, .token = token});
///          service.start();
template <class Store>
class StoreService {
  static_assert(check_trajectory_store<Store>());

 public:
  explicit StoreService(Store& store, const StoreServiceOptions& options = {})
      : store_(store), server_(options.http()) {
    on("/store/commit", [this](const std::string& body) {
      const std::vector<TrainingRollout> rollouts = store_wire::read_commit(body);
      return store_wire::commit_reply(store_.commit(std::span<const TrainingRollout>(rollouts)))
          .dump();
    });
    on("/store/claim", [this](const std::string& body) {
      return store_wire::claim_reply(store_.claim(store_wire::read_claim(body)));
    });
    on_leases("acknowledge", [this](std::span<const Lease> leases, const auto&) {
      return store_.acknowledge(leases);
    });
    on_leases("give_back", [this](std::span<const Lease> leases, const auto&) {
      return store_.give_back(leases);
    });
    on_leases("extend", [this](std::span<const Lease> leases, const store_wire::Fields& fields) {
      return store_.extend(leases, fields.real("seconds"));
    });
    on("/store/give_back_all", [this](const std::string& body) {
      const store_wire::Fields fields(body, "the body of give_back_all");
      return nlohmann::json{{"groups", store_.give_back_all(fields.text("reader"))}}.dump();
    });
    on("/store/forget", [this](const std::string& body) {
      store_.forget(store_wire::Fields(body, "the body of forget").text("run"));
      return std::string("{}");
    });
    on(
        "/store/stats",
        [this](const std::string&) { return store_wire::stats_reply(store_.stats()).dump(); },
        "GET");
    on(
        "/health",
        [this](const std::string&) {
          store_.stats();
          return nlohmann::json{{"status", "healthy"}}.dump();
        },
        "GET");
  }

  void start() { server_.start(); }
  void stop() { server_.stop(); }
  std::string url() const { return server_.url(); }
  int port() const { return server_.port(); }
  /// For further paths, before `start`.
  HttpServer& server() { return server_; }

 private:
  /// `answer(body)` returns the body of the reply.
  template <class Answer>
  void on(const std::string& path, Answer answer, const char* method = "POST") {
    server_.on(method, path, [answer = std::move(answer)](HttpCall& call) {
      try {
        call.reply(200, answer(call.body()));
      } catch (const StoreFault& fault) {
        throw HttpRefusal(503, fault.problem(), fault.where(), fault.remedy(), 1);
      } catch (const Error& error) {
        throw HttpRefusal(400, error.problem(), error.where(), error.remedy());
      }
    });
  }
  template <class Act>
  void on_leases(const std::string& name, Act act) {
    on("/store/" + name, [act = std::move(act), name](const std::string& body) {
      const store_wire::Fields fields(body, "the body of " + name);
      const std::vector<Lease> leases = store_wire::read_leases(fields);
      return store_wire::statuses_reply(act(std::span<const Lease>(leases), fields)).dump();
    });
  }

  Store& store_;
  HttpServer server_;
};

}  // namespace dualagent
