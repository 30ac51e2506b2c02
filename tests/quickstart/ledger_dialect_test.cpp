#include "quickstart/ledger_dialect.hpp"

#include <set>
#include <string>
#include <vector>

#include "laws/dialect_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;
namespace vocabulary = quickstart::vocabulary;

namespace {

/// Tokens from a line as people write it: tags and single characters, separated by spaces.
std::vector<Token> tokens(const std::string& line) {
  std::vector<Token> result;
  for (std::size_t begin = 0; begin < line.size();) {
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    const std::string word = line.substr(begin, end - begin);
    for (Token t = 0; t < static_cast<Token>(vocabulary::kSize); ++t)
      if (vocabulary::text(t) == word) result.push_back(t);
    begin = end + 1;
  }
  return result;
}

const quickstart::LedgerDialect dialect;

}  // namespace

TEST_CASE("every one of the 79 tokens has a text of its own", "[quickstart]") {
  std::set<std::string> texts;
  for (Token t = 0; t < 79; ++t) texts.insert(vocabulary::text(t));
  CHECK(texts.size() == 79);
  CHECK(vocabulary::text(vocabulary::token('T')) == "T");
  CHECK(vocabulary::digit(vocabulary::token('7')) == 7);
  CHECK(!vocabulary::digit(vocabulary::token('T')));
  CHECK_THROWS_WITH(vocabulary::token('!'), ContainsSubstring("'!' has no token"));
}

TEST_CASE("prompt and observation are written as in the grammar", "[quickstart]") {
  CHECK(dialect.prompt({.id = "x", .prompt = "sum:T+25?", .answer = "42"}) ==
        tokens("<bos> s u m : T + 2 5 ?"));
  const std::vector<std::string> result{"ab=9T=4>I"};
  CHECK(dialect.observation(result) == tokens("<obs> a b = 9 T = 4 > I </obs>"));
  const std::vector<std::string> strange{"no\n"};
  CHECK(dialect.observation(strange) == tokens("<obs> n o ? </obs>"));
}

TEST_CASE("turns are calls, answers or malformed", "[quickstart]") {
  const Turn call = dialect.parse_turn(tokens("<tool_call> T </tool_call>"));
  REQUIRE(std::holds_alternative<std::vector<ToolCall>>(call));
  CHECK(std::get<std::vector<ToolCall>>(call)[0].arguments == R"({"page":"T"})");
  const Turn answer = dialect.parse_turn(tokens("<answer> 3 8 A 4 4 2 </answer>"));
  REQUIRE(std::holds_alternative<Answer>(answer));
  CHECK(std::get<Answer>(answer).text == "42");
  for (const char* line : {"<answer> </answer>", "<answer> 4 </answer>", "T", "<answer> 4 2",
                           "<tool_call> t </tool_call>", "<tool_call> T T", "<summary> 4 2"})
    CHECK(std::holds_alternative<MalformedTurn>(dialect.parse_turn(tokens(line))));
  CHECK(std::holds_alternative<MalformedTurn>(dialect.parse_turn({})));
}

TEST_CASE("sampling stops as soon as a turn cannot be saved", "[quickstart]") {
  const auto broken = dialect.turn_stop().stop_early;
  CHECK(broken(tokens("<obs>")));
  CHECK(!broken(tokens("<tool_call>")));
  CHECK(broken(tokens("<tool_call> 4")));
  CHECK(!broken(tokens("<tool_call> T")));
  CHECK(broken(tokens("<tool_call> T T")));
  CHECK(!broken(tokens("<answer> T T T")));
  CHECK(dialect.summary_stop().stop_early(tokens("<answer>")));
  CHECK(!dialect.summary_stop().stop_early(tokens("<summary> T")));
  CHECK(dialect.check_summary(tokens("T </summary>")).has_value());
  CHECK(!dialect.check_summary(tokens("<summary> L 2 5 </summary>")).has_value());
}

TEST_CASE("a summary is shown with the page to look up next at its end", "[quickstart]") {
  CHECK(dialect.present_summary(tokens("<summary> L 2 5 T 4 2 9 </summary>")) ==
        tokens("<summary> 2 5 T 4 2 9 > L </summary>"));
  CHECK(dialect.present_summary(tokens("<summary> L </summary>")) ==
        tokens("<summary> > L </summary>"));
  for (const char* const cut : {"<summary>", "<summary> </summary>"})
    CHECK(dialect.present_summary(tokens(cut)) == tokens(cut));
}

TEST_CASE("the ledger dialect obeys the laws of dialects", "[quickstart][laws]") {
  const std::vector<Task> tasks{{.id = "x", .prompt = "sum:T+25?", .answer = "42"}};
  CHECK(laws::of_dialect(dialect, tasks, vocabulary::kSize) == laws::Violations{});
}
