#include "two_books/result.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace two_books;

TEST_CASE("a result is read as it was written", "[two_books]") {
  const Result result{
      .seed = 3,
      .seconds = 12.5,
      .max_abs_log_ratio = 0.25,
      .rows = {{.name = "all",
                .sampled = {.tasks = 200, .solved = 180, .right_book = 190, .own_total = 185},
                .greedy = {.tasks = 200, .solved = 198, .right_book = 200, .own_total = 199}}}};
  TemporaryFolder folder;
  write_result(folder.path() / "result.json", result);
  const Result again = read_result(folder.path() / "result.json");
  CHECK(again.seed == 3);
  CHECK(again.row("all").sampled.right_book == 190);
  CHECK(again.row("all").greedy.own_total == 199);
  CHECK(again.max_abs_log_ratio == 0.25);
  CHECK_THROWS_WITH(again.row("final"), ContainsSubstring("no row \"final\""));
  CHECK(table_lines(again) ==
        "| 3 | all | 90.0 % / 99.0 % | 95.0 % / 100.0 % | 92.5 % / 99.5 % |\n");
  dualagent::write_file_atomically(folder.path() / "bad.json", "{}");
  CHECK_THROWS_WITH(read_result(folder.path() / "bad.json"), ContainsSubstring("bad.json"));
}

TEST_CASE("counts that cannot be are refused, and not made huge", "[two_books]") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& seed, const std::string& solved) {
    const std::string score =
        R"({"tasks": 2, "solved": )" + solved + R"(, "right_book": 2, "own_total": 0})";
    dualagent::write_file_atomically(
        folder / "result.json",
        R"({"seed": )" + seed + R"(, "seconds": 1, "max_abs_log_ratio": 0, "rows": [)" +
            R"({"name": "all", "sampled": )" + score + R"(, "greedy": )" + score + "}]}");
    return error_of([&] { read_result(folder / "result.json"); });
  };
  CHECK(refusal("3", "2") == "no error");
  CHECK_THAT(refusal("-3", "2"), ContainsSubstring("seed is -3, not a whole number"));
  CHECK_THAT(refusal("3", "-2"), ContainsSubstring("solved is -2, not a whole number"));
  CHECK_THAT(refusal("3", "1.5"), ContainsSubstring("solved is 1.5, not a whole number"));
  CHECK_THAT(refusal("3", "3"), ContainsSubstring("solved is 3, not a whole number from 0 to 2"));
}
