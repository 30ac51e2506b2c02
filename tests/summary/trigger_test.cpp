#include "dualagent/summary/trigger.hpp"

#include <limits>
#include <string>

#include "laws/trigger_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

bool fires(const auto& trigger, ContextStatus status) { return trigger.should_summarize(status); }

struct ThirdTurn {  // a user's own
  bool should_summarize(const ContextStatus& status) const { return status.turns == 3; }
};

/// Breaks the law: it counts how often it was asked.
struct Moody {
  mutable int asked = 0;
  bool should_summarize(const ContextStatus&) const { return ++asked % 5 == 0; }
};

struct NoTrigger {
  int should_summarize(const ContextStatus&) const { return 1; }
};
static_assert(!SummaryTrigger<NoTrigger>);
static_assert(!SummaryTrigger<int>);

}  // namespace

TEST_CASE("a token budget fires beyond its tokens, not at them", "[summary][trigger]") {
  const TokenBudget trigger{.max_tokens = 80};
  CHECK(!fires(trigger, {.tokens = 79}));
  CHECK(!fires(trigger, {.tokens = 80}));
  CHECK(fires(trigger, {.tokens = 81}));
}

TEST_CASE("a window fraction fires beyond its share of the window", "[summary][trigger]") {
  const WindowFraction trigger{.fraction = 0.75};
  CHECK(!fires(trigger, {.tokens = 96, .max_tokens = 128}));  // exactly three quarters
  CHECK(fires(trigger, {.tokens = 97, .max_tokens = 128}));
  CHECK(!fires(trigger, {.tokens = 97, .max_tokens = 256}));
}

TEST_CASE("a turn count fires from its turn on", "[summary][trigger]") {
  const TurnCount trigger{.turns = 4};
  CHECK(!fires(trigger, {.turns = 3}));
  CHECK(fires(trigger, {.turns = 4}));
  CHECK(fires(trigger, {.turns = 5}));
}

TEST_CASE("never means never", "[summary][trigger]") {
  for (const ContextStatus& status : laws::many_statuses()) CHECK(!fires(Never{}, status));
}

TEST_CASE("triggers combine by or, and, not, users' own included", "[summary][trigger]") {
  const auto either = TokenBudget{.max_tokens = 80} || ThirdTurn{};
  const auto both = TokenBudget{.max_tokens = 80} && ThirdTurn{};
  const auto neither = !either;
  struct Case {
    ContextStatus status;
    bool long_context, third;
  };
  for (const Case& c : {Case{{.tokens = 80, .turns = 2}, false, false},
                        Case{{.tokens = 81, .turns = 2}, true, false},
                        Case{{.tokens = 80, .turns = 3}, false, true},
                        Case{{.tokens = 81, .turns = 3}, true, true}}) {
    CHECK(fires(either, c.status) == (c.long_context || c.third));
    CHECK(fires(both, c.status) == (c.long_context && c.third));
    CHECK(fires(neither, c.status) == !(c.long_context || c.third));
  }
  const auto nested = (TurnCount{.turns = 2} && !Never{}) || TokenBudget{.max_tokens = 1000};
  CHECK(fires(nested, {.tokens = 5, .turns = 2}));
  CHECK(fires(nested, {.tokens = 1001, .turns = 0}));
  CHECK(!fires(nested, {.tokens = 1000, .turns = 1}));
}

TEST_CASE("all triggers are pure, and the law finds one that is not", "[summary][trigger][laws]") {
  const laws::Violations none;
  CHECK(laws::of_trigger(Never{}) == none);
  CHECK(laws::of_trigger(TokenBudget{.max_tokens = 80}) == none);
  CHECK(laws::of_trigger(WindowFraction{}) == none);
  CHECK(laws::of_trigger(TurnCount{}) == none);
  CHECK(laws::of_trigger(ThirdTurn{}) == none);
  CHECK(laws::of_trigger(TokenBudget{} || (ThirdTurn{} && !TurnCount{})) == none);
  CHECK(!laws::of_trigger(Moody{}).empty());
}

namespace {
/// What a window of 100 tokens says of a trigger.
template <class Trigger>
std::string refusal(const Trigger& trigger) {
  return error_of([&] {
    validate_all(trigger);
    validate_for_window(100, trigger);
  });
}
}  // namespace

TEST_CASE("a trigger that can never fire, or always does, is refused", "[summary]") {
  CHECK_THAT(refusal(TokenBudget{.max_tokens = 100}),
             ContainsSubstring("max_tokens is 100, the context window has 100 tokens"));
  CHECK_THAT(refusal(TokenBudget{.max_tokens = 0}), ContainsSubstring("TokenBudget"));
  CHECK(refusal(TokenBudget{.max_tokens = 99}) == "no error");
  for (const double fraction : {0.0, 1.0, 1.5, -0.1, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THAT(refusal(WindowFraction{.fraction = fraction}), ContainsSubstring("WindowFraction"));
  CHECK(refusal(WindowFraction{}) == "no error");
  CHECK_THAT(refusal(TurnCount{.turns = 0}), ContainsSubstring("turns is 0 (TurnCount)"));
  CHECK_THAT(refusal(ThirdTurn{} || TokenBudget{.max_tokens = 2048}), ContainsSubstring("2048"));
  CHECK_THAT(refusal(TurnCount{.turns = 0} && Never{}), ContainsSubstring("TurnCount"));
  CHECK_THAT(refusal(!TokenBudget{.max_tokens = 2048}), ContainsSubstring("2048"));
  CHECK(refusal(Never{}) == "no error");
}

TEST_CASE("two triggers of one's own combine by name", "[summary]") {
  const EitherTrigger either{ThirdTurn{}, Moody{}};
  CHECK(fires(either, {.turns = 3}));
  CHECK(!fires(BothTriggers{ThirdTurn{}, Moody{}}, {.turns = 3}));
  CHECK(!fires(NotTrigger{ThirdTurn{}}, {.turns = 3}));
  // This file has `using namespace dualagent`.
  CHECK(fires(ThirdTurn{} || Moody{}, {.turns = 3}));
  CHECK(!fires(ThirdTurn{} && Moody{}, {.turns = 3}));
  CHECK(!fires(!ThirdTurn{}, {.turns = 3}));
}
