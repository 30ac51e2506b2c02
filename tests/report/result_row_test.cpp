#include "dualagent/report/result_row.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a row is called by its label, else by its name", "[report]") {
  CHECK(ResultRow{.name = "dual"}.title() == "dual");
  CHECK(ResultRow{.name = "dual", .label = "Both trained"}.title() == "Both trained");
}

TEST_CASE("kinds of failure are listed once, in order of appearance", "[report]") {
  const std::vector<ResultRow> rows{
      {.name = "a", .failures_sampled = {{"late", 2}, {"wrong", 1}}},
      {.name = "b", .failures_sampled = {{"wrong", 4}, {"silent", 0}, {"late", 1}}},
      {.name = "c", .failures_greedy = {{"other", 9}}}};
  CHECK(failure_kinds(rows, &ResultRow::failures_sampled) ==
        std::vector<std::string>{"late", "wrong", "silent"});
  CHECK(failure_kinds(rows, &ResultRow::failures_greedy) == std::vector<std::string>{"other"});
  CHECK(count_failures(rows[1].failures_sampled, "wrong") == 4);
  CHECK(count_failures(rows[0].failures_sampled, "silent") == 0);
  const std::vector<FailureCount> split{{"late", 2}, {"wrong", 1}, {"late", 3}};
  CHECK(count_failures(split, "late") == 5);
}
