// A trigger, a tool, a reward and an objective of your own, on the quickstart's pair.
//   build/release/examples/own_policies quickstart-out

#include <cstdio>
#include <string>

#include "dualagent/dualagent.hpp"
#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"
namespace da = dualagent;

/// Summarize after every third page, however long the context is.
struct EveryThirdTurn {
  bool should_summarize(const da::ContextStatus& status) const { return status.turns % 3 == 0; }
};

/// The ledger without noise: a tool is a name, a struct of arguments and a call operator.
struct QuietLookup {
  static constexpr std::string_view name = "lookup";
  using Arguments = quickstart::LedgerLookup::Arguments;
  quickstart::LedgerLookup lookup;
  std::string operator()(const Arguments& arguments, const da::CallInfo& info) const {
    const std::string text = lookup(arguments, info);
    return text.substr(text.size() - 5);  // "T=4>I"
  }
};

/// One point for the right answer, minus a little for every call.
struct FrugalMatch {
  double cost_per_call = 0.01;
  std::optional<double> score(const da::Task& task, const da::Rollout& rollout) const {
    return *da::ExactMatch{}.score(task, rollout) -
           cost_per_call * static_cast<double>(rollout.calls);
  }
};

/// Plain policy gradient with a small bonus for entropy, minimised.
struct PolicyGradient {
  double entropy_bonus = 0.001;
  template <class S>
  S operator()(const da::TokenTerms<S>& t) const {
    return -(exp(t.log_prob - t.old_log_prob) * t.advantage) - S(entropy_bonus) * t.entropy;
  }
};

int main(int argc, char** argv) try {
  const std::string run = argc > 1 ? argv[1] : "quickstart-out";
  da::Transformer<float> model{da::load_config(run + "/models/dual/answerer")};
  da::load_weights(run + "/models/dual/answerer", model);
  const auto ledger =
      std::make_shared<quickstart::Ledger>(quickstart::Ledger::read(run + "/ledger.csv"));
  da::Protocol protocol{quickstart::LedgerDialect{}, da::ToolBox{QuietLookup{{.ledger = ledger}}},
                        EveryThirdTurn{} || da::TokenBudget{.max_tokens = 100},
                        da::ReplaceBySummary{}, da::RolloutLimits{.max_context_tokens = 136}};
  da::Trainer trainer{
      da::SharedWeights{model},
      protocol,
      FrugalMatch{},
      da::Recipe{da::Objective{da::GroupNormalized{}, PolicyGradient{}, da::RolloutMean{}}},
      da::LocalCollective{},
      {.group_size = 8, .seed = 7}};
  std::vector<da::Task> tasks = da::read_tasks(run + "/tasks.jsonl");
  tasks.resize(16);
  for (int step = 0; step < 3; ++step) {
    const da::StepMetrics metrics = trainer.step(tasks);
    std::printf("step %d: reward %.3f, %.1f summaries per rollout\n", step, metrics.reward_mean,
                metrics.summaries);
  }
} catch (const da::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
