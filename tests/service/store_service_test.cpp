#include "dualagent/service/store_service.hpp"

#include <string>
#include <thread>
#include <vector>

#include "dualagent/net/http_client.hpp"
#include "dualagent/store/memory_store.hpp"
#include "support/catch.hpp"
#include "support/training_rollouts.hpp"

using namespace dualagent;

namespace {

HttpReply ask(const StoreService<MemoryStore>& service, const std::string& path,
              const std::string& body, const std::string& token = "secret") {
  HttpClient client;
  HttpRequest request{.url = service.url() + path, .body = body};
  if (body.empty()) request.method = HttpMethod::get;
  if (!token.empty()) request.headers.push_back("Authorization: Bearer " + token);
  return client.fetch(request);
}

}  // namespace

TEST_CASE("without the token a store's service answers nothing", "[service]") {
  MemoryStore store;
  StoreService service(store, {.token = "secret"});
  service.start();
  for (const std::string token : {"", "wrong"}) {
    CHECK(ask(service, "/health", "", token).status == 401);
    CHECK(ask(service, "/store/stats", "", token).status == 401);
    const std::string body = store_wire::commit_body(training::group({}));
    CHECK(ask(service, "/store/commit", body, token).status == 401);
  }
  CHECK(store.stats().rollouts == 0);
  CHECK(ask(service, "/health", "").body == R"({"status":"healthy"})");
  CHECK(ask(service, "/store/commit", store_wire::commit_body(training::group({}))).body ==
        R"({"late":0,"repeated":0,"status":"stored","stored":2})");
}

TEST_CASE("a store's service with nothing but a token takes the commit of a large step",
          "[service]") {
  MemoryStore store;
  StoreService service(store, {.token = "secret"});
  service.start();
  const auto group = training::group({.size = 2, .tokens = 400'000});
  const std::string body = store_wire::commit_body(group);
  REQUIRE(body.size() > std::size_t{5} << 20U);
  CHECK(ask(service, "/store/commit", body).status == 200);
  CHECK(store.stats().ready_groups == 1);
}

TEST_CASE("a store's service answers what cannot be meant with a sentence", "[service]") {
  MemoryStore store;
  StoreService service(store, {.token = "secret"});
  service.start();
  std::string damaged = store_wire::commit_body(training::group({}));
  damaged[damaged.size() / 2] ^= 1;
  for (const std::string& body : {std::string("x"), std::string(100, '\xff'), damaged}) {
    const HttpReply reply = ask(service, "/store/commit", body);
    CHECK(reply.status == 400);
    CHECK(reply.body.find("\"message\"") != std::string::npos);
  }
  for (const char* body : {"[]", "{", R"({"run":"a"})", R"({"leases":[-1]})", R"({"leases":3})"})
    for (const char* path : {"/store/claim", "/store/acknowledge", "/store/extend",
                             "/store/give_back", "/store/give_back_all"})
      CHECK(ask(service, path, body).status == 400);
  CHECK(ask(service, "/store/claim",
            store_wire::claim_body({.run = "run", .reader = "reader", .max_groups = 0}).dump())
            .body.find("max_groups is 0") != std::string::npos);
  CHECK(ask(service, "/store/nothing", "{}").status == 404);
  CHECK(store.stats() == StoreStats{});
}

namespace {
/// Its disk has failed.
struct FailingStore {
  CommitResult commit(std::span<const TrainingRollout>) { throw StoreFault("no disk", "here"); }
  ClaimResult claim(const ClaimRequest&) { throw StoreFault("no disk", "here"); }
  std::vector<LeaseStatus> acknowledge(std::span<const Lease>) { return {}; }
  std::vector<LeaseStatus> extend(std::span<const Lease>, double) { return {}; }
  std::vector<LeaseStatus> give_back(std::span<const Lease>) { return {}; }
  std::size_t give_back_all(const std::string&) { return 0; }
  void forget(const std::string&) {}
  StoreStats stats() { throw StoreFault("no disk", "here"); }
};
}  // namespace

TEST_CASE("a store that fails is 503, to be asked again", "[service]") {
  FailingStore store;
  StoreService service(store);
  service.start();
  HttpClient client;
  const HttpReply reply =
      client.fetch({.url = service.url() + "/store/commit", .body = store_wire::commit_body({})});
  CHECK(reply.status == 503);
  CHECK(reply.retry_after_seconds == 1);
  CHECK(reply.body.find("no disk (here)") != std::string::npos);
  CHECK(client.fetch({.url = service.url() + "/health", .method = HttpMethod::get}).status == 503);
}
