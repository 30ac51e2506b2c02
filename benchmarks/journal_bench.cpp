// What a journal costs: steps of the quickstart's pair with one and without, in turn, from the same
// weights. Prints seconds of the processor and by the clock for each step, their ratios, and the
// journal's bytes.
//   build/release/examples/quickstart --only warm_start --out OUT && journal_bench --from OUT
// Options: --from FOLDER (default quickstart-out), --steps N, --survives killed_process|lost_power

#include <algorithm>
#include <cstdio>
#include <dualagent/dualagent.hpp>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "bench.hpp"
#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"

namespace da = dualagent;

namespace {

struct Seconds {
  double processor = 0, wall = 0;
};

/// `steps` steps of 16 tasks x 8 rollouts from the folder's warm start.
Seconds train(const std::string& from, std::size_t first_task, da::RolloutJournal* journal) {
  auto model = da::load_model(from + "/models/warm_start/answerer");
  da::Protocol protocol(
      quickstart::LedgerDialect{},
      da::ToolBox{quickstart::LedgerLookup{quickstart::Ledger::read(from + "/ledger.csv")}},
      da::TokenBudget{.max_tokens = 80}, da::ReplaceBySummary{},
      da::RolloutLimits{.max_context_tokens = 136});
  da::Trainer trainer(da::SharedWeights{model}, protocol, da::ExactMatch{}, da::Recipe{da::Dapo{}},
                      da::LocalCollective{}, {.group_size = 8, .seed = 7});
  da::TaskStream tasks(from + "/tasks.jsonl", da::TaskRows{}, da::RandomStream::from_seed(7));
  tasks.seek(first_task);
  const std::vector<da::Task> lot = tasks.next(16);
  trainer.scheduler().use_journal(journal);
  const double processor = bench::processor_seconds(), wall = bench::wall_seconds();
  trainer.step(lot);
  const Seconds seconds{bench::processor_seconds() - processor, bench::wall_seconds() - wall};
  trainer.scheduler().use_journal(nullptr);
  return seconds;
}

}  // namespace

int main(int argc, char** argv) try {
  const bench::Options options(argc, argv);
  const std::string from = options.text("--from", "quickstart-out");
  const std::size_t steps = options.number("--steps", 10);
  const auto survives = options.text("--survives", "killed_process") == "lost_power"
                            ? da::JournalSurvives::lost_power
                            : da::JournalSurvives::killed_process;
  const std::string path = from + "/journal_bench.journal";
  std::vector<double> with, without, with_wall, without_wall;
  std::uintmax_t bytes = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    std::filesystem::remove(path);
    da::RolloutJournal journal(path, survives);
    const auto plain = [&] {
      const Seconds seconds = train(from, step * 16, nullptr);
      without.push_back(seconds.processor), without_wall.push_back(seconds.wall);
    };
    const auto kept = [&] {
      const Seconds seconds = train(from, step * 16, &journal);
      with.push_back(seconds.processor), with_wall.push_back(seconds.wall);
      bytes += std::filesystem::file_size(path);
    };
    if (step % 2 == 0)
      plain(), kept();
    else
      kept(), plain();
  }
  std::filesystem::remove(path);
  const auto median = [](std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
  };
  const auto print = [&](const char* name, const std::vector<double>& a,
                         const std::vector<double>& b) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < a.size(); ++i) ratios.push_back(b[i] / a[i]);
    std::printf("%-18s without %.3f s, with a journal %.3f s a step; ratio %.3f (median of %zu)\n",
                name, median(a), median(b), median(ratios), ratios.size());
  };
  print("processor seconds", without, with);
  print("seconds", without_wall, with_wall);
  std::printf("%.0f bytes a step\n", static_cast<double>(bytes) / static_cast<double>(steps));
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
