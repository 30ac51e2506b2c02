#include "dualagent/service/http_store.hpp"

#include <functional>
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

TEST_CASE("a store that cannot be asked says why", "[service]") {
  const http_server::ClosedPort closed;
  HttpStore gone({.url = closed.root(), .retries = 1, .backoff_seconds = 0});
  CHECK(error_of([&] { gone.stats(); }).find("the store does not answer: ") == 0);
  CHECK_THROWS_AS(gone.stats(), StoreFault);
  MemoryStore store;
  StoreService service(store, {.token = "secret"});
  service.start();
  HttpStore stranger({.url = service.url(), .token = "guess"});
  CHECK(error_of([&] { stranger.stats(); }) == "the store refuses the token (" + service.url() +
                                                   "/store/stats). Set HttpStoreOptions::token");
  HttpStore known({.url = service.url(), .token = "secret"});
  CHECK(known.stats() == StoreStats{});
  known.commit(std::vector{training::rollout({}, 0)});
  CHECK(error_of([&] {
          known.commit(training::group({.size = 3}));
        }).find("has begun that group with 2") != std::string::npos);
  CHECK(error_of([] {
          HttpStore unnamed({.url = "10.0.0.7"});
        }).find("begins with neither http:// nor https://") != std::string::npos);
}
