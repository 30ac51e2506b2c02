#pragma once

/// Needs cpp-httplib and SQLite: link dualagent::http_server and dualagent::sqlite. Not part of the
/// umbrella.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/net/http_server.hpp"
#include "dualagent/service/store_wire.hpp"
#include "dualagent/store/sqlite_task_queues.hpp"

namespace dualagent {

/// The reference system's queue server (`database_server.py`, port 18888), for its scripts as they
/// are, on queues that survive.
///
/// POST /taskCommit {listKey, taskData}, POST /taskFetch {listKey} and GET /health answer what that
/// server answers. Beyond it: a full queue is 429 with Retry-After; a text that was put into the
/// queue before is not put there again, and the answer's data has "repeated": true; /taskFetch
/// takes "taskId", the "taskId" or "id" that the task must have, and "leaseSeconds", after which an
/// unacknowledged task is handed out again; its answer then has "lease" for POST /taskAcknowledge
/// {lease}. Which of that system's defects are gone by this, and which need such a line in its
/// scripts: docs/store.md. Holds a reference to the queues. Errors: as HttpServer. Example:
/// SqliteTaskQueues queues("tasks.sqlite");
///          ReferenceQueueService service(queues, {.port = 18888});
///          service.start();
class ReferenceQueueService {
 public:
  explicit ReferenceQueueService(SqliteTaskQueues& queues, HttpServerOptions options = {})
      : queues_(queues), server_(std::move(options)) {
    on("POST", "/taskCommit", [this](HttpCall& call) { commit(call); });
    on("POST", "/taskFetch", [this](HttpCall& call) { fetch(call); });
    on("POST", "/taskAcknowledge", [this](HttpCall& call) { acknowledge(call); });
    on("GET", "/health", [this](HttpCall& call) { health(call); });
  }

  void start() { server_.start(); }
  void stop() { server_.stop(); }
  std::string url() const { return server_.url(); }
  int port() const { return server_.port(); }

 private:
  using Json = nlohmann::json;

  template <class Handle>
  void on(const std::string& method, const std::string& path, Handle handle) {
    server_.on(method, path, [handle = std::move(handle)](HttpCall& call) {
      try {
        handle(call);
      } catch (const StoreFault& fault) {
        refuse(call, 500, fault.what());
      } catch (const Error& error) {
        refuse(call, 400, error.what());
      }
    });
  }

  /// As the reference system's server refuses.
  static void refuse(HttpCall& call, int status, const std::string& why) {
    call.reply(status, Json{{"success", false},
                            {"data", {{"success", false}, {"errorMsg", printable(why)}}}}
                           .dump());
  }
  static void succeed(HttpCall& call, Json data) {
    data["success"] = true;
    call.reply(Json{{"success", true}, {"data", std::move(data)}});
  }

  static store_wire::Fields read(const HttpCall& call) {
    return {
        call.body(), call.path(),
        "Send the fields that docs/store.md and the reference system's database_server.py name"};
  }

  void commit(HttpCall& call) {
    const store_wire::Fields fields = read(call);
    const std::string task = fields.text("taskData");
    // For nlohmann_json a text ends at a NUL byte.
    if (task.find('\0') != std::string::npos || !Json::accept(task))
      return refuse(call, 400, "Invalid taskData JSON");
    const CommitResult result = queues_.commit(fields.text("listKey"), task);
    if (result.status == CommitStatus::stored)
      return succeed(call, result.repeated == 0 ? Json::object() : Json{{"repeated", true}});
    call.header("Retry-After", "1");
    refuse(call, 429, "Queue is full");
  }

  /// Whether a task has this "taskId" or "id".
  static bool has_id(const std::string& task, const std::string& wanted) {
    const Json json = Json::parse(task, nullptr, false);
    for (const char* name : {"taskId", "id"})
      if (json.is_object() && json.contains(name) && json[name] == wanted) return true;
    return false;
  }

  void fetch(HttpCall& call) {
    const store_wire::Fields fields = read(call);
    std::optional<std::string> id;
    if (fields.has("taskId")) id = fields.text("taskId");
    std::optional<double> lease_seconds;
    if (fields.has("leaseSeconds")) lease_seconds = fields.real("leaseSeconds");
    const std::optional<FetchedText> fetched = queues_.fetch(
        fields.text("listKey"), [&](const std::string& task) { return !id || has_id(task, *id); },
        lease_seconds);
    if (!fetched) return refuse(call, 200, "Queue is empty");
    Json data{{"taskData", fetched->text}};
    if (fetched->lease != 0) data["lease"] = fetched->lease;
    succeed(call, std::move(data));
  }

  void acknowledge(HttpCall& call) {
    if (queues_.acknowledge(read(call).number("lease")) == LeaseStatus::lost)
      return refuse(call, 409, "The lease is lost");
    succeed(call, Json::object());
  }

  void health(HttpCall& call) {
    Json names = Json::array(), sizes = Json::object();
    for (const auto& [name, size] : queues_.sizes()) {
      names.push_back(name);
      sizes[name] = size;
    }
    call.reply(Json{{"status", "healthy"}, {"queues", names}, {"sizes", sizes}});
  }

  SqliteTaskQueues& queues_;
  HttpServer server_;
};

}  // namespace dualagent
