#include "dualagent/report/text_table.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("results are a table with counts, percent and intervals", "[report]") {
  const std::vector<ResultRow> rows{
      {.name = "dual", .sampled = {13, 200}, .greedy = {198, 200}},
      {.name = "sliding", .label = "fen\xC3\xAAtre", .note = "same budget", .sampled = {0, 10}}};
  CHECK(
      text_table(rows) ==
      "                        sampled           95 % interval    greedy            95 % interval\n"
      "dual                     13/200   6.5 %     3.8 to 10.8   198/200   99.0 %    96.4 to 99.7\n"
      "fen\xC3\xAAtre (same budget)      0/10   0.0 %     0.0 to 27.8         -        -"
      "               -\n");
}

TEST_CASE("columns for tokens and seconds appear where a row has them", "[report]") {
  std::vector<ResultRow> rows{{.name = "a", .sampled = {1, 2}, .greedy = {1, 2}},
                              {.name = "b", .sampled = {1, 2}, .greedy = {1, 2}}};
  CHECK(text_table(rows).find("tokens/task") == std::string::npos);
  rows[1].tokens_per_task = 88.4;
  rows[1].seconds = 12.34;
  const std::string table = text_table(rows);
  CHECK_THAT(table, ContainsSubstring("tokens/task   seconds\n"));
  CHECK_THAT(table, ContainsSubstring("         88      12.3\n"));
  CHECK_THAT(table, ContainsSubstring("          -         -\n"));
}

TEST_CASE("all lines of a table are as wide as their columns, no more", "[report]") {
  const std::vector<ResultRow> rows{
      {.name = "a long name", .sampled = {100, 2000}, .greedy = {1, 2000}, .seconds = 1},
      {.name = "b", .sampled = {1, 2}, .greedy = {1, 2}, .seconds = 12345}};
  std::vector<std::size_t> widths;
  const std::string table = text_table(rows);
  for (std::size_t begin = 0; begin < table.size();) {
    const std::size_t end = table.find('\n', begin);
    CHECK(table[end - 1] != ' ');
    widths.push_back(count_characters(std::string_view(table).substr(begin, end - begin)));
    begin = end + 1;
  }
  CHECK(widths == std::vector<std::size_t>(3, widths[0]));
}

TEST_CASE("failures by kind are a table, one column per row", "[report]") {
  const std::vector<ResultRow> rows{
      {.name = "dual", .failures_sampled = {{"forgot", 12}}},
      {.name = "frozen", .failures_sampled = {{"malformed", 3}, {"forgot", 1}}}};
  CHECK(failure_table(rows) ==
        "failures by kind   dual   frozen\n"
        "forgot               12        1\n"
        "malformed             0        3\n");
  CHECK(failure_table(rows, &ResultRow::failures_greedy).empty());
}

TEST_CASE("without rows nothing is printed", "[report]") {
  CHECK(text_table({}).empty());
  CHECK(failure_table({}).empty());
}

TEST_CASE("labels cannot steer the terminal", "[report]") {
  const std::vector<ResultRow> rows{{.name = "\x1b[2J",
                                     .note = "a\nb",
                                     .sampled = {1, 2},
                                     .greedy = {1, 2},
                                     .failures_sampled = {{"\x07", 1}}}};
  const std::string text = text_table(rows) + failure_table(rows);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find('\x07') == std::string::npos);
  CHECK_THAT(text, ContainsSubstring("\\x1b[2J (a\\nb)"));
}
