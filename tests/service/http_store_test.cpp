#include "dualagent/service/http_store.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "dualagent/service/store_service.hpp"
#include "dualagent/store/memory_store.hpp"
#include "laws/store_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/http_server.hpp"

using namespace dualagent;

namespace {

/// A store in memory, its service, and the other side.
class ServedStore : public HttpStore {
 public:
  struct Server {
    Server(StoreLimits limits, StoreClock now) : store(limits, std::move(now)), service(store) {
      service.start();
    }
    MemoryStore store;
    StoreService<MemoryStore> service;
  };
  ServedStore(StoreLimits limits, StoreClock now)
      : ServedStore(std::make_unique<Server>(limits, std::move(now))) {}
  using HttpStore::commit;

 private:
  explicit ServedStore(std::unique_ptr<Server> server)
      : HttpStore({.url = server->service.url()}), server_(std::move(server)) {}
  std::unique_ptr<Server> server_;
};

}  // namespace

TEST_CASE("a store behind HTTP keeps every law of a store", "[service]") {
  const auto violations = laws::of_store([](StoreLimits limits, StoreClock now) {
    return std::make_unique<ServedStore>(limits, now);
  });
  CHECK(violations == std::vector<std::string>{});
}

TEST_CASE("a call whose answer was lost is made again, and happens once", "[service]") {
  MemoryStore store;
  int calls = 0;
  const http_server::Server server(
      [&](const httplib::Request& request, httplib::Response& response) {
        const bool is_lost = ++calls % 2 == 1;  // the store has done it, its answer does not come
        if (request.path == "/store/commit") {
          const auto rollouts = store_wire::read_commit(request.body);
          response.body = store_wire::commit_reply(store.commit(rollouts)).dump();
        } else {
          const store_wire::Fields fields(request.body, "test");
          response.body =
              store_wire::statuses_reply(store.acknowledge(store_wire::read_leases(fields))).dump();
        }
        if (is_lost) response.status = 502;
      },
      "/store/.*");
  HttpStore client({.url = server.root(), .backoff_seconds = 0});
  CHECK(client.commit(training::group({})) == CommitResult{.repeated = 2});
  const ClaimResult claimed = store.claim({.run = "run", .reader = "reader", .max_groups = 9});
  REQUIRE(claimed.groups.size() == 1);
  CHECK(client.acknowledge(std::span(&claimed.groups[0].lease, 1)).at(0) == LeaseStatus::repeated);
  CHECK(store.stats().acknowledged_groups == 1);
  CHECK(calls == 4);
}

TEST_CASE("a server that asks to be asked later is asked again", "[service]") {
  int calls = 0;
  const http_server::Server server(
      [&](const httplib::Request&, httplib::Response& response) {
        constexpr int kStatuses[] = {408, 425, 429, 200};
        response.status = kStatuses[std::min(calls++, 3)];
        response.body = store_wire::stats_reply({.rollouts = 7}).dump();
      },
      "/store/.*");
  HttpStore client({.url = server.root(), .backoff_seconds = 0});
  CHECK(client.stats().rollouts == 7);
  CHECK(calls == 4);
}

TEST_CASE("a claim whose answer comes too late is not made again", "[service]") {
  std::promise<void> ended;
  const std::shared_future<void> has_ended(ended.get_future());
  std::atomic<int> calls = 0;
  {
    const http_server::Server server(
        [&, has_ended](const httplib::Request&, httplib::Response&) {
          ++calls;
          has_ended.wait();
        },
        "/store/.*");
    HttpStore client(
        {.url = server.root(), .timeout_seconds = 0.2, .retries = 2, .backoff_seconds = 0});
    CHECK_THROWS_AS(client.claim({.run = "run", .reader = "reader"}), StoreFault);
    ended.set_value();
  }
  CHECK(calls == 1);
}

TEST_CASE("a commit that is too large for a service says what to do", "[service]") {
  MemoryStore store;
  StoreService service(store, {.max_body_bytes = 100});
  service.start();
  HttpStore client({.url = service.url()});
  const std::string error = error_of([&] { client.commit(training::group({})); });
  CHECK(error.find("the store refuses a call: status 413, ") == 0);
  CHECK(error.find("StoreServiceOptions::max_body_bytes") != std::string::npos);
}

TEST_CASE("a store that cannot be asked says why", "[service]") {
  const http_server::ClosedPort closed;
  HttpStore gone({.url = closed.root(), .retries = 1, .backoff_seconds = 0});
  CHECK(error_of([&] { gone.stats(); }).find("the store does not answer: ") == 0);
  CHECK_THROWS_AS(gone.stats(), StoreFault);
  MemoryStore store;
  StoreService service(store, {.token = "secret"});
  service.start();
  ::setenv("DUALAGENT_TEST_STORE", "guess", 1);
  HttpStore stranger({.url = service.url(), .api_key_variable = "DUALAGENT_TEST_STORE"});
  CHECK(error_of([&] { stranger.stats(); }) ==
        "the store refuses the token (" + service.url() +
            "/store/stats). Set HttpStoreOptions::api_key_variable");
  ::setenv("DUALAGENT_TEST_STORE", "secret", 1);
  HttpStore known({.url = service.url(), .api_key_variable = "DUALAGENT_TEST_STORE"});
  ::setenv("DUALAGENT_TEST_STORE", "secret\n", 1);
  CHECK(error_of([&] {
          HttpStore unread({.url = service.url(), .api_key_variable = "DUALAGENT_TEST_STORE"});
        }).find("holds characters that a key cannot have") != std::string::npos);
  ::unsetenv("DUALAGENT_TEST_STORE");
  CHECK(known.stats() == StoreStats{});
  known.commit(std::vector{training::rollout({}, 0)});
  CHECK(error_of([&] { known.commit(training::group({.size = 3})); }) ==
        "the store refuses a call: status 400, a rollout is of a group of 3, the store has begun "
        "that group with 2 (run run, writer writer, step 0, group 0). Give each writer a name of "
        "its own (" +
            service.url() + "/store/commit). Correct the call as the store says");
  CHECK(error_of([] {
          HttpStore unnamed({.url = "10.0.0.7"});
        }).find("begins with neither http:// nor https://") != std::string::npos);
}

TEST_CASE("waits that no clock can be moved by are refused, not taken for none", "[service]") {
  const auto refused = [](HttpStoreOptions options) {
    options.url = "http://127.0.0.1:9";
    return error_of([&] { HttpStore store(std::move(options)); });
  };
  CHECK(refused({}) == "no error");
  CHECK_THAT(refused({.timeout_seconds = 1e10}), ContainsSubstring("timeout_seconds is 1e+10"));
  CHECK_THAT(refused({.backoff_seconds = 1e10}), ContainsSubstring("backoff_seconds is 1e+10"));
  CHECK_THAT(refused({.max_backoff_seconds = 1e10}),
             ContainsSubstring("max_backoff_seconds is 1e+10"));
}

TEST_CASE("a name that JSON cannot hold is refused before the call", "[service]") {
  MemoryStore store;
  StoreService service(store);
  service.start();
  HttpStore client({.url = service.url()});
  const std::string latin = "caf\xe9";
  for (const std::string& error :
       {error_of([&] { client.claim({.run = latin, .reader = "reader"}); }),
        error_of([&] { client.claim({.run = "run", .reader = latin}); }),
        error_of([&] { client.give_back_all(latin); }), error_of([&] { client.forget(latin); })})
    CHECK_THAT(error, ContainsSubstring("is not valid UTF-8"));
}
