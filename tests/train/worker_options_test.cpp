#include "dualagent/train/worker_options.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a worker's part is one of as many as there are", "[train][async]") {
  CHECK_NOTHROW(WorkerOptions{}.validate());
  CHECK_NOTHROW(WorkerOptions{.part = {2, 3}}.validate());
  CHECK_THROWS_WITH((WorkerOptions{.part = {3, 3}}.validate()), ContainsSubstring("part 3 of 3"));
  CHECK_THROWS_WITH(WorkerOptions{.writer = ""}.validate(), ContainsSubstring("writer is empty"));
  CHECK_THROWS_WITH((WorkerOptions{.part = {0, 0}}.validate()), ContainsSubstring("part.of"));
}

TEST_CASE("a worker's metrics are visited in their order", "[train][async]") {
  std::string seen;
  WorkerMetrics{.groups = 1,
                .rollouts = 2,
                .sampled_tokens = 3,
                .refits = 4,
                .weight_seconds = 5,
                .room_seconds = 6}
      .for_each([&](const char* name, double value) {
        seen += std::string(name) + " " + std::to_string(static_cast<int>(value)) + "\n";
      });
  CHECK(seen ==
        "worker_groups 1\nworker_rollouts 2\nworker_sampled_tokens 3\nworker_refits 4\n"
        "worker_weight_seconds 5\nworker_room_seconds 6\n");
}
