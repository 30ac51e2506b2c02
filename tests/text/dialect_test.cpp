#include "dualagent/text/dialect.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "laws/dialect_laws.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

const std::vector<Task> kTasks{{.id = "a", .prompt = "1"}, {.id = "b", .prompt = ""}};

struct Throws : toy::Dialect {
  Turn parse_turn(std::span<const Token> tokens) const {
    if (tokens.size() == 5) throw std::runtime_error("five tokens");
    return toy::Dialect::parse_turn(tokens);
  }
};
struct OutsideVocabulary : toy::Dialect {
  Tokens observation(std::span<const std::string> results) const {
    return {static_cast<Token>(toy::vocab + results.size())};
  }
};
struct EmptyPrompt : toy::Dialect {
  Tokens prompt(const Task&) const { return {}; }
};
struct NeverStops : toy::Dialect {
  StopRule turn_stop() const { return {{toy::end}, 0, nullptr}; }
};

static_assert(!DemonstrableDialect<toy::Dialect>);  // it cannot write what is said

struct NoCorrection {
  Tokens prompt(const Task&) const { return {}; }
};
static_assert(!ToolDialect<NoCorrection>);

}  // namespace

TEST_CASE("a dialect obeys the laws, and the laws find those that do not", "[text][laws]") {
  const laws::Violations none;
  CHECK(laws::of_dialect(toy::Dialect{}, kTasks, toy::vocab) == none);
  CHECK(laws::of_dialect(toy::Dialect{.corrects = true}, kTasks, toy::vocab) == none);
  CHECK_THAT(laws::of_dialect(Throws{}, kTasks, toy::vocab).at(0),
             ContainsSubstring("five tokens"));
  CHECK_THAT(laws::of_dialect(OutsideVocabulary{}, kTasks, toy::vocab).at(0),
             ContainsSubstring("observation holds token 20"));
  CHECK_THAT(laws::of_dialect(EmptyPrompt{}, kTasks, toy::vocab).at(0),
             ContainsSubstring("prompt of task 'a' is empty"));
  CHECK_THAT(laws::of_dialect(NeverStops{}, kTasks, toy::vocab).at(0),
             ContainsSubstring("turn_stop allows no token"));
}

TEST_CASE("a turn is calls, an answer or malformed", "[text]") {
  const toy::Dialect dialect;
  const Turn call = dialect.parse_turn(Tokens{toy::call, toy::digit(3), toy::end});
  const auto* calls = std::get_if<std::vector<ToolCall>>(&call);
  REQUIRE(calls != nullptr);
  REQUIRE(calls->size() == 1);
  CHECK(calls->at(0).tool == "successor");
  CHECK(calls->at(0).arguments == "{\"x\":3}");
  const Turn answer = dialect.parse_turn(Tokens{toy::answer, toy::digit(3), toy::end});
  REQUIRE(std::holds_alternative<Answer>(answer));
  CHECK(std::get<Answer>(answer).text == "3");
  CHECK(std::holds_alternative<MalformedTurn>(dialect.parse_turn(Tokens{toy::end})));
}
