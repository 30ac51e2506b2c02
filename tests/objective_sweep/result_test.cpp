#include "objective_sweep/result.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace objective_sweep;

namespace {

ProblemResult books() {
  return {
      .name = "two_books",
      .title = "Two books",
      .seconds = 90,
      .rows = {{.evaluation = {.name = "warm_start",
                               .label = "warm start only",
                               .sampled = {40, 200},
                               .greedy = {0, 200}},
                .right_book = dualagent::Proportion{80, 200}},
               {.evaluation =
                    {.name = "grpo", .label = "GRPO", .sampled = {180, 200}, .greedy = {198, 200}},
                .trained_tokens = 123456.0,
                .seconds_per_step = 0.257,
                .right_book = dualagent::Proportion{191, 200}}}};
}

}  // namespace

TEST_CASE("a table has a line for each experiment, with intervals", "[objective_sweep]") {
  // Wilson intervals: 40/200 is 15.05..26.08 %, 0/200 0..1.88, 180/200 85.06..93.43, 198/200
  // 96.43..99.73, by the formula in Python.
  CHECK(table(books()) ==
        "| recipe, trained tokens of | sampled | 95 % interval | greedy | 95 % interval | right "
        "book | trained | s/step |\n"
        "|---------------------------|--------:|--------------:|-------:|--------------:|------"
        "-----:|--------:|-------:|\n"
        "| warm start only           |  20.0 % |  15.0 to 26.1 |  0.0 % |    0.0 to 1.9 |     "
        "40.0 % |       - |      - |\n"
        "| GRPO                      |  90.0 % |  85.1 to 93.4 | 99.0 % |  96.4 to 99.7 |     "
        "95.5 % |   123 k |   0.26 |\n");
}

TEST_CASE("a problem without books has no column for them", "[objective_sweep]") {
  ProblemResult ledger = books();
  for (Row& row : ledger.rows) row.right_book.reset();
  CHECK_THAT(table(ledger), !ContainsSubstring("right book"));
}

TEST_CASE("the result names seed, budget, counts and costs", "[objective_sweep]") {
  TemporaryFolder folder;
  const Result result{.seed = 20, .steps = 40, .warm_start_steps = 1700, .problems = {books()}};
  write_result(folder.path(), result);
  const auto json = nlohmann::json::parse(dualagent::read_file(folder / "result.json"));
  CHECK(json["seed"] == 20);
  CHECK(json["steps"] == 40);
  CHECK(json["warm_start_steps"] == 1700);
  CHECK(json["seconds"] == 90.0);
  const auto& problem = json["problems"].at(0);
  CHECK(problem["name"] == "two_books");
  CHECK(problem["rows"].size() == 2);
  CHECK_FALSE(problem["rows"][0].contains("trained_tokens"));
  const auto& row = problem["rows"][1];
  CHECK(row["name"] == "grpo");
  CHECK(row["label"] == "GRPO");
  CHECK(row["solved_sampled"] == 180);
  CHECK(row["trained_tokens"] == 123456.0);
  CHECK(row["seconds_per_step"] == 0.257);
  CHECK(row["right_book_sampled"] == 0.955);
  const std::string tables_text = dualagent::read_file(folder / "table.md");
  CHECK_THAT(tables_text, ContainsSubstring("Seed 20, 40 steps each, 200 held-out tasks") &&
                              ContainsSubstring(table(books())));
}
