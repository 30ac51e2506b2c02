#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "dualagent/core/stop_signals.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/train/weight_folder.hpp"
#include "options.hpp"
#include "quickstart/rows.hpp"

/// What the four processes agree on.
namespace two_jobs {

namespace da = dualagent;
using quickstart::Model;

inline constexpr const char* kToken = "TWO_JOBS_TOKEN";  // environment variable

/// The processes, in roles.cpp; each returns its exit status.
int serve_store(const Options& options);
int serve_summarizer(const Options& options);
int train_answerer(const Options& options);
int train_summarizer(const Options& options);

/// How rollouts are played and trained on: the quickstart's recipe, with forks beside it. Of each
/// group one history is continued four times from a summary of its own.
inline da::TrainerOptions trainer_options(const Options& options) {
  return {
      .group_size = 8,
      .minibatches = 2,
      .summary_forks = {.continuations = 4, .histories_per_group = 1},
      .update = {.optimizer = {.learning_rate = options.learning_rate, .beta1 = 0.9, .beta2 = 0.95},
                 .max_gradient_norm = 1.0},
      .scheduler = {.max_live_episodes = 64},
      .seed = quickstart::stream_for(options, quickstart::Use::rollouts).bits(0)};
}

inline auto protocol(const quickstart::Data& data) {
  return quickstart::make_protocol(data, quickstart::Memory::summaries,
                                   da::TokenBudget{.max_tokens = quickstart::Difficulty{}.budget},
                                   da::ReplaceBySummary{});
}

/// The files that the first process has generated.
inline quickstart::Data load_data(Options options) {
  options.tasks = options.out / "tasks.jsonl";
  options.held_out = options.out / "held_out.jsonl";
  options.ledger = options.out / "ledger.csv";
  return quickstart::load_data(options);
}

inline std::filesystem::path warm_start(const Options& options) {
  return options.out / "models" / "warm_start" / "answerer";
}
inline Model load_warm_start(const Options& options) {
  return da::load_model(warm_start(options), {.pool = std::make_shared<da::ThreadPool>(1)});
}

/// Where a learner publishes its weights.
inline da::WeightFolder weights(const Options& options, std::string_view learner) {
  return da::WeightFolder(options.out / learner / "weights");
}

/// A learner's run, which goes on whenever it is started.
inline da::RunOptions run_options(const Options& options, const std::string& learner,
                                  const quickstart::Data& data) {
  return {.folder = options.out / learner,
          .label = learner,
          .steps = options.steps,
          .schedule = da::WarmupCosine{.warmup_steps = 0,
                                       .total_steps = options.steps,
                                       .final_fraction =
                                           options.last_learning_rate / options.learning_rate},
          .earlier_run = da::EarlierRun::resume,
          .fingerprint = {{"seed", std::to_string(options.seed)}, {"data", data.fingerprint}}};
}

/// Only one process of a role works in a folder: another one waits until it has ended. The file
/// holds its process id.
class RoleLock {
 public:
  RoleLock(const Options& options, std::string_view role) {
    const std::filesystem::path path = options.out / (std::string(role) + ".lock");
    file_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file_ < 0 || ::flock(file_, LOCK_EX) != 0)
      throw da::Error("cannot lock the file", path.string());
    if (::ftruncate(file_, 0) != 0 || ::dprintf(file_, "%d\n", ::getpid()) < 0)
      throw da::Error("cannot write the file", path.string());
  }
  RoleLock(const RoleLock&) = delete;
  ~RoleLock() { ::close(file_); }

 private:
  int file_;
};

// A server writes its address into a file; one that is started again takes the same port.
inline std::filesystem::path address_file(const Options& options, std::string_view server) {
  return options.out / (std::string(server) + ".url");
}
inline int port_before(const Options& options, std::string_view server) {
  if (!std::filesystem::exists(address_file(options, server))) return 0;  // any that is free
  const std::string url = da::read_file(address_file(options, server));
  return static_cast<int>(da::parse_number<unsigned>(url.substr(url.rfind(':') + 1)).value());
}
inline void announce(const Options& options, std::string_view server, const std::string& url) {
  da::write_file_atomically(address_file(options, server), url);
  std::printf("serves at %s\n", url.c_str());
  std::fflush(stdout);
}
/// Waits until the server has been started once.
inline std::string address_of(const Options& options, std::string_view server) {
  while (!std::filesystem::exists(address_file(options, server))) {
    if (da::StopSignals::requested()) throw quickstart::Interrupted{};
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return da::read_file(address_file(options, server));
}

}  // namespace two_jobs
