#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/store/sqlite_store.hpp"
#include "store/campaign_groups.hpp"
#include "support/faulty_vfs.hpp"

namespace campaign {

/// Writers and readers in processes of their own that are killed at random moments, by kill -9 from
/// outside or by themselves in the middle of a write, and started again.
///
/// A process keeps its place in a log, a line for each group, which survives kill -9 as all written
/// files do. A writer that starts again repeats its last groups. A reader that starts again first
/// acknowledges what its log says it has used, then gives back what it had claimed besides.
class Processes {
 public:
  static constexpr std::size_t kWriters = 2, kReaders = 2;

  Processes(std::filesystem::path folder, std::uint64_t seed, FaultyVfs::Faults faults)
      : folder_(std::move(folder)),
        faults_(faults),
        random_(dualagent::RandomStream::from_seed(seed)) {}

  Verdict run(std::size_t kills) {
    for (std::size_t slot = 0; slot < kWriters + kReaders; ++slot) start(slot);
    while (kills_ < kills) {
      std::this_thread::sleep_for(std::chrono::microseconds(draw(15'000)));
      const std::size_t victim = draw(kWriters + kReaders);
      if (!has_died(victim)) {
        ::kill(children_[victim], SIGKILL);
        ::waitpid(children_[victim], nullptr, 0);
        ++kills_;
      }
      start(victim);
    }
    std::ofstream(folder_ / "stop") << "stop\n";  // no more groups, no more deaths
    for (std::size_t slot = 0; slot < kWriters + kReaders; ++slot)
      while (!has_ended(slot)) start(slot);
    return verdict();
  }

  std::size_t kills() const { return kills_; }
  std::size_t deaths_in_a_write() const { return deaths_in_a_write_; }

 private:
  std::uint64_t draw(std::uint64_t n) { return random_.below(drawn_++, n); }

  static std::string name_of(std::size_t slot) {
    return slot < kWriters ? "writer-" + std::to_string(slot)
                           : "reader-" + std::to_string(slot - kWriters);
  }

  void start(std::size_t slot) {
    const std::uint64_t seed = draw(1U << 30);
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child != 0) {
      children_[slot] = child;
      return;
    }
    int status = 1;
    try {
      Process process(folder_, name_of(slot), seed, faults_);
      if (slot < kWriters)
        process.write();
      else
        process.read();
      status = 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", name_of(slot).c_str(), error.what());
    }
    ::_exit(status);
  }

  /// Whether it has killed itself; a process that fails ends the campaign.
  bool has_died(std::size_t slot) {
    int status = 0;
    if (::waitpid(children_[slot], &status, WNOHANG) == 0) return false;
    judge_end(slot, status);
    return true;
  }
  /// Waits; whether it has done all that it was to do.
  bool has_ended(std::size_t slot) {
    int status = 0;
    ::waitpid(children_[slot], &status, 0);
    judge_end(slot, status);
    return WIFEXITED(status);
  }
  void judge_end(std::size_t slot, int status) {
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      ++kills_;
      ++deaths_in_a_write_;
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      throw std::runtime_error(name_of(slot) + " failed");
    }
  }

  Verdict verdict() const {
    std::map<std::string, std::uint64_t> groups;
    for (std::size_t slot = 0; slot < kWriters; ++slot)
      groups[name_of(slot)] = Log(folder_ / name_of(slot)).lines().size();
    std::vector<Effect> effects;
    for (std::size_t slot = kWriters; slot < kWriters + kReaders; ++slot)
      for (const std::string& line : Log(folder_ / name_of(slot)).lines())
        if (const auto effect = Process::effect_in(line)) effects.push_back(*effect);
    return judge(groups, effects);
  }

  /// Lines that survive the process; one that was cut short is none.
  class Log {
   public:
    explicit Log(std::filesystem::path path) : path_(std::move(path)) {}
    std::vector<std::string> lines() const {
      std::ifstream file(path_);
      std::vector<std::string> lines;
      for (std::string line; std::getline(file, line) && !file.eof();) lines.push_back(line);
      return lines;
    }
    void append(const std::string& line) {
      const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
      const std::string text = line + '\n';
      const bool written =
          ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
      ::close(file);
      if (!written) throw std::runtime_error("cannot write the log");
    }

   private:
    std::filesystem::path path_;
  };

  class Process {
   public:
    Process(const std::filesystem::path& folder, const std::string& name, std::uint64_t seed,
            FaultyVfs::Faults faults)
        : folder_(folder),
          name_(name),
          log_(folder / name),
          random_(dualagent::RandomStream::from_seed(seed)),
          disk_(with_seed(faults, seed)) {
      if (!is_stopping() && draw(2) == 0) disk_.kill_in(1 + draw(200));
      store_ = with_retries([&] {
        return std::make_unique<dualagent::SqliteStore>(
            folder_ / "store.sqlite",
            dualagent::SqliteStoreOptions{
                .limits = {.max_rollouts = 60}, .log_pages = 1 + draw(30), .vfs = disk_.name()});
      });
    }

    void write() {
      std::size_t done = log_.lines().size();
      for (std::size_t next = done - std::min<std::size_t>(done, draw(3)); !is_stopping();) {
        const auto rollouts = group(name_, next);
        if (draw(2) == 0 && !is_stored(std::span(rollouts).first(1))) continue;
        if (!is_stored(rollouts)) continue;
        if (++next <= done) continue;
        log_.append(std::to_string(next));
        done = next;
      }
      std::ofstream(folder_ / (name_ + ".ended")) << "ended\n";
    }

    void read() {
      std::vector<dualagent::Lease> used;
      for (const std::string& line : log_.lines())
        if (const auto effect = effect_in(line)) used.push_back({effect->lease});
      // What was acknowledged long ago need not be repeated.
      if (used.size() > 20) used.erase(used.begin(), used.end() - 20);
      acknowledge(used);
      with_retries([&] { return store_->give_back_all(name_); });
      while (!is_drained()) {
        used.clear();
        for (const auto& claimed :
             with_retries([&] {
               return store_->claim({.run = "run", .reader = name_, .max_groups = 1 + draw(4)});
             }).groups) {
          const Effect effect = effect_of(claimed);
          log_.append("used " + effect.writer + ' ' + std::to_string(effect.number) + ' ' +
                      std::to_string(effect.lease) + ' ' + std::to_string(effect.crc));
          used.push_back(claimed.lease);
        }
        if (used.empty())
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        else
          acknowledge(used);
      }
    }

    static std::optional<Effect> effect_in(const std::string& line) {
      std::istringstream words(line);
      std::string word;
      Effect effect;
      if (words >> word >> effect.writer >> effect.number >> effect.lease >> effect.crc)
        return effect;
      return std::nullopt;
    }

   private:
    static FaultyVfs::Faults with_seed(FaultyVfs::Faults faults, std::uint64_t seed) {
      faults.seed = seed;
      return faults;
    }
    std::uint64_t draw(std::uint64_t n) { return random_.below(drawn_++, n); }
    bool is_stopping() const { return std::filesystem::exists(folder_ / "stop"); }

    bool is_stored(std::span<const TrainingRollout> rollouts) {
      const auto status = with_retries([&] { return store_->commit(rollouts); }).status;
      if (status == dualagent::CommitStatus::stored) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return false;
    }

    void acknowledge(std::span<const dualagent::Lease> leases) {
      for (const auto status : with_retries([&] { return store_->acknowledge(leases); }))
        if (status == dualagent::LeaseStatus::lost)
          throw std::runtime_error("a lease is lost although it had not run out");
    }

    bool is_drained() {
      for (std::size_t slot = 0; slot < kWriters; ++slot)
        if (!std::filesystem::exists(folder_ / (name_of(slot) + ".ended"))) return false;
      const auto stats = with_retries([&] { return store_->stats(); });
      return stats.ready_groups == 0 && stats.claimed_groups == 0;
    }

    /// A disk that fails is asked again.
    template <class Body>
    static auto with_retries(const Body& body) -> decltype(body()) {
      for (int tries = 0;; ++tries) try {
          return body();
        } catch (const dualagent::SqliteError&) {
          if (tries == 1'000) throw;
        }
    }

    std::filesystem::path folder_;
    std::string name_;
    Log log_;
    dualagent::RandomStream random_;
    std::uint64_t drawn_ = 0;
    FaultyVfs disk_;
    std::unique_ptr<dualagent::SqliteStore> store_;
  };

  std::filesystem::path folder_;
  FaultyVfs::Faults faults_;
  dualagent::RandomStream random_;
  std::uint64_t drawn_ = 0;
  pid_t children_[kWriters + kReaders] = {};
  std::size_t kills_ = 0;
  std::size_t deaths_in_a_write_ = 0;
};

}  // namespace campaign
