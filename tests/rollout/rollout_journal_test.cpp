// Rollouts that are played again after their process ended: what was answered once stays.

#include "dualagent/rollout/rollout_journal.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "dualagent/summary/rewriter.hpp"
#include "dualagent/summary/trigger.hpp"
#include "dualagent/trace/rollout_codec.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

/// A world that never gives the same answer twice, remembers what it was asked, and at its
/// `ends_at`th answer throws or kills the process.
struct World {
  std::size_t ends_at = 1'000'000;
  bool kills = false;
  std::uint64_t drift = 0;  // other digits
  std::size_t answers = 0;
  std::map<std::string, std::string> calls = {};  // of tools, and their answers
  std::mutex mutex = {};                          // tools ask from worker threads

  int digit() {
    if (++answers == ends_at) {
      if (kills) ::kill(::getpid(), SIGKILL);
      throw Error("the world has ended", "World");
    }
    return static_cast<int>(RandomStream::from_seed(drift).below(answers, 6)) + 1;
  }
};

/// Tools that ask the world. What is called in an episode is counted in its memory, and shown.
struct WorldTools {
  World* world;
  Execution where = Execution::immediate;
  std::vector<std::size_t>* counted = nullptr;

  ToolResult call(const ToolCall&, const CallInfo& info) const {
    const std::lock_guard lock(world->mutex);
    if (counted != nullptr) counted->push_back(++info.memory->of<std::size_t>(this));
    const std::string answer = std::to_string(world->digit());
    const auto [at, is_new] =
        world->calls.insert({info.task->id + " " + std::to_string(info.call), answer});
    if (!is_new) throw Error("a call was made twice", at->first);
    return {ToolStatus::ok, answer};
  }
  Execution execution(const ToolCall&) const { return where; }
  std::vector<ToolSpec> specs() const { return {{.name = "successor"}}; }
};

std::vector<Task> tasks_of(std::span<const char* const> prompts) {
  std::vector<Task> tasks;
  for (const std::string prompt : prompts)
    tasks.push_back({.id = "t" + prompt, .prompt = prompt, .answer = "5"});
  return tasks;
}
constexpr const char* kPrompts[] = {"1", "2", "3", "4", "5", "12"};

struct Game {
  Execution where = Execution::immediate;
  std::vector<std::size_t>* counted = nullptr;
  std::size_t max_turns = 8;
  std::uint64_t seed = 3;
  std::vector<Task> tasks = tasks_of(kPrompts);
};

/// Plays the tasks in a world: calls, then a summary, then an answer.
std::vector<Rollout> play(World& world, RolloutJournal* journal, const Game& game = {}) {
  const auto script = [&](std::span<const Token> context, AgentRole role, const RandomStream&) {
    const std::lock_guard lock(world.mutex);
    const Token d = toy::digit(world.digit());
    if (role == AgentRole::summarizer) return Tokens{toy::summary, d, toy::end};
    const bool late = std::count(context.begin(), context.end(), toy::summary) > 0;
    return Tokens{late ? toy::answer : toy::call, d, toy::end};
  };
  ScriptedModel model{toy::vocab, script};
  RolloutScheduler scheduler{SharedWeights{model},
                             Protocol{toy::Dialect{}, WorldTools{&world, game.where, game.counted},
                                      TokenBudget{.max_tokens = 12}, ReplaceBySummary{},
                                      RolloutLimits{.max_turns = game.max_turns}},
                             {.max_live_episodes = 4, .tool_threads = 1}};
  scheduler.use_journal(journal);
  return scheduler.run(game.tasks, 1, {}, RandomStream::from_seed(game.seed));
}

/// What the rollouts were answered: continued contexts and called tools.
std::size_t answers_in(std::span<const Rollout> rollouts) {
  std::size_t answers = 0;
  for (const Rollout& rollout : rollouts)
    answers += rollout.turns + rollout.summaries + rollout.calls;
  return answers;
}

/// The answer that the episode read to its call of this number, or "?".
std::string answer_read(const Rollout& rollout, std::size_t call) {
  std::size_t at = 0;
  for (const Segment& segment : rollout.segments)
    for (const Span& span : segment.context.spans())
      if (span.provenance == Provenance::observation && at++ == call)
        return std::to_string(segment.context.tokens(span)[1] - toy::digit(0));
  return "?";
}

/// Whether every call of the world was read by its episode with that answer.
bool all_were_read(const World& world, std::span<const Rollout> rollouts) {
  for (const auto& [call, answer] : world.calls) {
    const std::string task = call.substr(0, call.find(' '));
    const std::size_t number = std::stoul(call.substr(call.find(' ')));
    for (const Rollout& rollout : rollouts)
      if (rollout.task_id == task && answer_read(rollout, number) != answer) return false;
  }
  return true;
}

std::vector<std::vector<std::byte>> encoded(std::span<const Rollout> rollouts) {
  std::vector<std::vector<std::byte>> all;
  for (const Rollout& rollout : rollouts) all.push_back(encode_rollout(rollout));
  return all;
}

}  // namespace

TEST_CASE("the game of these tests has calls, summaries and answers", "[rollout][journal]") {
  World world;
  const std::vector<Rollout> rollouts = play(world, nullptr);
  CHECK(answers_in(rollouts) == world.answers);
  CHECK(world.calls.size() >= 12);
  CHECK(all_were_read(world, rollouts));
  for (const Rollout& rollout : rollouts) {
    CHECK(rollout.status == RolloutStatus::finished);
    CHECK(rollout.summaries == 1);
  }
  World other{.drift = 1};
  CHECK((encoded(play(other, nullptr)) != encoded(rollouts)));
}

TEST_CASE("a run that ends at any answer goes on with all that it was answered",
          "[rollout][journal][threads]") {
  const Execution where = GENERATE(Execution::immediate, Execution::worker);
  World whole;
  play(whole, nullptr, {.where = where});
  for (std::size_t end = 1; end <= whole.answers; ++end) {
    const TemporaryFolder folder;
    World first{.ends_at = end};
    {
      RolloutJournal journal(folder / "journal");
      CHECK_THAT(error_of([&] { play(first, &journal, {.where = where}); }),
                 ContainsSubstring("the world has ended"));
    }
    World second{.drift = 1};
    RolloutJournal journal(folder / "journal");
    const std::vector<Rollout> rollouts = play(second, &journal, {.where = where});
    CHECK(journal.replayed() + second.answers == answers_in(rollouts));
    CHECK(all_were_read(second, rollouts));
    if (where == Execution::immediate) {  // nothing stands between its answer and the journal
      CHECK(all_were_read(first, rollouts));
      CHECK(journal.replayed() >= first.calls.size());
    }
    RolloutJournal complete(folder / "journal");
    World third{.ends_at = 1};
    CHECK((encoded(play(third, &complete, {.where = where})) == encoded(rollouts)));
    CHECK(third.answers == 0);
  }
}

TEST_CASE("a process that is killed at any answer loses none that it had", "[rollout][journal]") {
  World whole;
  play(whole, nullptr);
  for (std::size_t end = 1; end <= whole.answers; end += 3) {
    const TemporaryFolder folder;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      World first{.ends_at = end, .kills = true};
      RolloutJournal journal(folder / "journal");
      play(first, &journal);
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    World second{.drift = 1};
    RolloutJournal journal(folder / "journal");
    const std::vector<Rollout> rollouts = play(second, &journal);
    CHECK(journal.replayed() + second.answers == answers_in(rollouts));
    CHECK(journal.replayed() + 5 >= end);  // up to four contexts were being continued
  }
}

TEST_CASE("what tools kept in the episode's memory is made again before the next call",
          "[rollout][journal][threads]") {
  const Execution where = GENERATE(Execution::immediate, Execution::worker);
  const Game game{.where = where, .tasks = tasks_of(std::array{"1"})};
  World whole;
  play(whole, nullptr, game);
  for (std::size_t end = 2; end <= whole.answers; ++end) {
    const TemporaryFolder folder;
    World first{.ends_at = end};
    std::vector<std::size_t> counted;
    Game counting = game;
    counting.counted = &counted;
    {
      RolloutJournal journal(folder / "journal");
      CHECK_THAT(error_of([&] { play(first, &journal, counting); }),
                 ContainsSubstring("the world has ended"));
    }
    counted.clear();
    // Calls are made again for their memory, so this world must not mind.
    World second{.drift = 1};
    RolloutJournal journal(folder / "journal");
    const std::vector<Rollout> rollouts = play(second, &journal, counting);
    CHECK(all_were_read(first, rollouts));
    for (std::size_t i = 0; i < counted.size(); ++i) CHECK(counted[i] == i + 1);
    CHECK((counted.empty() || counted.size() == rollouts[0].calls));
  }
}

TEST_CASE("the same rollouts played twice are told apart by their order", "[rollout][journal]") {
  const TemporaryFolder folder;
  std::vector<std::vector<std::byte>> first, second;
  {
    RolloutJournal journal(folder / "journal");
    World world;
    first = encoded(play(world, &journal));
    world.calls.clear();
    second = encoded(play(world, &journal));
  }
  CHECK((first != second));
  RolloutJournal journal(folder / "journal");
  World unasked{.ends_at = 1};
  CHECK((encoded(play(unasked, &journal)) == first));
  CHECK((encoded(play(unasked, &journal)) == second));
}

TEST_CASE("a run that is tried again in one process begins anew, in the journal too",
          "[rollout][journal]") {
  const TemporaryFolder folder;
  World whole;
  play(whole, nullptr);
  std::vector<std::vector<std::byte>> tried_again;
  {
    RolloutJournal journal(folder / "journal");
    World world{.ends_at = whole.answers - 1};  // most rollouts have ended by then
    CHECK_THAT(error_of([&] { play(world, &journal); }), ContainsSubstring("has ended"));
    world.calls.clear();
    tried_again = encoded(play(world, &journal));
    CHECK(journal.replayed() == 0);
  }
  RolloutJournal journal(folder / "journal");
  World unasked{.ends_at = 1};
  CHECK((encoded(play(unasked, &journal)) == tried_again));
}

TEST_CASE("a rollout that was aborted stays aborted", "[rollout][journal]") {
  const TemporaryFolder folder;
  const Task seven{.id = "t7", .prompt = "7", .answer = "5"};
  const auto run = [&](bool may_ask) {
    const auto script = [&](std::span<const Token> context, AgentRole, const RandomStream&) {
      if (!may_ask) throw Error("a model was asked", "script");
      return Tokens{toy::call, context.back(), toy::end};
    };
    ScriptedModel model{toy::vocab, script};
    RolloutScheduler scheduler{SharedWeights{model},
                               Protocol{toy::Dialect{}, toy::Tools{}, Never{}}};
    RolloutJournal journal(folder / "journal");
    scheduler.use_journal(&journal);
    return scheduler.run(std::span(&seven, 1), 1, {}, RandomStream::from_seed(1)).front();
  };
  for (const bool may_ask : {true, false}) {
    const Rollout rollout = run(may_ask);
    CHECK(rollout.status == RolloutStatus::aborted);
    CHECK(rollout.ending == "aborted: the ledger server is gone");
  }
}

TEST_CASE("a journal of another run is refused by name", "[rollout][journal]") {
  const TemporaryFolder folder;
  {
    RolloutJournal journal(folder / "journal");
    World world;
    play(world, &journal);
  }
  const auto error = [&](const Game& game) {
    return error_of([&] {
      RolloutJournal journal(folder / "journal");
      World world;
      play(world, &journal, game);
    });
  };
  Game other_tasks;
  std::swap(other_tasks.tasks[0], other_tasks.tasks[1]);
  CHECK_THAT(error(other_tasks), ContainsSubstring("a rollout of task 't1', member 0 where the run "
                                                   "plays one of task 't2', member 0") &&
                                     ContainsSubstring("remove the journal"));
  Game other_prompt;
  other_prompt.tasks[0].prompt = "6";
  CHECK_THAT(error(other_prompt),
             ContainsSubstring("a context of 2 tokens was continued, and now one of 2 others"));
  Game other_seed;
  other_seed.seed = 4;
  CHECK(error(other_seed) == "no error");  // nothing in it is of these rollouts
  write_file_atomically(folder / "journal", std::string("{}"));
  CHECK_THAT(error({}), ContainsSubstring("not a rollout journal of format 1"));
}

TEST_CASE("a full disk ends the stream, and what was written stays", "[rollout][journal]") {
  const TemporaryFolder folder;
  World first;
  {
    RolloutJournal journal(folder / "journal");
    const FileSizeLimit limit(1500);
    CHECK_THAT(error_of([&] { play(first, &journal); }),
               ContainsSubstring("cannot write a rollout journal"));
  }
  RolloutJournal journal(folder / "journal", JournalSurvives::lost_power);
  World second{.drift = 1};
  const std::vector<Rollout> rollouts = play(second, &journal);
  CHECK(journal.replayed() > 5);
  CHECK(journal.replayed() + second.answers == answers_in(rollouts));
}
