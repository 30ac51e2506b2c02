#include "quickstart/failures.hpp"

#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"
#include "support/catch.hpp"

using namespace dualagent;
using namespace quickstart;

namespace {

const std::string kCsv = "task,page,amount,next\na,K,3,Q\na,Q,4,M\na,M,1,.\n";

/// Plays one task, "sum:K+10?" with the total 18, by a list of what the agents say in turn.
Rollout play(const std::vector<std::string>& said, std::size_t turns_per_summary) {
  std::size_t next = 0;
  ScriptedModel model(vocabulary::kSize,
                      [&](std::span<const Token>, AgentRole, const RandomStream&) {
                        std::vector<Token> tokens;
                        const std::string& line = said.at(next++);
                        for (std::size_t i = 0; i < line.size();) {
                          const std::size_t end = line[i] == '<' ? line.find('>', i) + 1 : i + 1;
                          for (Token t = 0; t < static_cast<Token>(vocabulary::kSize); ++t)
                            if (vocabulary::text(t) == line.substr(i, end - i)) tokens.push_back(t);
                          i = end;
                        }
                        return tokens;
                      });
  const auto ledger = std::make_shared<Ledger>(Ledger::parse(kCsv, "x"));
  Protocol protocol{LedgerDialect{}, ToolBox{LedgerLookup{.ledger = ledger}},
                    TurnCount{.turns = turns_per_summary}, ReplaceBySummary{},
                    RolloutLimits{.max_context_tokens = 400}};
  RolloutScheduler scheduler{SharedWeights{model}, protocol};
  const std::vector<Task> tasks{{.id = "a", .prompt = "sum:K+10?", .answer = "18", .max_calls = 6}};
  return scheduler.run(tasks, 1, {}, RandomStream::from_seed(1))[0];
}

std::string_view kind(const std::vector<std::string>& said, std::size_t turns_per_summary = 9) {
  const Trail trail{.opening = 10, .entries = {{'K', 3, 'Q'}, {'Q', 4, 'M'}, {'M', 1, '.'}}};
  return failure_kind(play(said, turns_per_summary), trail);
}

std::string call(char page) { return std::string("<tool_call>") + page + "</tool_call>"; }

}  // namespace

TEST_CASE("failures are told apart", "[quickstart]") {
  CHECK(kind({call('K'), call('Q'), call('M'), "<answer>10K313Q417M119</answer>"}) ==
        "wrong total");
  CHECK(kind({call('K'), "<answer>10K313</answer>"}) == "answered early");
  CHECK(kind({call('K'), "T"}) == "malformed turn or summary");
  CHECK(kind({call('K'), call('K'), call('K'), call('K'), call('K'), call('K'), call('K')}) ==
        "limit met");
}

TEST_CASE("forgetting is a statement that does not begin with the carried total", "[quickstart]") {
  const std::vector<std::string> honest{call('K'),
                                        "<summary>Q10K313</summary>",
                                        call('Q'),
                                        "<summary>M13Q417</summary>",
                                        call('M'),
                                        "<summary>.17M119</summary>",
                                        "<answer>19</answer>"};
  CHECK(kind(honest, 1) == "wrong total");
  std::vector<std::string> forgetful = honest;
  forgetful[3] = "<summary>M10Q414</summary>";
  CHECK(kind(forgetful, 1) == "total not carried on");
  std::vector<std::string> at_the_end = honest;
  at_the_end[6] = "<answer>10</answer>";
  CHECK(kind(at_the_end, 1) == "total not carried on");
}

TEST_CASE("only rollouts without reward are counted, every kind has a line", "[quickstart]") {
  std::vector<Rollout> rollouts{play({call('K'), "<answer>10K313</answer>"}, 9), play({"T"}, 9)};
  rollouts[1].reward = 1.0;
  const std::vector<Trail> trails(2,
                                  Trail{.opening = 10, .entries = {{'K', 3, 'Q'}, {'Q', 4, '.'}}});
  const auto counts = count_failure_kinds(rollouts, trails);
  REQUIRE(counts.size() == kFailureKinds.size());
  for (const FailureCount& count : counts)
    CHECK(count.count == (count.kind == "answered early" ? 1U : 0U));
}
