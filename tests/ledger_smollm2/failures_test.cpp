#include "ledger_smollm2/failures.hpp"

#include <memory>
#include <string>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "ledger_smollm2/tiny_room.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace ledger_smollm2;

namespace {

enum class Models { one, two };

/// Plays the chain, with a note after every second lookup, by a list of what the agents say.
struct Theatre {
  TemporaryFolder folder;
  Dialect dialect = tiny_room::dialect(folder / "m");
  std::shared_ptr<const Book> book = std::make_shared<const Book>(Book{{"a", tiny_room::chain()}});

  Rollout play(const std::vector<std::string>& said, Models models = Models::one) const {
    std::size_t next = 0;
    const auto script = [&](std::span<const Token>, AgentRole, const RandomStream&) {
      std::vector<Token> tokens;
      dialect.tokenizer().encode(said.at(next++), tokens);
      tokens.push_back(*dialect.tokenizer().special("<|im_end|>"));
      return tokens;
    };
    ScriptedModel one(259, script), two(259, script);
    const auto protocol =
        make_protocol(dialect, book, 700, TurnCount{.turns = 2}, ReplaceBySummary{});
    const std::vector<Task> tasks{make_task(tiny_room::chain(), "a")};
    const auto run = [&](auto pairing) {
      RolloutScheduler scheduler{pairing, protocol};
      Rollout rollout = scheduler.run(tasks, 1, {}, RandomStream::from_seed(1))[0];
      rollout.reward = rollout.answer == tasks[0].answer ? 1 : 0;
      return rollout;
    };
    return models == Models::one ? run(SharedWeights{one}) : run(SeparateWeights{one, two});
  }
  std::string_view kind(const std::vector<std::string>& said) const {
    const Rollout rollout = play(said);
    REQUIRE(rollout.reward == 0);
    return failure_kind(rollout, tiny_room::chain(),
                        read_sums(rollout, tiny_room::chain(), dialect.tokenizer()));
  }
};

const std::vector<std::string> kRight{
    "lookup David.", "lookup Luke.", "Total 25+6=31+5=36. Next is John.",
    "lookup John.",  "lookup Mark.", "Total 36+3=39+9=48. Next is nobody.",
    "Total 48."};

std::vector<std::string> instead(std::size_t line, const std::string& said) {
  std::vector<std::string> all = kRight;
  all[line] = said;
  return all;
}

}  // namespace

TEST_CASE("a right episode has its reward, its additions and its notes counted",
          "[ledger_smollm2]") {
  const Theatre theatre;
  for (const Models models : {Models::one, Models::two}) {
    const Rollout rollout = theatre.play(kRight, models);
    CHECK(rollout.ending == "answered");
    CHECK(rollout.answer == "48");
    CHECK(rollout.summaries == 2);
    const Sums sums = read_sums(rollout, tiny_room::chain(), theatre.dialect.tokenizer());
    CHECK(sums.people.size() == 4);
    CHECK(sums.notes == 2);
    CHECK(sums.notes_with_total == 2);
    CHECK(sums.additions == 4);
    CHECK(sums.wrong_additions == 0);
    CHECK_FALSE(sums.other_total);
    CHECK_FALSE(sums.misread);
  }
}

TEST_CASE("failures are told apart", "[ledger_smollm2]") {
  const Theatre theatre;
  CHECK(theatre.kind({"lookup David.", "Total 25+6=31."}) == "answered early");
  CHECK(theatre.kind({"I do not know."}) == "malformed turn or note");
  CHECK(theatre.kind({"lookup David.", "lookup David.", "Total 25+6=31+6=37. Next is Luke.",
                      "lookup David.", "lookup David.", "Total 37. Next is Luke.", "lookup David.",
                      "lookup David.", "Total 37. Next is Luke.", "lookup David."}) == "limit met");
  std::vector<std::string> forgetful = instead(2, "Visited David, Luke. Next is John.");
  forgetful[5] = "Total 25+3=28+9=37. Next is nobody.";
  forgetful[6] = "Total 37.";
  CHECK(theatre.kind(forgetful) == "a note without a total");
  CHECK(theatre.kind(instead(6, "Total 25.")) == "another total carried");
  std::vector<std::string> misread = instead(2, "Total 25+6=31+6=37. Next is John.");
  misread[5] = "Total 37+3=40+9=49. Next is nobody.";
  misread[6] = "Total 49.";
  CHECK(theatre.kind(misread) == "debt misread");
  std::vector<std::string> wrong = instead(5, "Total 36+3=39+9=38. Next is nobody.");
  wrong[6] = "Total 38.";
  CHECK(theatre.kind(wrong) == "wrong addition");
}

TEST_CASE("a verdict counts rollouts without reward by kind, and all additions",
          "[ledger_smollm2]") {
  const Theatre theatre;
  std::vector<std::string> wrong = instead(5, "Total 36+3=39+9=38. Next is nobody.");
  wrong[6] = "Total 38.";
  const std::vector<Rollout> rollouts{theatre.play(kRight), theatre.play(wrong),
                                      theatre.play({"lookup David.", "Total 25+6=31."})};
  const std::vector<Chain> chains(3, tiny_room::chain());
  const Verdict verdict = judge(rollouts, chains, theatre.dialect.tokenizer());
  CHECK(verdict.solved.successes == 1);
  CHECK(verdict.solved.trials == 3);
  CHECK(verdict.additions == 9);
  CHECK(verdict.wrong_additions == 1);
  CHECK(verdict.notes == 4);
  CHECK(verdict.notes_with_total == 4);
  CHECK(verdict.failures.size() == kFailureKinds.size());
  CHECK(count_failures(verdict.failures, "wrong addition") == 1);
  CHECK(count_failures(verdict.failures, "answered early") == 1);
  CHECK(count_failures(verdict.failures, "debt misread") == 0);
}
