#include "objective_sweep/sweep.hpp"

#include "dualagent/io/atomic_file.hpp"
#include "objective_sweep/entries.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace objective_sweep;

namespace {

/// One recipe without a critic and one with, which learns even where no reward is earned.
struct Two {
  using List = std::tuple<Entry<"GRPO", Recipe<Grpo, AllSegments>>, Entry<"PPO", Recipe<Ppo>>>;
};

Options tiny(const std::filesystem::path& out) {
  Options options;
  options.seed = 31;
  options.steps = 2;
  options.warm_start_steps = 12;
  options.any_warm_start = true;
  options.eval_tasks = 6;
  options.threads = 2;
  options.out = out;
  return options;
}

/// The result after each experiment.
std::vector<ProblemResult> sweep(const Options& options) {
  std::vector<ProblemResult> seen;
  run_sweep<TwoBooks, Two>(options, [&](const ProblemResult& result) { seen.push_back(result); });
  return seen;
}

double first_step(const std::filesystem::path& out, const std::string& row,
                  const std::string& metric) {
  const auto records = dualagent::read_metrics(out / "two_books" / "metrics" / (row + ".jsonl"));
  return records.at(0).number(metric).value();
}

std::string weights(const std::filesystem::path& out, const std::string& row) {
  return dualagent::read_file(out / "two_books" / "models" / row / "answerer" /
                              "model.safetensors");
}

}  // namespace

TEST_CASE("every experiment starts from one warm start and is kept as soon as it is done",
          "[objective_sweep]") {
  TemporaryFolder folder;
  const std::vector<ProblemResult> seen = sweep(tiny(folder.path()));
  REQUIRE(seen.size() == 3);
  for (std::size_t i = 0; i < seen.size(); ++i) REQUIRE(seen[i].rows.size() == i + 1);
  const std::vector<Row>& rows = seen.back().rows;
  CHECK(rows[0].evaluation.name == "warm_start");
  CHECK_FALSE(rows[0].trained_tokens);
  CHECK(rows[1].evaluation.name == "grpo");
  CHECK(rows[2].evaluation.name == "ppo");
  CHECK(rows[2].trained_tokens.value() > 0);
  for (const Row& row : rows) {
    CHECK(row.evaluation.sampled.trials == 6);
    CHECK(row.evaluation.greedy.trials == 6);
    CHECK(row.right_book.value().trials == 6);
  }
  // Equal weights, tasks and random numbers sample equal rollouts in the first step.
  for (const char* metric : {"rollouts", "reward_mean", "answerer_tokens", "turns"})
    CHECK(first_step(folder.path(), "grpo", metric) == first_step(folder.path(), "ppo", metric));
  CHECK(first_step(folder.path(), "ppo", "rollouts") == 16 * 8);

  SECTION("a second run into the same folder is refused, a resumed one finds all done") {
    CHECK_THROWS_WITH(sweep(tiny(folder.path())), ContainsSubstring("--resume"));
    Options again = tiny(folder.path());
    again.resume = true;
    const std::string before = weights(folder.path(), "ppo");
    CHECK(table(sweep(again).back()) == table(seen.back()));
    CHECK(weights(folder.path(), "ppo") == before);
  }
  SECTION("an experiment alone ends with the same weights") {
    TemporaryFolder other;
    Options alone = tiny(other.path());
    alone.entries = {"ppo"};
    const std::vector<ProblemResult> result = sweep(alone);
    REQUIRE(result.size() == 2);
    CHECK(result.back().rows[1].evaluation.name == "ppo");
    CHECK(weights(other.path(), "ppo") == weights(folder.path(), "ppo"));
    CHECK(weights(other.path(), "ppo") != weights(folder.path(), "grpo"));
  }
}

TEST_CASE("a warm start that cannot copy yet is not swept", "[objective_sweep]") {
  TemporaryFolder folder;
  Options strict = tiny(folder.path());
  strict.any_warm_start = false;
  CHECK_THROWS_WITH(sweep(strict), ContainsSubstring("has not formed"));
}
