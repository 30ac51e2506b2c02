// Bodies and answers are those of the reference system's database_server.py and database_utils.py.
#include "dualagent/service/reference_queue_service.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "dualagent/net/http_client.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using nlohmann::json;

namespace {

struct Served {
  explicit Served(TaskQueuesOptions options = {}, HttpServerOptions server = {})
      : queues(folder / "tasks.sqlite", options), service(queues, std::move(server)) {
    service.start();
  }
  HttpReply ask(const std::string& path, const json& body) {
    HttpClient client;
    if (body.is_null())
      return client.fetch({.url = service.url() + path, .method = HttpMethod::get});
    return client.fetch({.url = service.url() + path, .body = body.dump()});
  }
  json commit(const std::string& task, const std::string& key = "summary_queue_x") {
    return json::parse(ask("/taskCommit", {{"listKey", key}, {"taskData", task}}).body);
  }
  json fetch(json body = {{"listKey", "summary_queue_x"}}) {
    return json::parse(ask("/taskFetch", body).body);
  }

  TemporaryFolder folder;
  SqliteTaskQueues queues;
  ReferenceQueueService service;
};

const json kEmpty =
    json::parse(R"({"success": false, "data": {"success": false, "errorMsg": "Queue is empty"}})");

}  // namespace

TEST_CASE("the reference system's scripts are answered as by its own server", "[service]") {
  Served served;
  CHECK(served.fetch() == kEmpty);
  CHECK(served.commit(R"({"taskId": "a"})") ==
        json::parse(R"({"success": true, "data": {"success": true}})"));
  CHECK(served.commit(R"({"taskId": "b"})")["success"] == true);
  CHECK(served.fetch() ==
        json::parse(
            R"({"success": true, "data": {"success": true, "taskData": "{\"taskId\": \"a\"}"}})"));
  const json health = json::parse(served.ask("/health", nullptr).body);
  CHECK(health["status"] == "healthy");
  CHECK(health["queues"] == json{"summary_queue_x"});
  const HttpReply invalid = served.ask("/taskCommit", {{"listKey", "k"}, {"taskData", "{"}});
  CHECK(invalid.status == 400);
  CHECK(json::parse(invalid.body)["data"]["errorMsg"] == "Invalid taskData JSON");
  const HttpReply more =
      served.ask("/taskCommit", {{"listKey", "k"}, {"taskData", std::string("{}\0more", 7)}});
  CHECK(more.status == 400);
  for (const json& body :
       {json{{"listKey", "k"}}, json{{"listKey", 1}, {"taskData", "{}"}}, json(1)})
    CHECK(served.ask("/taskCommit", body).status == 400);
  const HttpReply unnamed = served.ask("/taskFetch", json::object());
  CHECK(unnamed.status == 400);
  CHECK(json::parse(unnamed.body)["data"]["errorMsg"] ==
        "\"listKey\" is not a text (/taskFetch). Send the fields that docs/store.md and the "
        "reference system's database_server.py name");
  HttpClient client;
  CHECK(client
            .fetch({.url = served.service.url() + "/taskFetch",
                    .body = R"({"listKey": "a", "listKey": "b"})"})
            .status == 400);
}

TEST_CASE("what the reference system's server loses or doubles is there once", "[service]") {
  Served served({.max_texts = 2});
  served.commit(R"({"taskId": "a"})");
  CHECK(served.commit(R"({"taskId": "a"})") ==  // the answer was lost
        json::parse(R"({"success": true, "data": {"success": true, "repeated": true}})"));
  served.commit(R"({"taskId": "b"})");
  const HttpReply full =
      served.ask("/taskCommit", {{"listKey", "summary_queue_x"}, {"taskData", "{}"}});
  CHECK(full.status == 429);
  CHECK(full.retry_after_seconds == 1);
  CHECK(json::parse(full.body)["data"]["errorMsg"] == "Queue is full");
  // One line more in a script: it gets its own task, and nobody's is dropped.
  CHECK(served.fetch({{"listKey", "summary_queue_x"}, {"taskId", "c"}}) == kEmpty);
  CHECK(served.fetch({{"listKey", "summary_queue_x"}, {"taskId", "b"}})["data"]["taskData"] ==
        R"({"taskId": "b"})");
  const json leased = served.fetch({{"listKey", "summary_queue_x"}, {"leaseSeconds", 600}});
  CHECK(leased["data"]["taskData"] == R"({"taskId": "a"})");
  CHECK(served.fetch() == kEmpty);
  const json lease{{"lease", leased["data"]["lease"]}};
  CHECK(served.ask("/taskAcknowledge", lease).status == 200);
  CHECK(served.ask("/taskAcknowledge", lease).status == 200);
  CHECK(served.ask("/taskAcknowledge", {{"lease", 99}}).status == 409);
  CHECK(served.ask("/taskAcknowledge", {{"lease", "x"}}).status == 400);
}

TEST_CASE("with a token the reference system's paths answer nobody else", "[service]") {
  Served served({}, {.token = "secret"});
  CHECK(served.ask("/taskFetch", {{"listKey", "k"}}).status == 401);
  CHECK(served.ask("/health", nullptr).status == 401);
}
