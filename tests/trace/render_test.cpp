#include "dualagent/trace/render.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

std::string number(Token token) { return std::to_string(token); }

/// Selects all that it is asked about, as AllSegments does.
struct Everything {
  bool trains(const Rollout&, std::size_t, const Span&) const { return true; }
};
struct Nothing {
  bool trains(const Rollout&, std::size_t, const Span&) const { return false; }
};
struct SecondSegment {
  bool trains(const Rollout&, std::size_t segment, const Span&) const { return segment == 1; }
};

/// Shared weights: turn 3 4, observation 5 6 7, request 8, summary 9; then [prompt, summary] and
/// the answer 10 11.
Rollout summarized() {
  Rollout rollout;
  rollout.task_id = "t1";
  rollout.member = 2;
  rollout.ending = "answered";
  rollout.answer = "42";
  rollout.reward = 0.5;
  Segment first;
  first.context.append(Provenance::prompt, Tokens{1, 2});
  first.context.append(BackendAccess::sampled(AgentRole::answerer, 0, {3, 4}, {-1.0F, -1.0F}));
  first.context.append(Provenance::observation, Tokens{5, 6, 7});
  first.context.append(Provenance::injected, Tokens{8});
  first.context.append(BackendAccess::sampled(AgentRole::summarizer, 0, {9}, {-1.0F}));
  Segment second{AgentRole::answerer, 0, {}};
  second.context.append(Provenance::prompt, Tokens{1, 2});
  second.context.append(Provenance::summary, Tokens{9}, AgentRole::summarizer);
  second.context.append(BackendAccess::sampled(AgentRole::answerer, 0, {10, 11}, {-1.0F, -1.0F}));
  rollout.segments = {first, second};
  return rollout;
}

}  // namespace

TEST_CASE("a rollout is rendered with who spoke, what was trained and what a summary replaced",
          "[trace][render]") {
  CHECK(render(summarized(), number, Everything{}) ==
        "task t1, rollout 2: finished (answered), answer \"42\", reward 0.5\n"
        "segment 1, answerer, 9 tokens\n"
        "[task]  1 2\n"
        "[ANS] * 3 4\n"
        "[env]   5 6 7\n"
        "[req]   8\n"
        "[SUM] * 9\n"
        "segment 2, answerer, 5 tokens; a summary of 1 tokens replaces 5 tokens of segment 1\n"
        "[task]  1 2\n"
        "[sum]   9\n"
        "[ANS] * 10 11\n"
        "* trained: 5 of 14 tokens\n");
}

TEST_CASE("a summary in a window of its own says what it summarizes", "[trace][render]") {
  Rollout rollout = summarized();
  Segment own{AgentRole::summarizer, 0, {}};
  own.context.append(Provenance::prompt, Tokens{1, 2});
  own.context.append(Provenance::action, Tokens{3, 4});
  own.context.append(Provenance::demonstration, Tokens{9}, AgentRole::summarizer);
  rollout.segments.insert(rollout.segments.begin() + 1, own);
  const std::string text = render(rollout, number, Everything{});
  CHECK_THAT(text, ContainsSubstring("segment 2, summarizer, 5 tokens; summarizes segment 1\n"
                                     "[task]  1 2\n"
                                     "[ans]   3 4\n"
                                     "[dSUM]  9\n"));
  CHECK_THAT(text, ContainsSubstring("* trained: 5 of 19 tokens\n"));
}

TEST_CASE("a view that selects everything marks no given token", "[trace][render]") {
  const std::string text = render(summarized(), number, SecondSegment{});
  CHECK_THAT(text, ContainsSubstring("[ANS]   3 4\n") && ContainsSubstring("[SUM]   9\n") &&
                       ContainsSubstring("[sum]   9\n[ANS] * 10 11\n* trained: 2 of 14 tokens\n"));
  CHECK_THAT(render(summarized(), number, Nothing{}),
             ContainsSubstring("* trained: 0 of 14 tokens\n"));
}

TEST_CASE("nothing of an aborted rollout is trained", "[trace][render]") {
  Rollout rollout = summarized();
  rollout.status = RolloutStatus::truncated;
  CHECK_THAT(render(rollout, number, Everything{}),
             ContainsSubstring("* trained: 5 of 14 tokens\n"));
  rollout.status = RolloutStatus::aborted;
  CHECK_THAT(render(rollout, number, Everything{}),
             ContainsSubstring("* trained: 0 of 14 tokens\n"));
}

TEST_CASE("hostile tokens, tasks and answers cannot steer a terminal", "[trace][render]") {
  Rollout rollout = summarized();
  rollout.task_id = "\x1b[2J";
  rollout.answer = "a\nb";
  const std::string text = render(
      rollout, [](Token) { return std::string("\r\x07"); }, Nothing{});
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find('\x07') == std::string::npos);
  CHECK(text.find('\r') == std::string::npos);
  CHECK_THAT(text, ContainsSubstring("task \\x1b[2J") && ContainsSubstring("answer \"a\\nb\""));
}

TEST_CASE("tokens are joined as the tokenizer wants", "[trace][render]") {
  const auto letter = [](Token token) { return std::string(1, static_cast<char>('a' + token)); };
  const std::string text = render(summarized(), letter, Nothing{}, {.token_separator = ""});
  CHECK_THAT(text, ContainsSubstring("[env]   fgh\n"));
}

TEST_CASE("what a window replaced counts kept turns as kept", "[trace][render]") {
  Rollout rollout = summarized();
  CHECK(!find_replacement(rollout, 0));
  const auto all = find_replacement(rollout, 1);
  REQUIRE(all);
  CHECK(all->segment == 0);
  CHECK(all->dropped_tokens == 5);
  CHECK(all->summary_tokens == 1);

  // A sliding window that keeps the turn's last token run and drops the rest without a summary.
  Segment slid{AgentRole::answerer, 0, {}};
  slid.context.append(Provenance::prompt, Tokens{1, 2});
  slid.context.append(Provenance::observation, Tokens{5, 6, 7});
  slid.context.append(BackendAccess::sampled(AgentRole::answerer, 0, {12}, {-1.0F}));
  slid.context.append(Provenance::observation, Tokens{13});  // its own, not kept
  rollout.segments[1] = slid;
  const auto some = find_replacement(rollout, 1);
  REQUIRE(some);
  CHECK(some->dropped_tokens == 2);
  CHECK(some->summary_tokens == 0);
  CHECK_THAT(render(rollout, number, Nothing{}),
             ContainsSubstring("; without 2 tokens of segment 1\n"));
  rollout.segments[1].owner = AgentRole::summarizer;
  CHECK(!find_replacement(rollout, 1));
}
