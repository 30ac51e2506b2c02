#include "dualagent/train/run_ranks.hpp"

#include <signal.h>

#include <array>
#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

#include "dualagent/collective/launcher.hpp"
#include "dualagent/collective/threads.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/train/run_options.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/program_beside.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

struct Processes {
  LaunchOutcome outcome;
  std::vector<std::string> lines;  // of each rank
};

/// Runs rank_trainer.cpp on so many ranks.
Processes run_trainer(std::size_t ranks, const TemporaryFolder& folder, std::size_t steps,
                      const std::string& strategy, const std::string& disturbance = "none",
                      std::size_t disturbed_step = 0) {
  Processes all{{}, std::vector<std::string>(ranks)};
  all.outcome =
      launch_ranks({program_beside(DUALAGENT_RANK_TRAINER), folder.path().string(),
                    std::to_string(steps), strategy, disturbance, std::to_string(disturbed_step)},
                   {.ranks = ranks,
                    .grace_seconds = 60,
                    .on_line = [&](std::size_t rank, bool, std::string_view line) {
                      all.lines[rank] += std::string(line) + "\n";
                    }});
  return all;
}

std::vector<double> weights_in(const TemporaryFolder& folder) {
  std::istringstream text(read_file(folder / "weights"));
  std::vector<double> weights;
  for (double weight = 0; text >> weight;) weights.push_back(weight);
  return weights;
}

void check_close(const std::vector<double>& weights, const std::vector<double>& expected) {
  REQUIRE(weights.size() == expected.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] != Approx(expected[i]).epsilon(1e-9).margin(1e-12))
      FAIL("weight " << i << " is " << weights[i] << ", not " << expected[i]);
}

void check_each_step_once(const TemporaryFolder& folder, std::size_t steps) {
  const std::vector<MetricsRecord> records = read_metrics(RunFiles{folder.path()}.metrics());
  REQUIRE(records.size() == steps);
  for (std::size_t step = 0; step < steps; ++step) CHECK(records[step].step == step);
}

constexpr std::size_t kWeights = 20 * 20;  // of the bigram model of 20 tokens

}  // namespace

TEST_CASE("ranks of a run set flags for all, and one of them speaks", "[train][collective]") {
  std::vector<std::array<bool, 3>> flags(3);
  std::vector<std::string> errors(3);
  std::vector<int> first(3);
  run_ranks(3, [&](ThreadCollective collective) {
    RunRanks ranks(collective);
    const std::size_t rank = collective.rank();
    first[rank] = ranks.is_first();
    flags[rank] = ranks.any(std::array{rank == 1, rank == 2, false});
    ranks.require_same(7, "a checkpoint of step", "out");
    errors[rank] = error_of([&] { ranks.require_same(rank / 2, "a checkpoint of step", "out"); });
  });
  for (std::size_t rank = 0; rank < 3; ++rank) {
    CHECK(flags[rank] == std::array{true, true, false});
    CHECK(first[rank] == (rank == 0 ? 1 : 0));
    CHECK_THAT(errors[rank],
               ContainsSubstring("rank 0 has a checkpoint of step 0, rank 2 has 1 (out)"));
  }
}

TEST_CASE("ranks of a mesh set flags for both axes", "[train][collective]") {
  std::vector<int> seen(4);
  run_ranks(MeshShape{.data = 2, .model = 2}, [&](ThreadCollective data, ThreadCollective model) {
    Mesh mesh{data, model};
    RunRanks ranks(mesh);
    const std::size_t rank = 2 * data.rank() + model.rank();
    seen[rank] = (ranks.any(std::array{rank == 3})[0] ? 1 : 0) + (ranks.is_first() ? 10 : 0);
  });
  CHECK(seen == std::vector<int>{11, 1, 1, 1});
}

TEST_CASE("runs on 1, 2 and 4 processes end with equal weights, sharded ones with equal bits",
          "[train][collective]") {
  std::vector<double> of_one;
  for (const std::size_t ranks : {1U, 2U, 4U}) {
    TemporaryFolder replicated, sharded;
    const Processes whole = run_trainer(ranks, replicated, 4, "replicated");
    const Processes parts = run_trainer(ranks, sharded, 4, "sharded");
    CHECK(whole.outcome.status() == 0);
    CHECK(parts.outcome.status() == 0);
    const std::string steps = "4 steps, ";
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      CHECK(whole.lines[rank].ends_with(steps + std::to_string(2 * kWeights) + " moments\n"));
      CHECK(
          parts.lines[rank].ends_with(steps + std::to_string(2 * kWeights / ranks) + " moments\n"));
    }
    const std::vector<double> weights = weights_in(replicated);
    CHECK(weights_in(sharded) == weights);
    if (ranks == 1) of_one = weights;
    check_close(weights, of_one);
    check_each_step_once(replicated, 4);
  }
}

TEST_CASE("a model on 2 processes trains as on one, its rows divided or itself, and goes on on 1",
          "[train][collective]") {
  TemporaryFolder alone;
  const Processes one = run_trainer(1, alone, 4, "model");
  REQUIRE(one.outcome.status() == 0);
  for (const char* const divided : {"model", "rows"}) {
    TemporaryFolder together, changed;
    const Processes two = run_trainer(2, together, 4, divided);
    REQUIRE(two.outcome.status() == 0);
    check_close(weights_in(together), weights_in(alone));
    check_each_step_once(together, 4);
    CHECK_THAT(two.lines[0], ContainsSubstring("4 steps, ") && ContainsSubstring(", tools"));
    CHECK_THAT(two.lines[1], ContainsSubstring("4 steps, ") && ContainsSubstring(", no tools"));
    REQUIRE(run_trainer(2, changed, 2, divided).outcome.status() == 0);
    REQUIRE(run_trainer(1, changed, 4, "model").outcome.status() == 0);
    check_close(weights_in(changed), weights_in(alone));
  }
}

TEST_CASE("a rank that is killed ends the run, which goes on with another number of ranks",
          "[train][collective]") {
  TemporaryFolder undisturbed, killed;
  REQUIRE(run_trainer(1, undisturbed, 6, "replicated").outcome.status() == 0);
  const Processes first = run_trainer(4, killed, 6, "sharded", "killed", 2);
  CHECK(first.outcome.ranks[1].status == 128 + SIGKILL);
  for (const std::size_t rank : {0U, 2U, 3U}) {
    CHECK(first.outcome.ranks[rank].status == 3);
    CHECK_THAT(first.lines[rank],
               ContainsSubstring("rank 1 (process " +
                                 std::to_string(first.outcome.ranks[1].process) + ") has died"));
  }
  const Processes second = run_trainer(2, killed, 6, "sharded", "killed", 4);
  CHECK(second.outcome.ranks[1].status == 128 + SIGKILL);
  const Processes third = run_trainer(3, killed, 6, "replicated");
  CHECK(third.outcome.status() == 0);
  check_close(weights_in(killed), weights_in(undisturbed));
  check_each_step_once(killed, 6);
}

TEST_CASE("a signal to one rank ends the run of all behind the same step", "[train][collective]") {
  TemporaryFolder folder, undisturbed;
  const Processes stopped = run_trainer(3, folder, 5, "sharded", "stopped", 1);
  for (std::size_t rank = 0; rank < 3; ++rank) {
    CHECK(stopped.outcome.ranks[rank].status == 130);
    CHECK_THAT(stopped.lines[rank], ContainsSubstring("2 steps, "));
  }
  CHECK_THAT(stopped.lines[0], ContainsSubstring("interrupted after 2 of 5 steps; saved in"));
  CHECK(run_trainer(3, folder, 5, "sharded").outcome.status() == 0);
  CHECK(run_trainer(3, undisturbed, 5, "sharded").outcome.status() == 0);
  CHECK(weights_in(folder) == weights_in(undisturbed));
}
