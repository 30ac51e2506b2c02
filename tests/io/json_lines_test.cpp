#include "dualagent/io/json_lines.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("rows are lines that are not blank, numbered as an editor does", "[io]") {
  std::vector<std::string> seen;
  for_each_row("a\n\n \t\r\nb\r\nc", "f.jsonl",
               [&](std::string_view row, std::size_t line, const std::string& where) {
                 CHECK(where == "f.jsonl:" + std::to_string(line));
                 seen.push_back(std::string(row) + "@" + std::to_string(line));
               });
  CHECK(seen == std::vector<std::string>{"a@1", "b\r@4", "c@5"});
  for_each_row("", "f.jsonl", [&](auto...) { FAIL("an empty text has no rows"); });
}
