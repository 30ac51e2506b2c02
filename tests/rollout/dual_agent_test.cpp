#include "dualagent/rollout/dual_agent.hpp"

#include <optional>
#include <string>
#include <vector>

#include "dualagent/trace/sampled_summary.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

/// What a model says and how its generation ended.
struct Line {
  Tokens tokens;
  FinishReason finish = FinishReason::stop;
};

/// Plays an episode by hand: models say the lines in order, tools answer with one digit each.
template <class Protocol>
Rollout play_at(EpisodeChannel& channel, const Protocol& protocol, const std::vector<Line>& lines) {
  Episode episode = play_dual_agent(protocol, channel);
  std::size_t next = 0;
  for (episode.resume(); !episode.done(); episode.resume()) {
    if (const auto* tools = std::get_if<PendingCalls>(&channel.pending())) {
      channel.deliver(std::vector<ToolResult>(tools->calls.size(), {ToolStatus::ok, "2"}));
      continue;
    }
    REQUIRE(next < lines.size());
    const Line& line = lines[next++];
    const AgentRole agent = std::get<PendingGeneration>(channel.pending()).agent;
    std::vector<float> log_probs(line.tokens.size(), -1.0F);
    channel.deliver(Generation{
        0, BackendAccess::sampled(agent, 0, line.tokens, std::move(log_probs)), line.finish});
  }
  CHECK(next == lines.size());
  return channel.take_rollout();
}

template <class Protocol>
Rollout play(const Protocol& protocol, const std::vector<Line>& lines, Task task = {.prompt = "1"},
             SummaryWindow window = SummaryWindow::shared) {
  EpisodeChannel channel(task, 0, 0, window, protocol.limits.max_context_tokens);
  return play_at(channel, protocol, lines);
}

Tokens tokens_of(const Segment& segment) {
  return {segment.context.tokens().begin(), segment.context.tokens().end()};
}

const Line kCall{{toy::call, toy::digit(1), toy::end}};
const Line kAnswer{{toy::answer, toy::digit(5), toy::end}};
const Line kSummary{{toy::summary, toy::digit(3), toy::end}};

template <class Trigger = Never, class Rewriter = ReplaceBySummary, class Dialect = toy::Dialect>
auto protocol(Trigger trigger = {}, RolloutLimits limits = {}, Rewriter rewriter = {},
              Dialect dialect = {}) {
  return Protocol{dialect, toy::Tools{toy::Successor<>{}}, trigger, rewriter, limits};
}

/// Calls the tool once for each digit of a turn.
struct ParallelCalls : toy::Dialect {
  Turn parse_turn(std::span<const Token> tokens) const {
    if (tokens[0] != toy::call) return toy::Dialect::parse_turn(tokens);
    std::vector<ToolCall> calls;
    for (const Token token : tokens)
      if (token >= toy::digit(0)) calls.push_back({"successor", "{\"x\":1}"});
    return calls;
  }
};

/// Writes a header before each turn, and answers with the first token of the turn.
struct Headed : toy::Dialect {
  Tokens turn_opening(const Context& context) const { return {static_cast<Token>(context.size())}; }
  using toy::Dialect::correction;
  using toy::Dialect::observation;
  Tokens observation(std::span<const std::string>, std::span<const Token> turn) const {
    return {toy::observation, turn.front()};
  }
  std::optional<Tokens> correction(const MalformedTurn&, std::span<const Token> turn) const {
    return Tokens{toy::sorry, turn.front()};
  }
};

}  // namespace

TEST_CASE("a dialect may open each turn and see the turn it answers", "[rollout]") {
  const auto headed = protocol(Never{}, {}, ReplaceBySummary{}, Headed{});
  const Rollout rollout = play(headed, {kCall, {{toy::end}}, kAnswer});
  CHECK(rollout.answer == "5");
  CHECK(tokens_of(rollout.segments.at(0)) == Tokens{toy::bos, toy::digit(1), 2, toy::call,
                                                    toy::digit(1), toy::end, toy::observation,
                                                    toy::call, 8, toy::end, toy::sorry, toy::end,
                                                    12, toy::answer, toy::digit(5), toy::end});
  CHECK(rollout.segments[0].context.spans()[1].provenance == Provenance::injected);
  // A header that leaves no room for a turn ends the episode before it is written.
  const Rollout full =
      play(protocol(Never{}, {.max_context_tokens = 9}, ReplaceBySummary{}, Headed{}), {kCall});
  CHECK(full.status == RolloutStatus::truncated);
  CHECK(full.ending == "context limit");
  CHECK(full.segments[0].context.size() == 8);
}

TEST_CASE("an answer ends the episode", "[rollout]") {
  const Rollout rollout = play(protocol(), {kCall, kAnswer});
  CHECK(rollout.status == RolloutStatus::finished);
  CHECK(rollout.ending == "answered");
  CHECK(rollout.answer == "5");
  CHECK(rollout.turns == 2);
  CHECK(rollout.calls == 1);
}

TEST_CASE("the calls of one turn are answered in one observation and counted each", "[rollout]") {
  const Line two{{toy::call, toy::digit(1), toy::digit(2), toy::end}};
  const Rollout rollout = play(
      protocol(Never{}, {.max_calls = 2}, ReplaceBySummary{}, ParallelCalls{}), {two, kAnswer});
  CHECK(rollout.calls == 2);
  CHECK(rollout.ending == "answered");
  const auto spans = rollout.segments[0].context.spans();
  REQUIRE(spans.size() == 4);
  CHECK(spans[2].provenance == Provenance::observation);
  CHECK(spans[2].size == 3);
  // Three calls at once are one too many: none is made.
  const Line three{{toy::call, toy::digit(1), toy::digit(2), toy::digit(3), toy::end}};
  const Rollout cut =
      play(protocol(Never{}, {.max_calls = 2}, ReplaceBySummary{}, ParallelCalls{}), {three});
  CHECK(cut.status == RolloutStatus::truncated);
  CHECK(cut.ending == "call limit");
  CHECK(cut.calls == 0);
}

TEST_CASE("the tighter of the task's and the protocol's call limits holds", "[rollout]") {
  const auto calls_made = [](std::size_t protocol_limit, std::optional<std::size_t> task_limit) {
    Task task{.prompt = "1"};
    task.max_calls = task_limit;
    const std::size_t most = std::min(protocol_limit, task_limit.value_or(protocol_limit));
    return play(protocol(Never{}, {.max_calls = protocol_limit}),
                std::vector<Line>(most + 1, kCall), task)
        .calls;
  };
  CHECK(calls_made(3, std::nullopt) == 3);
  CHECK(calls_made(3, 1) == 1);
  CHECK(calls_made(2, 5) == 2);
  CHECK(calls_made(2, 0) == 0);
}

TEST_CASE("a turn or a summary that was cut truncates the rollout and says which limit it met",
          "[rollout]") {
  const Line long_turn{Tokens(8, toy::digit(1)), FinishReason::length};
  CHECK(play(protocol(), {long_turn}).ending == "turn too long");
  const Line full{{toy::call}, FinishReason::context_full};
  CHECK(play(protocol(Never{}, {.max_context_tokens = 3}), {full}).ending == "context limit");
  const Line long_summary{Tokens(6, toy::digit(1)), FinishReason::length};
  const Rollout cut = play(protocol(TurnCount{.turns = 1}), {kCall, long_summary});
  CHECK(cut.ending == "summary too long");
  CHECK(cut.status == RolloutStatus::truncated);
  CHECK(cut.segments.size() == 1);
}

TEST_CASE("a summary that cannot be used ends the episode as the model's own failure",
          "[rollout]") {
  const Rollout rollout = play(protocol(TurnCount{.turns = 1}), {kCall, {{toy::answer, toy::end}}});
  CHECK(rollout.status == RolloutStatus::finished);
  CHECK(rollout.ending == "malformed summary: does not begin with <summary>");
  CHECK(!rollout.answer);
  CHECK(count_sampled(rollout, AgentRole::summarizer) == 2);  // it can be trained on
}

TEST_CASE("a summary needs room for its request and a token", "[rollout]") {
  // bos, digit, call, digit, end, observation, digit are 7 tokens; the request is one more.
  const auto ending = [&](std::size_t max_tokens, const std::vector<Line>& lines) {
    return play(protocol(TurnCount{.turns = 1}, {.max_context_tokens = max_tokens}), lines).ending;
  };
  CHECK(ending(8, {kCall}) == "context limit");
  CHECK(ending(9, {kCall, {{toy::summary}, FinishReason::length}}) == "summary too long");
}

TEST_CASE("rewriters without summaries go on without asking for one", "[rollout]") {
  const Rollout rollout = play(protocol(TurnCount{.turns = 2}, {}, SlidingWindow{.max_tokens = 7}),
                               {kCall, kCall, kAnswer});
  CHECK(rollout.summaries == 0);
  REQUIRE(rollout.segments.size() == 2);
  CHECK(tokens_of(rollout.segments[1]) == Tokens{toy::bos, toy::digit(1), toy::call, toy::digit(1),
                                                 toy::end, toy::observation, toy::digit(2),
                                                 toy::answer, toy::digit(5), toy::end});
}

TEST_CASE("the Answerer goes on from prompt, summary and kept turns; the trigger counts those",
          "[rollout]") {
  const Rollout rollout = play(protocol(TurnCount{.turns = 2}, {}, KeepLastTurns{.turns = 1}),
                               {kCall, kCall, kSummary, kCall, kSummary, kAnswer});
  CHECK(rollout.summaries == 2);
  REQUIRE(rollout.segments.size() == 3);
  CHECK(tokens_of(rollout.segments[2]) == Tokens{toy::bos, toy::digit(1), toy::summary,
                                                 toy::digit(3), toy::end, toy::call, toy::digit(1),
                                                 toy::end, toy::observation, toy::digit(2),
                                                 toy::answer, toy::digit(5), toy::end});
}

TEST_CASE("a trigger sees tokens, window, turns of the context and summaries of the rollout",
          "[rollout]") {
  struct FirstTurnOnly {
    std::vector<ContextStatus>* seen;
    bool should_summarize(const ContextStatus& status) const {
      seen->push_back(status);
      return status.summaries == 0;
    }
  };
  std::vector<ContextStatus> seen;
  play(protocol(FirstTurnOnly{&seen}, {.max_context_tokens = 50}),
       {kCall, kSummary, kCall, kCall, kAnswer});
  std::vector<std::vector<std::size_t>> statuses;
  for (const ContextStatus& s : seen)
    statuses.push_back({s.tokens, s.max_tokens, s.turns, s.summaries});
  // Prompt 2, turn 3, observation 2; then prompt 2, summary 3, and again 5 per turn.
  CHECK(statuses ==
        std::vector<std::vector<std::size_t>>{{7, 50, 1, 0}, {10, 50, 1, 1}, {15, 50, 2, 1}});
}

TEST_CASE("a corrected turn goes on, and counts against the turn limit", "[rollout]") {
  const Line broken{{toy::end}};
  const auto corrects =
      protocol(Never{}, {.max_turns = 2}, ReplaceBySummary{}, toy::Dialect{.corrects = true});
  CHECK(play(corrects, {broken, kAnswer}).answer == "5");
  const Rollout cut = play(corrects, {broken, broken});
  CHECK(cut.ending == "turn limit");
  CHECK(cut.turns == 2);
}

TEST_CASE("a summary that no turn could follow is not sampled", "[rollout]") {
  // A trigger after each turn: the second turn is the last, so nobody would read its summary.
  for (const SummaryWindow window : {SummaryWindow::shared, SummaryWindow::separate}) {
    const auto each_turn = protocol(TurnCount{.turns = 1}, {.max_turns = 2});
    const Rollout cut = play(each_turn, {kCall, kSummary, kCall}, {.prompt = "1"}, window);
    CHECK(cut.ending == "turn limit");
    CHECK(cut.status == RolloutStatus::truncated);
    CHECK(cut.turns == 2);
    CHECK(cut.summaries == 1);
    CHECK(cut.summary_requests.size() == 1);
    CHECK(play(each_turn, {kCall, kSummary, kAnswer}).answer == "5");
  }
  // What is kept verbatim, prompt (2 tokens) and turn (5), leaves no room for a turn in 8 tokens
  // beside the shortest summary; in 9 it does.
  const auto keeping = [](std::size_t max_context_tokens) {
    return protocol(TurnCount{.turns = 1}, {.max_context_tokens = max_context_tokens},
                    KeepLastTurns{.turns = 1});
  };
  const Rollout full = play(keeping(8), {kCall});
  CHECK(full.ending == "context limit");
  CHECK(full.summaries == 0);
  const Line cut{{toy::call}, FinishReason::context_full};
  CHECK(play(keeping(9), {kCall, {{toy::summary}}, cut}).turns == 2);
}

TEST_CASE("a fork goes on from another rollout's history as if it had lived it", "[rollout]") {
  const Task task{.prompt = "1"};
  const auto rules = protocol(TurnCount{.turns = 2}, {.max_turns = 5, .max_calls = 4});
  for (const SummaryWindow window : {SummaryWindow::shared, SummaryWindow::separate}) {
    const Rollout source =
        play(rules, {kCall, kCall, kSummary, kCall, kCall, kSummary, kAnswer}, task, window);
    REQUIRE(source.summary_requests.size() == 2);
    EpisodeChannel channel(task, source, 1, 6, window, rules.limits.max_context_tokens);
    const Line other{{toy::summary, toy::digit(9), toy::end}};
    const Rollout fork = play_at(channel, rules, {other, kAnswer});

    // The same history token by token, nothing of it sampled; then the new summary and the rest.
    const Rollout lived =
        play(rules, {kCall, kCall, kSummary, kCall, kCall, other, kAnswer}, task, window);
    REQUIRE(fork.segments.size() == lived.segments.size());
    for (std::size_t s = 0; s < fork.segments.size(); ++s) {
      CHECK(tokens_of(fork.segments[s]) == tokens_of(lived.segments[s]));
      CHECK(fork.segments[s].owner == lived.segments[s].owner);
      CHECK(fork.segments[s].parent == lived.segments[s].parent);
    }
    CHECK(count_sampled(fork) == other.tokens.size() + kAnswer.tokens.size());
    CHECK(count_generated(fork) == count_sampled(lived));
    CHECK(count_generated(lived) == count_sampled(lived));
    const auto summaries = sampled_summaries(fork), lived_summaries = sampled_summaries(lived);
    REQUIRE(summaries.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(summaries[i].segment == lived_summaries.at(i).segment);
      CHECK(summaries[i].span == lived_summaries.at(i).span);
      CHECK(summaries[i].history_spans == lived_summaries.at(i).history_spans);
    }
    CHECK(fork.turns == lived.turns);
    CHECK(fork.calls == lived.calls);
    CHECK(fork.summaries == 2);
    CHECK(fork.summary_requests.size() == 2);
    CHECK(fork.answer == "5");
    CHECK(fork.fork->member == source.member);
    CHECK(fork.fork->summary == 1);
    CHECK_FALSE(source.fork);
  }
}

TEST_CASE("turns that could not be read are counted, in a fork those of its history too",
          "[rollout]") {
  const Task task{.prompt = "1"};
  const Protocol rules{toy::Dialect{.corrects = true}, toy::Tools{toy::Successor<>{}},
                       TurnCount{.turns = 3}};
  const Line unreadable{{toy::end}};
  const Rollout source =
      play(rules, {unreadable, kCall, unreadable, kSummary, unreadable, kAnswer}, task);
  CHECK(source.malformed_turns == 3);
  REQUIRE(source.summary_requests.size() == 1);
  CHECK(source.summary_requests[0].malformed_turns == 2);
  EpisodeChannel channel(task, source, 0, 1, SummaryWindow::shared,
                         rules.limits.max_context_tokens);
  CHECK(play_at(channel, rules, {kSummary, kAnswer}).malformed_turns == 2);
  CHECK(play(rules, {kCall, kAnswer}, task).malformed_turns == 0);
}

TEST_CASE("a fork obeys the limits of the whole rollout", "[rollout]") {
  const Task task{.prompt = "1"};
  const auto rules = protocol(TurnCount{.turns = 2}, {.max_calls = 3});
  const Rollout source = play(rules, {kCall, kCall, kSummary, kAnswer}, task);
  EpisodeChannel channel(task, source, 0, 1, SummaryWindow::shared,
                         rules.limits.max_context_tokens);
  CHECK(play_at(channel, rules, {kSummary, kCall, kCall}).ending == "call limit");  // the fourth
}

TEST_CASE("a fork of a summary that was never asked for is refused", "[rollout]") {
  const Task task{.id = "t1", .prompt = "1"};
  const Rollout source = play(protocol(), {kAnswer}, task);
  CHECK_THROWS_WITH((EpisodeChannel{task, source, 0, 1, SummaryWindow::shared, 100}),
                    ContainsSubstring("summary 0") && ContainsSubstring("t1"));
}

TEST_CASE("a prompt that leaves no room for a turn is refused, with the task and the numbers",
          "[rollout]") {
  const auto refusal = [](std::size_t max_tokens, auto dialect) {
    return error_of([&] {
      play(protocol(Never{}, {.max_context_tokens = max_tokens}, ReplaceBySummary{}, dialect),
           {{{toy::call}, FinishReason::length}}, {.id = "long", .prompt = "123"});
    });
  };
  CHECK(refusal(5, toy::Dialect{}) == "no error");  // <bos> and three digits
  CHECK_THAT(refusal(4, toy::Dialect{}),
             ContainsSubstring("the prompt has 4 tokens and leaves no room for a turn in a context "
                               "window of 4 (task 'long', rollout 0)"));
  CHECK_THAT(refusal(3, toy::Dialect{}), ContainsSubstring("max_context_tokens"));
  CHECK(refusal(6, Headed{}) == "no error");
  CHECK_THAT(refusal(5, Headed{}), ContainsSubstring("no room for a turn"));
}

TEST_CASE("calls are remembered with their tool and their status", "[rollout]") {
  const auto parallel = protocol(Never{}, {}, ReplaceBySummary{}, ParallelCalls{});
  const Rollout rollout = play(parallel, {kCall, kAnswer});
  REQUIRE(rollout.tool_uses.size() == 1);
  CHECK(rollout.tool_uses[0].tool == "successor");
  CHECK(rollout.tool_uses[0].status == ToolStatus::ok);
  CHECK(rollout.tool_uses[0].problem.empty());
}

TEST_CASE("a stop rule without a token is refused", "[rollout]") {
  struct Silent : toy::Dialect {
    StopRule turn_stop() const { return {{toy::end}, 0, nullptr}; }
  };
  CHECK_THAT(error_of([] { play(protocol(Never{}, {}, ReplaceBySummary{}, Silent{}), {}); }),
             ContainsSubstring("allows 0 tokens"));
}
