#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "dualagent/core/stop_signals.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/store/trajectory_store.hpp"
#include "dualagent/train/weight_folder.hpp"
#include "options.hpp"
#include "quickstart/rows.hpp"

/// What the four processes agree on.
namespace two_jobs {

namespace da = dualagent;
using quickstart::Model;

inline constexpr const char* kToken = "TWO_JOBS_TOKEN";  // environment variable

/// With this status a process asks to be started again: a server that it needs is gone or
/// elsewhere.
inline constexpr int kAgain = 75;

/// After an error of a process. A store that is gone is waited for; that does not count as a death.
inline int status_after(const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  if (da::StopSignals::requested()) return 130;
  return dynamic_cast<const da::StoreFault*>(&error) == nullptr ? 1 : kAgain;
}

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

inline void wait_a_little(int milliseconds) {
  if (da::StopSignals::requested()) throw quickstart::Interrupted{};
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

/// Only one process of a role works in a folder: another one waits until it has ended. The file
/// holds its process id.
class RoleLock {
 public:
  RoleLock(const Options& options, std::string_view role) {
    const std::filesystem::path path = options.out / (std::string(role) + ".lock");
    file_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file_ < 0) throw da::Error("cannot open the file", path.string());
    while (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) throw da::Error("cannot lock the file", path.string());
      wait_a_little(20);
    }
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
inline std::string listens_at(const Options& options) {
  return options.host == "127.0.0.1" ? "127.0.0.1" : "0.0.0.0";
}
inline void announce(const Options& options, std::string_view server, int port) {
  const std::string url = "http://" + std::string(options.host) + ":" + std::to_string(port);
  da::write_file_atomically(address_file(options, server), url);
  std::printf("serves at %s\n", url.c_str());
  std::fflush(stdout);
}
/// Where a server is reached; waits until it has been started once. If it is started elsewhere
/// while this object lives, the process ends and asks to be started again.
class Address {
 public:
  Address(const Options& options, std::string_view server) {
    const std::filesystem::path file = address_file(options, server);
    while (!std::filesystem::exists(file)) wait_a_little(5);
    url_ = da::read_file(file);
    watch_ = std::jthread([file, url = url_](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        const std::string now = now_in(file, url);
        if (da::StopSignals::requested() || now == url) continue;
        std::printf("what was served at %s is at %s now\n", url.c_str(), now.c_str());
        std::fflush(stdout);
        std::_Exit(kAgain);
      }
    });
  }

  const std::string& url() const { return url_; }

 private:
  /// The old one while the server is about to be started again.
  static std::string now_in(const std::filesystem::path& file, const std::string& old) try {
    return std::filesystem::exists(file) ? da::read_file(file) : old;
  } catch (const std::exception&) {
    return old;
  }

  std::string url_;
  std::jthread watch_;
};

// A learner that has done all steps says so in a file: then nothing is asked of the other job.
inline std::filesystem::path done_file(const Options& options, std::string_view learner) {
  return options.out / learner / "done";
}
inline bool is_done(const Options& options, std::string_view learner) {
  const std::filesystem::path file = done_file(options, learner);
  return std::filesystem::exists(file) && da::read_file(file) == std::to_string(options.steps);
}

}  // namespace two_jobs
