#include "dualagent/summary/rewriter.hpp"

#include <vector>

#include "laws/rewriter_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

Tokens tokens_of(const Context& context) {
  return {context.tokens().begin(), context.tokens().end()};
}

std::vector<Provenance> provenances_of(const Context& context) {
  std::vector<Provenance> all;
  for (const Span& span : context.spans()) all.push_back(span.provenance);
  return all;
}

/// Prompt 1 2; turns 10 11, 20, 30 with observations 12, 21 22, 31; an older summary 9 before them.
Context three_turns() {
  Context context;
  context.append(Provenance::prompt, Tokens{1, 2});
  context.append(Provenance::summary, Tokens{9}, AgentRole::summarizer);
  context.append(BackendAccess::sampled(AgentRole::answerer, 5, {10, 11}, {-1.0F, -2.0F}));
  context.append(Provenance::observation, Tokens{12});
  context.append(BackendAccess::sampled(AgentRole::answerer, 5, {20}, {-1.0F}));
  context.append(Provenance::observation, Tokens{21, 22});
  context.append(BackendAccess::sampled(AgentRole::answerer, 5, {30}, {-1.0F}));
  context.append(Provenance::observation, Tokens{31});
  context.append(Provenance::injected, Tokens{40});
  context.append(BackendAccess::sampled(AgentRole::summarizer, 5, {50, 51}, {-1.0F, -1.0F}));
  return context;
}

const Tokens kSummary{50, 51};

/// Breaks the law: invents a token.
struct Inventive {
  static constexpr SummaryUse summary_use = SummaryUse::none;
  Context rewrite(const Context& old, std::span<const Token>) const {
    Context next = ReplaceBySummary{}.rewrite(old, {});
    next.append(Provenance::observation, Tokens{12345});
    return next;
  }
};
/// Breaks the law: forgets the prompt.
struct Forgetful {
  static constexpr SummaryUse summary_use = SummaryUse::required;
  Context rewrite(const Context&, std::span<const Token> summary) const {
    Context next;
    next.append(Provenance::summary, summary, AgentRole::summarizer);
    return next;
  }
};
/// Breaks the law: goes on in the old window, so that sampled tokens would be trained again.
struct CopiesAll {
  static constexpr SummaryUse summary_use = SummaryUse::none;
  Context rewrite(const Context& old, std::span<const Token>) const { return old; }
};

}  // namespace

TEST_CASE("replacing by a summary leaves prompt and summary", "[summary][rewriter]") {
  const Context next = ReplaceBySummary{}.rewrite(three_turns(), kSummary);
  CHECK(tokens_of(next) == Tokens{1, 2, 50, 51});
  CHECK(provenances_of(next) == std::vector{Provenance::prompt, Provenance::summary});
  CHECK(next.spans()[1].agent == AgentRole::summarizer);
  CHECK(count_turns(next) == 0);
}

TEST_CASE("keeping turns puts the last ones behind the summary, as given actions",
          "[summary][rewriter]") {
  const Context two = KeepLastTurns{.turns = 2}.rewrite(three_turns(), kSummary);
  CHECK(tokens_of(two) == Tokens{1, 2, 50, 51, 20, 21, 22, 30, 31});
  CHECK(provenances_of(two) == std::vector{Provenance::prompt, Provenance::summary,
                                           Provenance::action, Provenance::observation,
                                           Provenance::action, Provenance::observation});
  CHECK(count_turns(two) == 2);
  CHECK(two.log_probs()[4] == 0.0F);  // a copy has no log-probability of its own
  CHECK(two.weight_versions()[4] == 0);

  CHECK(tokens_of(KeepLastTurns{.turns = 0}.rewrite(three_turns(), kSummary)) ==
        Tokens{1, 2, 50, 51});
  CHECK(tokens_of(KeepLastTurns{.turns = 9}.rewrite(three_turns(), kSummary)) ==
        Tokens{1, 2, 50, 51, 10, 11, 12, 20, 21, 22, 30, 31});
}

TEST_CASE("kept turns are kept again when they are among the last", "[summary][rewriter]") {
  const Context once = KeepLastTurns{.turns = 2}.rewrite(three_turns(), kSummary);
  const Context again = KeepLastTurns{.turns = 2}.rewrite(once, Tokens{60});
  CHECK(tokens_of(again) == Tokens{1, 2, 60, 20, 21, 22, 30, 31});
  CHECK(again.spans()[2].provenance == Provenance::action);
}

TEST_CASE("what opens a turn is kept with it, a request for a summary is not",
          "[summary][rewriter]") {
  Context old;
  old.append(Provenance::prompt, Tokens{1, 2});
  for (const Token turn : {10, 20}) {
    old.append(Provenance::injected, Tokens{7});
    old.append(BackendAccess::sampled(AgentRole::answerer, 5, {turn}, {-1.0F}));
    old.append(Provenance::observation, Tokens{turn + 1});
  }
  old.append(Provenance::injected, Tokens{40});
  old.append(BackendAccess::sampled(AgentRole::summarizer, 5, {50, 51}, {-1.0F, -1.0F}));
  const Context one = KeepLastTurns{.turns = 1}.rewrite(old, kSummary);
  CHECK(tokens_of(one) == Tokens{1, 2, 50, 51, 7, 20, 21});
  CHECK(tokens_of(KeepLastTurns{.turns = 1}.rewrite(one, kSummary)) == tokens_of(one));
  CHECK(tokens_of(SlidingWindow{.max_tokens = 6}.rewrite(old, {})) == Tokens{1, 2, 7, 20, 21});
}

TEST_CASE("a sliding window drops whole oldest turns until it fits", "[summary][rewriter]") {
  const auto slide = [](std::size_t max_tokens) {
    return tokens_of(SlidingWindow{.max_tokens = max_tokens}.rewrite(three_turns(), {}));
  };
  CHECK(slide(100) == Tokens{1, 2, 10, 11, 12, 20, 21, 22, 30, 31});
  CHECK(slide(10) == Tokens{1, 2, 10, 11, 12, 20, 21, 22, 30, 31});
  CHECK(slide(9) == Tokens{1, 2, 20, 21, 22, 30, 31});
  CHECK(slide(6) == Tokens{1, 2, 30, 31});
  CHECK(slide(1) == Tokens{1, 2, 30, 31});  // prompt and last turn stay, even if too long
  Context empty;
  empty.append(Provenance::prompt, Tokens{1, 2});
  CHECK(tokens_of(SlidingWindow{.max_tokens = 1}.rewrite(empty, {})) == Tokens{1, 2});
}

TEST_CASE("a copy of a span keeps its agent and loses its log-probabilities",
          "[summary][rewriter]") {
  const Context old = three_turns();
  Context copy;
  for (const Span& span : old.spans()) append_copy(copy, old, span);
  CHECK(tokens_of(copy) == tokens_of(old));
  REQUIRE(copy.spans().size() == old.spans().size());
  for (std::size_t i = 0; i < copy.spans().size(); ++i) {
    const Span& span = old.spans()[i];
    CHECK(copy.spans()[i].agent == span.agent);
    CHECK(copy.spans()[i].provenance == (span.is_sampled() ? Provenance::action : span.provenance));
  }
  for (const float log_prob : copy.log_probs()) CHECK(log_prob == 0.0F);
}

TEST_CASE("all rewriters obey the laws, and the laws find those that do not",
          "[summary][rewriter][laws]") {
  const laws::Violations none;
  CHECK(laws::of_rewriter(ReplaceBySummary{}) == none);
  for (const std::size_t turns : {0u, 1u, 2u, 100u})
    CHECK(laws::of_rewriter(KeepLastTurns{.turns = turns}) == none);
  for (const std::size_t tokens : {0u, 1u, 8u, 100u})
    CHECK(laws::of_rewriter(SlidingWindow{.max_tokens = tokens}) == none);
  CHECK(!laws::of_rewriter(Inventive{}).empty());
  CHECK(!laws::of_rewriter(Forgetful{}).empty());
  CHECK(!laws::of_rewriter(CopiesAll{}).empty());
}

TEST_CASE("a sliding window as large as the context window is refused", "[summary]") {
  const auto refusal = [](std::size_t max_tokens) {
    return error_of([&] { validate_for_window(100, SlidingWindow{.max_tokens = max_tokens}); });
  };
  CHECK_THAT(refusal(100), ContainsSubstring("SlidingWindow"));
  CHECK_THAT(refusal(0), ContainsSubstring("SlidingWindow"));
  CHECK(refusal(99) == "no error");
}
