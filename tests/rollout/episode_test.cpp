#include "dualagent/rollout/episode.hpp"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

Tokens tokens_of(const Context& context) {
  return {context.tokens().begin(), context.tokens().end()};
}

Context prompt(Tokens tokens) {
  Context context;
  context.append(Provenance::prompt, tokens);
  return context;
}

Generation said(AgentRole agent, Tokens tokens) {
  std::vector<float> log_probs(tokens.size(), -1.0F);
  return {0, BackendAccess::sampled(agent, 3, std::move(tokens), std::move(log_probs)),
          FinishReason::stop};
}

const Task kTask{.id = "t", .prompt = "1"};

EpisodeChannel channel_for(SummaryWindow window, std::size_t max_context_tokens = 100) {
  return EpisodeChannel(kTask, 4, 2, window, max_context_tokens);
}

// g++ 12 cannot compile braced lists inside a coroutine's awaits.
StopRule stop_at_nine() { return {{9}, 50, nullptr}; }
Context task_prompt() { return prompt({1, 2}); }
std::vector<ToolCall> two_calls() { return {{"a", "{}"}, {"b", "{}"}}; }

/// Answers once, calls two tools, summarizes, opens a new window.
Episode short_play(EpisodeChannel& channel, std::string& log) {
  const StopRule stop = stop_at_nine();
  channel.open(task_prompt());
  log += "opened;";
  const Generation& turn = co_await channel.answer(stop);
  log += "said " + std::to_string(turn.sampled.tokens().size()) + ";";
  std::vector<ToolCall> calls = two_calls();
  const std::vector<ToolResult>& results = co_await channel.call(std::move(calls));
  log += results.at(0).text + results.at(1).text + ";";
  channel.give(Provenance::observation, Tokens(1, 7));
  const Tokens request(1, 8);
  const Generation& summary = co_await channel.summarize(request, stop);
  log += "summary " + std::to_string(summary.sampled.tokens()[0]) + ";";
  channel.open(task_prompt());
  channel.finish(RolloutStatus::finished, "answered", "x");
  log += "done";
}

/// Plays it to the end; the summary is asked for in segment `summary_segment`.
Rollout play_short(SummaryWindow window, std::size_t summary_segment) {
  EpisodeChannel channel = channel_for(window);
  std::string log;
  Episode episode = short_play(channel, log);
  CHECK(log.empty());  // begins when it is resumed, not before
  CHECK(std::holds_alternative<std::monostate>(channel.pending()));

  episode.resume();
  CHECK(log == "opened;");
  REQUIRE(std::holds_alternative<PendingGeneration>(channel.pending()));
  CHECK(std::get<PendingGeneration>(channel.pending()).agent == AgentRole::answerer);
  CHECK(std::get<PendingGeneration>(channel.pending()).segment == 0);
  channel.deliver(said(AgentRole::answerer, {3, 4}));
  CHECK(channel.generations() == 1);

  episode.resume();
  REQUIRE(std::holds_alternative<PendingCalls>(channel.pending()));
  CHECK(std::get<PendingCalls>(channel.pending()).calls.at(1).tool == "b");
  channel.deliver(std::vector<ToolResult>{{ToolStatus::ok, "one"}, {ToolStatus::failed, "two"}});

  episode.resume();
  REQUIRE(std::holds_alternative<PendingGeneration>(channel.pending()));
  CHECK(std::get<PendingGeneration>(channel.pending()).agent == AgentRole::summarizer);
  CHECK(std::get<PendingGeneration>(channel.pending()).segment == summary_segment);
  channel.deliver(said(AgentRole::summarizer, {5}));

  episode.resume();
  CHECK(log == "opened;said 2;onetwo;summary 5;done");
  CHECK(episode.done());
  return channel.take_rollout();
}

Episode throwing_play() {
  throw std::runtime_error("the dialect broke");
  co_return;
}

}  // namespace

TEST_CASE("an episode waits at each co_await; a shared window takes the summary in", "[rollout]") {
  const Rollout rollout = play_short(SummaryWindow::shared, 0);
  CHECK(rollout.task_id == "t");
  CHECK(rollout.group == 4);
  CHECK(rollout.member == 2);
  CHECK(rollout.turns == 1);
  CHECK(rollout.calls == 2);
  CHECK(rollout.summaries == 1);
  CHECK(rollout.answer == "x");
  REQUIRE(rollout.segments.size() == 2);
  CHECK(tokens_of(rollout.segments[0].context) == Tokens{1, 2, 3, 4, 7, 8, 5});
  CHECK(rollout.segments[0].context.weight_versions()[2] == 3);
  CHECK(rollout.segments[1].parent == 0U);
}

TEST_CASE("a separate window shows the Summarizer the history as given", "[rollout]") {
  const Rollout rollout = play_short(SummaryWindow::separate, 1);
  REQUIRE(rollout.segments.size() == 3);
  CHECK(tokens_of(rollout.segments[0].context) == Tokens{1, 2, 3, 4, 7});
  CHECK(rollout.segments[1].owner == AgentRole::summarizer);
  CHECK(tokens_of(rollout.segments[1].context) == Tokens{1, 2, 3, 4, 7, 8, 5});
  std::vector<std::pair<Provenance, AgentRole>> origins;
  for (const Span& span : rollout.segments[1].context.spans())
    origins.emplace_back(span.provenance, span.agent);
  CHECK(origins == std::vector<std::pair<Provenance, AgentRole>>{
                       {Provenance::prompt, AgentRole::answerer},
                       {Provenance::action, AgentRole::answerer},  // the turn, as given
                       {Provenance::observation, AgentRole::answerer},
                       {Provenance::injected, AgentRole::answerer},
                       {Provenance::sampled, AgentRole::summarizer}});
  CHECK(rollout.segments[2].owner == AgentRole::answerer);
  CHECK(rollout.segments[2].parent == 0U);  // it continues the Answerer's window
}

TEST_CASE("a generation may not outgrow the window", "[rollout]") {
  EpisodeChannel channel = channel_for(SummaryWindow::shared, 5);
  channel.open(prompt({1, 2, 3}));
  CHECK(channel.room() == 2);
  const StopRule stop{{9}, 50, nullptr};
  channel.answer(stop);
  CHECK(channel.stop().max_new_tokens == 2);
  CHECK(channel.stop().stop_tokens == Tokens{9});
  channel.deliver(said(AgentRole::answerer, {4, 4}));
  CHECK(channel.room() == 0);
  CHECK_THROWS_WITH(channel.answer(stop),
                    ContainsSubstring("full context window") && ContainsSubstring("task 't'"));
  channel.give(Provenance::observation, Tokens{6});  // an observation may be longer than the room
  CHECK(channel.room() == 0);
}

TEST_CASE("aborting keeps what was sampled and clears what is pending", "[rollout]") {
  EpisodeChannel channel = channel_for(SummaryWindow::shared);
  channel.open(prompt({1}));
  channel.answer(StopRule{{9}, 5, nullptr});
  channel.deliver(said(AgentRole::answerer, {2}));
  channel.call({{"a", "{}"}});
  channel.abort("no server");
  CHECK(std::holds_alternative<std::monostate>(channel.pending()));
  const Rollout rollout = channel.take_rollout();
  CHECK(rollout.status == RolloutStatus::aborted);
  CHECK(rollout.ending == "aborted: no server");
  CHECK(count_sampled(rollout) == 1);
}

TEST_CASE("what an episode throws reaches whoever resumes it", "[rollout]") {
  Episode episode = throwing_play();
  CHECK_THROWS_WITH(episode.resume(), "the dialect broke");
  CHECK(episode.done());
}

TEST_CASE("an episode can be moved and abandoned half-way", "[rollout]") {
  EpisodeChannel channel = channel_for(SummaryWindow::shared);
  std::string log;
  Episode first = short_play(channel, log);
  first.resume();
  Episode second = std::move(first);
  CHECK(!second.done());
  Episode third = throwing_play();
  third = std::move(second);
  channel.deliver(said(AgentRole::answerer, {3}));
  third.resume();
  CHECK(log == "opened;said 1;");
}  // the coroutine is destroyed while it waits
