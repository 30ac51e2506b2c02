#include "dualagent/rollout/scheduler.hpp"

#include <cmath>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

Tokens tokens_of(const Context& context) {
  return {context.tokens().begin(), context.tokens().end()};
}

/// Calls with the last digit it sees until that digit is `goal`, then answers with it; summarizes
/// by the last digit.
ScriptedModel::Script counts_to(int goal) {
  return [goal](std::span<const Token> context, AgentRole agent, const RandomStream&) {
    Token last = toy::digit(0);
    for (const Token token : context)
      if (token >= toy::digit(0)) last = token;
    if (agent == AgentRole::summarizer) return Tokens{toy::summary, last, toy::end};
    return Tokens{last == toy::digit(goal) ? toy::answer : toy::call, last, toy::end};
  };
}

Task task(std::string prompt) { return {.id = "t" + prompt, .prompt = prompt, .answer = "5"}; }

template <class Trigger = Never, class Rewriter = ReplaceBySummary>
auto protocol(Trigger trigger = {}, Rewriter rewriter = {}, RolloutLimits limits = {}) {
  return Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, trigger, rewriter, limits};
}

template <class Pairing, class Protocol>
Rollout play_one(Pairing pairing, Protocol protocol, const Task& task) {
  RolloutScheduler scheduler{pairing, protocol};
  return scheduler.run(std::span(&task, 1), 1, {}, RandomStream::from_seed(1)).at(0);
}

}  // namespace

TEST_CASE("an episode without summaries is one segment of prompt, turns and observations",
          "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to(5)};
  const Rollout rollout = play_one(SharedWeights{model}, protocol(), task("3"));

  REQUIRE(rollout.segments.size() == 1);
  CHECK(tokens_of(rollout.segments[0].context) == Tokens{toy::bos, toy::digit(3),             //
                                                         toy::call, toy::digit(3), toy::end,  //
                                                         toy::observation, toy::digit(4),     //
                                                         toy::call, toy::digit(4), toy::end,  //
                                                         toy::observation, toy::digit(5),     //
                                                         toy::answer, toy::digit(5), toy::end});
  CHECK(rollout.status == RolloutStatus::finished);
  CHECK(rollout.ending == "answered");
  CHECK(rollout.answer == "5");
  CHECK(rollout.turns == 3);
  CHECK(rollout.calls == 2);
  CHECK(rollout.summaries == 0);
  CHECK(count_sampled(rollout) == 9);
}

TEST_CASE("with shared weights a summary ends the Answerer's window and opens the next",
          "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to(5)};
  const Rollout rollout =
      play_one(SharedWeights{model}, protocol(TurnCount{.turns = 1}), task("4"));

  REQUIRE(rollout.segments.size() == 2);
  CHECK(tokens_of(rollout.segments[0].context) ==
        Tokens{toy::bos, toy::digit(4), toy::call, toy::digit(4), toy::end, toy::observation,
               toy::digit(5), toy::request, toy::summary, toy::digit(5), toy::end});
  CHECK(tokens_of(rollout.segments[1].context) == Tokens{toy::bos, toy::digit(4), toy::summary,
                                                         toy::digit(5), toy::end, toy::answer,
                                                         toy::digit(5), toy::end});
  CHECK(rollout.segments[1].parent == 0U);
  CHECK(rollout.segments[1].owner == AgentRole::answerer);
  const auto spans = rollout.segments[1].context.spans();
  REQUIRE(spans.size() == 3);
  CHECK(spans[1].provenance == Provenance::summary);
  CHECK(spans[1].agent == AgentRole::summarizer);
  CHECK(count_sampled(rollout, AgentRole::summarizer) == 3);
  CHECK(count_sampled(rollout, AgentRole::answerer) == 6);
}

TEST_CASE("with separate weights the summary has a window of its own in which history is given",
          "[rollout]") {
  ScriptedModel answerer{toy::vocab, counts_to(5)};
  ScriptedModel summarizer{toy::vocab, counts_to(5)};
  const Rollout rollout =
      play_one(SeparateWeights{answerer, summarizer}, protocol(TurnCount{.turns = 1}), task("4"));

  REQUIRE(rollout.segments.size() == 3);
  CHECK(rollout.segments[0].owner == AgentRole::answerer);
  CHECK(rollout.segments[1].owner == AgentRole::summarizer);
  CHECK(rollout.segments[1].parent == 0U);
  CHECK(rollout.segments[2].owner == AgentRole::answerer);
  const Context& window = rollout.segments[1].context;
  CHECK(tokens_of(window) == Tokens{toy::bos, toy::digit(4), toy::call, toy::digit(4), toy::end,
                                    toy::observation, toy::digit(5), toy::request, toy::summary,
                                    toy::digit(5), toy::end});
  for (const Span& span : window.spans())
    CHECK(span.is_sampled() == (span.agent == AgentRole::summarizer));
  CHECK(count_sampled(rollout) == 9);
}

TEST_CASE("limits truncate a rollout and say which one it met", "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to(5)};
  const auto ending = [&](RolloutLimits limits, auto trigger) {
    const Rollout rollout =
        play_one(SharedWeights{model}, protocol(trigger, ReplaceBySummary{}, limits), task("1"));
    CHECK(rollout.status == RolloutStatus::truncated);
    CHECK(!rollout.answer);
    return rollout.ending;
  };
  CHECK(ending({.max_turns = 2}, Never{}) == "turn limit");
  CHECK(ending({.max_calls = 1}, Never{}) == "call limit");
  CHECK(ending({.max_summaries = 1}, TurnCount{.turns = 1}) == "summary limit");
  CHECK(ending({.max_context_tokens = 12}, Never{}) == "context limit");  // inside an observation
  CHECK(ending({.max_context_tokens = 9}, Never{}) == "context limit");   // inside a turn
  Task strict = task("1");
  strict.max_calls = 2;
  CHECK(play_one(SharedWeights{model}, protocol(), strict).ending == "call limit");
}

TEST_CASE("a malformed turn ends the episode unless the dialect corrects it", "[rollout]") {
  int turn = 0;
  ScriptedModel model{
      toy::vocab, [&](std::span<const Token>, AgentRole, const RandomStream&) {
        return ++turn == 1 ? Tokens{toy::end} : Tokens{toy::answer, toy::digit(5), toy::end};
      }};
  const Rollout ended = play_one(SharedWeights{model}, protocol(), task("1"));
  CHECK(ended.status == RolloutStatus::finished);
  CHECK(ended.ending == "malformed turn: expected three tokens");

  turn = 0;
  const Protocol corrects{toy::Dialect{.corrects = true}, toy::Tools{toy::Successor<>{}}, Never{}};
  const Rollout corrected = play_one(SharedWeights{model}, corrects, task("1"));
  CHECK(corrected.answer == "5");
  CHECK(tokens_of(corrected.segments[0].context) == Tokens{toy::bos, toy::digit(1), toy::end,
                                                           toy::sorry, toy::answer, toy::digit(5),
                                                           toy::end});
}

TEST_CASE("a turn cut by its token limit truncates the rollout", "[rollout]") {
  ScriptedModel model{toy::vocab, [](std::span<const Token>, AgentRole, const RandomStream&) {
                        return Tokens(20, toy::digit(1));
                      }};
  const Rollout rollout = play_one(SharedWeights{model}, protocol(), task("1"));
  CHECK(rollout.ending == "turn too long");
  CHECK(count_sampled(rollout) == 8);
}

TEST_CASE("a throwing tool is an observation, a broken environment aborts the rollout",
          "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to(9)};
  const Rollout aborted = play_one(SharedWeights{model}, protocol(), task("6"));
  CHECK(aborted.status == RolloutStatus::aborted);
  CHECK(aborted.ending == "aborted: the ledger server is gone");
  CHECK(count_sampled(aborted) == 6);  // nothing of what was sampled is lost

  ScriptedModel patient{toy::vocab,
                        [](std::span<const Token> context, AgentRole, const RandomStream&) {
                          const bool told = context.back() == toy::sorry;
                          return Tokens{told ? toy::answer : toy::call,
                                        told ? toy::digit(5) : toy::digit(8), toy::end};
                        }};
  CHECK(play_one(SharedWeights{patient}, protocol(), task("8")).answer == "5");
}

TEST_CASE("a rollout depends neither on its neighbours nor on where its tools run", "[rollout]") {
  // Draws its calls at random, so that a wrong random stream would show.
  const auto random_script = [](std::span<const Token> context, AgentRole agent,
                                const RandomStream& random) {
    const Token drawn = toy::digit(static_cast<int>(random.below(0, 7)));
    if (agent == AgentRole::summarizer) return Tokens{toy::summary, drawn, toy::end};
    const bool answers = context.size() > 12 && drawn < toy::digit(3);
    return Tokens{answers ? toy::answer : toy::call, drawn, toy::end};
  };
  ScriptedModel model{toy::vocab, random_script};
  const std::vector<Task> tasks{task("1"), task("2"), task("3"), task("4")};
  const auto transcripts = [&](auto tools, SchedulerOptions options) {
    RolloutScheduler scheduler{SharedWeights{model},
                               Protocol{toy::Dialect{}, tools, TokenBudget{.max_tokens = 16},
                                        ReplaceBySummary{}, RolloutLimits{.max_turns = 20}},
                               options};
    std::vector<std::string> texts;
    for (const Rollout& rollout : scheduler.run(tasks, 5, {}, RandomStream::from_seed(3))) {
      std::string text = rollout.task_id + "/" + std::to_string(rollout.member) + rollout.ending;
      for (const Segment& segment : rollout.segments)
        for (const Token token : segment.context.tokens()) text += " " + std::to_string(token);
      texts.push_back(text);
    }
    return texts;
  };
  const ToolBox immediate{toy::Successor<Execution::immediate>{}};
  const ToolBox on_workers{toy::Successor<Execution::worker>{}};
  const auto alone = transcripts(immediate, {.max_live_episodes = 1});
  REQUIRE(alone.size() == 20);
  CHECK(std::set<std::string>(alone.begin(), alone.end()).size() == 20);
  CHECK(transcripts(immediate, {.max_live_episodes = 3}) == alone);
  CHECK(transcripts(immediate, {}) == alone);
  CHECK(transcripts(on_workers, {.tool_threads = 3}) == alone);
}

TEST_CASE("tasks played on different ranks draw what one rank would draw", "[rollout]") {
  ScriptedModel model{
      toy::vocab, [](std::span<const Token>, AgentRole, const RandomStream& r) {
        return Tokens{toy::answer, toy::digit(static_cast<int>(r.below(0, 10))), toy::end};
      }};
  const std::vector<Task> tasks{task("1"), task("2"), task("3")};
  RolloutScheduler scheduler{SharedWeights{model}, protocol()};
  const RandomStream random = RandomStream::from_seed(9);
  const auto whole = scheduler.run(tasks, 4, {}, random);
  const auto last = scheduler.run(std::span(tasks).subspan(2), 4, {}, random, 2);
  REQUIRE(last.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(last[i].answer == whole[8 + i].answer);
    CHECK(last[i].group == 2);
    CHECK(last[i].member == i);
  }
}

TEST_CASE("an exception from the dialect ends the run and leaves the models free", "[rollout]") {
  struct Throws : toy::Dialect {
    Turn parse_turn(std::span<const Token> tokens) const {
      if (tokens[1] == toy::digit(2)) throw Error("cannot read this turn", "Throws");
      return toy::Dialect::parse_turn(tokens);
    }
  };
  ScriptedModel model{toy::vocab, counts_to(5)};
  const std::vector<Task> tasks{task("1"), task("4")};
  RolloutScheduler scheduler{SharedWeights{model},
                             Protocol{Throws{}, toy::Tools{toy::Successor<>{}}, Never{}}};
  CHECK_THROWS_AS(scheduler.run(tasks, 2, {}, RandomStream::from_seed(1)), Error);
  CHECK(model.advance([](Generation&&) {}) == 0);
  const std::vector<Task> good{task("4")};
  CHECK(scheduler.run(good, 1, {}, RandomStream::from_seed(1))[0].answer == "5");
}

TEST_CASE("a context limit above that of a model is refused", "[rollout]") {
  ScriptedModel small{toy::vocab, counts_to(5), 100}, large{toy::vocab, counts_to(5), 200};
  const auto refusal = [&](std::size_t limit) {
    return error_of([&] {
      RolloutScheduler{SeparateWeights{large, small},
                       protocol(Never{}, {}, {.max_context_tokens = limit})};
    });
  };
  CHECK(refusal(100) == "no error");
  CHECK_THAT(refusal(101), ContainsSubstring("max_context_tokens is 101, but model 1 of the pair "
                                             "reads 100 tokens at most"));
}

TEST_CASE("scheduler options and temperatures that cannot be meant are refused", "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to(5)};
  const auto refusal = [&](SchedulerOptions options, RolloutSampling sampling) {
    return error_of([&] {
      RolloutScheduler scheduler{SharedWeights{model}, protocol(), options};
      const Task one = task("4");
      scheduler.run(std::span(&one, 1), 1, sampling, RandomStream::from_seed(1));
    });
  };
  CHECK(refusal({}, {}) == "no error");
  CHECK_THAT(refusal({.max_live_episodes = 0}, {}), ContainsSubstring("max_live_episodes is 0"));
  CHECK_THAT(refusal({.tool_threads = 0}, {}), ContainsSubstring("tool_threads is 0"));
  for (const double seconds : {0.0, -1.0, std::nan("")})
    CHECK_THAT(refusal({.tool_deadline_seconds = seconds}, {}),
               ContainsSubstring("tool_deadline_seconds is"));
  CHECK_THAT(refusal({}, {{-0.5F}, {}}), ContainsSubstring("answerer.temperature is -0.5"));
  CHECK_THAT(refusal({}, {{}, {std::nanf("")}}),
             ContainsSubstring("summarizer.temperature is nan"));
}

namespace {
struct BadRewriter {
  static constexpr SummaryUse summary_use = SummaryUse::none;
  Context rewrite(const Context&, std::span<const Token>) const {
    throw std::out_of_range("vector::at");
  }
};
}  // namespace

TEST_CASE("whatever a policy of an episode throws is an Error that names it", "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to(5)};
  const auto failure = [&](const auto& rules) {
    RolloutScheduler scheduler{SharedWeights{model}, rules};
    const Task one = task("4");
    return error_of([&] { scheduler.run(std::span(&one, 1), 1, {}, RandomStream::from_seed(1)); });
  };
  struct BadTrigger {
    bool should_summarize(const ContextStatus&) const { throw 7; }
  };
  struct BadStop : toy::Dialect {
    StopRule turn_stop() const {
      return {{toy::end}, 8, [](std::span<const Token>) -> bool { throw "stop"; }};
    }
  };
  CHECK_THAT(failure(protocol(BadTrigger{})),
             ContainsSubstring("a trigger's should_summarize threw an exception of type int "
                               "(task 't4', rollout 0)"));
  CHECK_THAT(failure(protocol(TurnCount{.turns = 1}, BadRewriter{})),
             ContainsSubstring("a rewriter's rewrite threw std::out_of_range: vector::at"));
  CHECK_THAT(failure(Protocol{BadStop{}, toy::Tools{toy::Successor<>{}}, Never{}}),
             ContainsSubstring("a StopRule") && ContainsSubstring("char const*"));
  CHECK(failure(protocol()) == "no error");  // the models are free again
}

TEST_CASE("rollouts without a task, or of one number twice, are refused", "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to(5)};
  RolloutScheduler scheduler{SharedWeights{model}, protocol()};
  const Task one = task("4");
  const auto refusal = [&](std::vector<RolloutStart> starts) {
    return error_of([&] { scheduler.run(starts, {}, RandomStream::from_seed(1)); });
  };
  CHECK(refusal({{&one, 0, 0}, {&one, 0, 1}, {&one, 1, 0}}) == "no error");
  CHECK_THAT(refusal({{&one, 0, 0}, {nullptr, 0, 1}}),
             ContainsSubstring("a rollout has no task (group 0, member 1)"));
  CHECK_THAT(refusal({{&one, 2, 3}, {&one, 2, 3}}),
             ContainsSubstring("the same group and member (group 2, member 3)"));
}
