// The quickstart's pair, trained as two jobs: an Answerer's and a Summarizer's, with a store of
// rollouts and a service of the Summarizer between them. docs/two-jobs.md explains it.
//   bash examples/two_jobs/run.sh [--steps N --seed N --out DIR]

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/collective/supervisor.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/report/result_json.hpp"
#include "dualagent/report/text_table.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "jobs.hpp"

namespace {

using namespace two_jobs;

/// The processes of a job, or of both.
std::vector<std::string> roles_of(const Options& options) {
  if (options.job == "answerer") return {"answerer"};
  if (options.job == "summarizer") return {"store", "service", "summarizer"};
  return {"store", "service", "answerer", "summarizer"};
}

/// The newest lines, one of each process: redrawn on a terminal, one after another elsewhere.
class LiveLines {
 public:
  explicit LiveLines(std::vector<std::string> roles)
      : roles_(std::move(roles)), lines_(roles_.size()) {}

  void show(std::size_t process, std::string_view line) {
    if (!in_place_) {
      std::printf("%-10s  %.*s\n", roles_[process].c_str(), static_cast<int>(line.size()),
                  line.data());
    } else {
      lines_[process] = line.substr(0, 100);
      if (drawn_) std::printf("\x1b[%zuA", roles_.size());
      drawn_ = true;
      for (std::size_t p = 0; p < roles_.size(); ++p)
        std::printf("\r%-10s  %s\x1b[K\n", roles_[p].c_str(), lines_[p].c_str());
    }
    std::fflush(stdout);
  }

 private:
  std::vector<std::string> roles_, lines_;
  bool in_place_ = ::isatty(STDOUT_FILENO) == 1;
  bool drawn_ = false;
};

/// The word by which the processes know one another: of the first job, in a file that only its user
/// may read, and handed on to the processes in their environment.
void share_token(const Options& options) {
  const std::filesystem::path file = options.out / "token";
  if (!std::filesystem::exists(file)) {
    std::random_device random;
    std::string word;
    for (int i = 0; i < 4; ++i) word += std::to_string(random());
    const mode_t before = ::umask(077);
    da::write_file_atomically(file, word);
    ::umask(before);
  }
  ::setenv(kToken, da::read_file(file).c_str(), 1);
}

/// Keeps the processes running until the job's agents are trained.
void run_jobs(const Options& options, std::span<const char* const> arguments) {
  const std::vector<std::string> roles = roles_of(options);
  std::vector<da::SupervisedProgram> programs;
  for (const std::string& role : roles) {
    std::filesystem::remove(address_file(options, role));
    std::vector<std::string> command{"/proc/self/exe"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.insert(command.end(), {"--role", role});
    programs.push_back({role, command, role == "store" || role == "service"});
  }
  LiveLines lines(roles);
  const da::SupervisorOutcome outcome = da::supervise(
      programs,
      {.again_status = kAgain,
       .on_line = [&](std::size_t p, bool, std::string_view line) { lines.show(p, line); },
       .on_restart =
           [&](std::size_t p, const da::LaunchedEnd& end, std::size_t restarts) {
             lines.show(p,
                        end.text() + ", is started again, " + std::to_string(restarts) + " so far");
           }});
  std::printf("%s", outcome.text().c_str());
  if (outcome.interrupted) throw quickstart::Interrupted{};
  if (outcome.gave_up)
    throw da::Error("the process \"" + roles[*outcome.gave_up] + "\" died too often",
                    options.out.string(), "Its last words are above; then add --resume");
}

/// Its threads have ended when it returns: `supervise` wants to be alone.
void make_warm_start(const Options& options, const quickstart::Data& data) {
  if (std::filesystem::exists(warm_start(options) / "config.json")) return;
  quickstart::Run run(options, data);
  Model model = run.warm_start(quickstart::Memory::summaries, "dual");
  da::save_model(warm_start(options), model);
}

/// How long a learner took, and its largest log ratio.
struct Trained {
  double seconds = 0, max_abs_log_ratio = 0;
  Trained(const Options& options, std::string_view learner) {
    for (const auto& record : da::read_metrics(options.out / learner / "metrics" / "train.jsonl")) {
      seconds = record.number("elapsed_seconds").value_or(0);
      max_abs_log_ratio =
          std::max(max_abs_log_ratio, record.number("max_abs_log_ratio").value_or(0));
    }
  }
};

da::ResultRow evaluate(quickstart::Run& run, da::ResultRow row,
                       const std::filesystem::path& answerer,
                       const std::filesystem::path& summarizer) {
  const auto pool = std::make_shared<da::ThreadPool>(run.options().threads);
  Model first = da::load_model(answerer, {.pool = pool});
  Model second = da::load_model(summarizer, {.pool = pool});
  return run.evaluate(std::move(row), da::SeparateWeights{first, second}, protocol(run.data()),
                      da::AllSegments{});
}

/// The first job writes what both must agree on, and the second compares: with other steps, say,
/// each would wait for the other at its end.
void require_same_run(const Options& options) {
  const da::RunFingerprint now{{"--seed", std::to_string(options.seed)},
                               {"--steps", std::to_string(options.steps)},
                               {"--tasks-per-step", std::to_string(options.tasks_per_step)},
                               {"--max-staleness", std::to_string(options.max_staleness)},
                               {"--warm-start-steps", std::to_string(options.warm_start_steps)},
                               {"--eval-tasks", std::to_string(options.eval_tasks)}};
  const std::filesystem::path file = options.out / "options.json";
  if (!std::filesystem::exists(file)) {
    da::write_file_atomically(file, nlohmann::json(now).dump(2) + "\n");
    return;
  }
  const da::RunFingerprint before =
      da::parse_json(da::read_file(file), file.string(), "Choose another folder with --out")
          .get<da::RunFingerprint>();
  if (const std::string others = da::fingerprint_differences(before, now); !others.empty())
    throw da::Error("the run in this folder was begun with other options: " + others,
                    options.out.string(),
                    "Give both jobs the same options, or choose another folder with --out");
}

/// What both jobs begin with; the first of them makes it, a second one waits.
quickstart::Data prepare(const Options& options) {
  const RoleLock lock(options, "preparation");
  require_same_run(options);
  quickstart::Data data = quickstart::load_data(options);
  make_warm_start(options, data);
  share_token(options);
  return data;
}

/// All of it: warm start, training, evaluation. The Answerer's job alone is over before the last.
void run_all(const Options& options, std::span<const char* const> arguments) {
  const auto start = std::chrono::steady_clock::now();
  const quickstart::Data data = prepare(options);
  run_jobs(options, arguments);
  if (options.job == "answerer") return;
  quickstart::Run run(options, data);
  std::vector<da::ResultRow> rows{evaluate(run, {.name = "warm_start", .label = "warm start only"},
                                           warm_start(options), warm_start(options))};
  const Trained of_answerer(options, "answerer"), of_summarizer(options, "summarizer");
  const double largest = std::max(of_answerer.max_abs_log_ratio, of_summarizer.max_abs_log_ratio);
  const std::filesystem::path trained = options.out / "models" / "two_jobs";
  rows.push_back(evaluate(run,
                          {.name = "two_jobs",
                           .label = "two jobs",
                           .seconds = std::max(of_answerer.seconds, of_summarizer.seconds)},
                          trained / "answerer", trained / "summarizer"));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  da::write_result(
      options.out / "result.json",
      {.seed = options.seed, .seconds = seconds, .rows = rows, .max_abs_log_ratio = largest});
  std::printf(
      "\nSolved held-out tasks, seed %llu:\n\n%s\nmax |log ratio| between sampling and "
      "training: %s\n\nDone in %.0f s: %s\n",
      static_cast<unsigned long long>(options.seed), da::text_table(rows).c_str(),
      da::shortest_text(largest).c_str(), seconds, (options.out / "result.json").c_str());
}

/// SLURM tells every process of a job to end, and so does the supervisor: but a second signal would
/// end this process before it has saved. The first one counts, the others never come.
void hear_one_signal() {
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // here and in the threads to come
  std::thread([ends] {
    int number = 0;
    ::sigwait(&ends, &number);
    struct sigaction noting {};  // what StopSignals does about it
    ::sigaction(number, nullptr, &noting);
    if (noting.sa_handler != SIG_DFL) noting.sa_handler(number);
  }).detach();
}

int run_role(const Options& options) {
  const std::map<std::string_view, int (*)(const Options&)> roles{{"store", serve_store},
                                                                  {"service", serve_summarizer},
                                                                  {"answerer", train_answerer},
                                                                  {"summarizer", train_summarizer}};
  const auto role = roles.find(options.role);
  if (role == roles.end())
    throw da::Error("there is no role \"" + std::string(options.role) + "\"", "--role",
                    "The roles are store, service, answerer and summarizer");
  const da::StopSignals signals;
  if (!options.job.empty()) hear_one_signal();
  const RoleLock lock(options, options.role);
  try {
    return role->second(options);
  } catch (const std::exception& error) {
    return status_after(error);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<const char* const> arguments(argv + 1, static_cast<std::size_t>(argc - 1));
  try {
    const Options options = parse(arguments);
    if (!options.role.empty()) return run_role(options);
  } catch (const quickstart::Interrupted&) {
    return 130;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return quickstart::run_program(
      arguments, "examples/two_jobs/run.sh", kHelp, parse,
      [&](const Options& options, const std::string&) { run_all(options, arguments); });
}
