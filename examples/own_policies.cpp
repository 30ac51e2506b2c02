// A trigger, a tool, a reward and an objective of your own, on the quickstart's warm start:
//   build/release/examples/own_policies

#include <cstdio>
#include <dualagent/dualagent.hpp>

#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"
namespace da = dualagent;

/// Summarize after every third page, however long the context is.
struct EveryThirdTurn {
  bool should_summarize(const da::ContextStatus& status) const { return status.turns % 3 == 0; }
};

/// The ledger with less noise: a tool is a name, a struct of arguments and a call operator.
struct QuietLookup {
  static constexpr std::string_view name = "lookup";
  using Arguments = quickstart::LedgerLookup::Arguments;
  std::shared_ptr<const quickstart::Ledger> ledger;
  std::string operator()(const Arguments& arguments, const da::CallInfo& info) const {
    const auto* entry = ledger->find(info.task->id, arguments.page.at(0));
    if (entry == nullptr) throw da::Error("there is no such page", arguments.page);
    return quickstart::page_text(*entry, {14, 16}, info.task->seed, info.call);
  }
};

/// One point for the right answer, minus a little for every call that it took. A wrong answer
/// costs nothing: see docs/rewards.md, "A small cost in a normalized group".
struct FrugalMatch {
  double cost_per_call = 0.01;
  std::optional<double> score(const da::Task& task, const da::Rollout& rollout) const {
    const double right = *da::ExactMatch{}.score(task, rollout);
    return right * (1.0 - cost_per_call * static_cast<double>(rollout.calls));
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

int main() try {
  auto model = da::load_model("quickstart-out/models/warm_start/answerer");
  const auto ledger = quickstart::Ledger::read("quickstart-out/ledger.csv");
  da::Protocol protocol(quickstart::LedgerDialect{}, da::ToolBox{QuietLookup{ledger}},
                        EveryThirdTurn{} || da::TokenBudget{.max_tokens = 100},
                        da::ReplaceBySummary{}, da::RolloutLimits{.max_context_tokens = 136});
  da::Trainer trainer(
      da::SharedWeights{model}, protocol, FrugalMatch{},
      da::Recipe{da::Objective{da::GroupNormalized{}, PolicyGradient{}, da::RolloutMean{}}},
      da::LocalCollective{}, {.group_size = 8, .seed = 7});
  da::TaskStream tasks("quickstart-out/tasks.jsonl", da::TaskRows{},
                       da::RandomStream::from_seed(7));
  for (int step = 0; step < 20; ++step) {
    const da::StepMetrics metrics = trainer.step(tasks.next(16));
    std::printf("step %d: reward %.3f, %.1f summaries per rollout\n", step, metrics.reward_mean,
                metrics.summaries);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
