#include "dualagent/data/task.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a task has no limit of its own and no seed unless it says so", "[data]") {
  const Task task{.id = "a"};
  CHECK(task.prompt.empty());
  CHECK(task.answer.empty());
  CHECK(task.seed == 0);
  CHECK(!task.max_calls);
  CHECK(Task{.id = "b", .max_calls = 3}.max_calls == 3U);
}
