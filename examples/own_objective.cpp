// A complete objective of your own: four small policies, nothing to register, no gradient to
// derive.
//   build/release/examples/own_objective quickstart-out

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <span>
#include <string>

#include "dualagent/dualagent.hpp"
#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"
namespace da = dualagent;

// The objective: 20 lines.
struct BestOfGroup {  // compare with the best of the group, not with its mean
  void estimate(std::span<const double> rewards, std::span<const std::size_t> begin,
                std::span<double> advantages) const {
    for (std::size_t g = 0; g + 1 < begin.size(); ++g) {
      const auto group = rewards.subspan(begin[g], begin[g + 1] - begin[g]);
      const double mean = std::reduce(group.begin(), group.end()) / double(group.size());
      const double best = *std::max_element(group.begin(), group.end());
      for (std::size_t i = 0; i < group.size(); ++i)
        advantages[begin[g] + i] = best > mean ? (group[i] - mean) / (best - mean) : 0.0;
    }
  }
};
struct SoftClip {  // tanh instead of a hard clip: a smooth trust region
  template <class S>
  constexpr S operator()(const da::TokenTerms<S>& t) const {
    const S e = exp(S(2) * clamp(t.log_prob - t.old_log_prob, S(-5), S(5)) / S(0.3));
    return -(S(0.3) * (e - S(1)) / (e + S(1)) * t.advantage);
  }
};
using MyObjective = da::Objective<BestOfGroup, SoftClip, da::RolloutMean>;

int main(int argc, char** argv) try {
  const std::string run = argc > 1 ? argv[1] : "quickstart-out";
  da::Transformer<float> model{da::load_config(run + "/models/dual/answerer")};
  da::load_weights(run + "/models/dual/answerer", model);
  const auto ledger =
      std::make_shared<quickstart::Ledger>(quickstart::Ledger::read(run + "/ledger.csv"));
  da::Protocol protocol{quickstart::LedgerDialect{}, da::ToolBox{quickstart::LedgerLookup{ledger}},
                        da::TokenBudget{.max_tokens = 80}, da::ReplaceBySummary{},
                        da::RolloutLimits{.max_context_tokens = 136}};
  da::Trainer trainer{da::SharedWeights{model}, protocol,
                      da::ExactMatch{},         da::Recipe{MyObjective{}},
                      da::LocalCollective{},    {.group_size = 8, .seed = 7}};
  std::vector<da::Task> tasks = da::read_tasks(run + "/tasks.jsonl");
  tasks.resize(16);
  for (int step = 0; step < 5; ++step)
    std::printf("step %d: reward %.3f\n", step, trainer.step(tasks).reward_mean);
} catch (const da::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
