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
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/store/sqlite_store.hpp"
#include "store/campaign_groups.hpp"
#include "support/faulty_vfs.hpp"

namespace campaign {

/// The processes of a campaign share an SQLite file.
struct SharedFile {
  static constexpr bool has_server = false;
  using Store = dualagent::SqliteStore;

  std::filesystem::path folder;

  std::unique_ptr<Store> open(const FaultyVfs& disk, std::size_t log_pages) const {
    return std::make_unique<Store>(
        folder / "store.sqlite",
        dualagent::SqliteStoreOptions{
            .limits = {.max_rollouts = 60}, .log_pages = log_pages, .vfs = disk.name()});
  }
};

/// Writers and readers in processes of their own that are killed at random moments, by kill -9 from
/// outside or by themselves in the middle of a write, and started again.
///
/// A process keeps its place in a log, a line for each group, which survives kill -9 as all written
/// files do. A writer that starts again repeats its last groups. A reader that starts again first
/// acknowledges what its log says it has used, then gives back what it had claimed besides.
/// `Way` says how they reach the store; where it has a server, that is a process as well.
template <class Way>
class Processes {
 public:
  static constexpr std::size_t kWriters = 2, kReaders = 2;
  static constexpr std::size_t kServer = kWriters + kReaders;
  static constexpr std::size_t kProcesses = kWriters + kReaders + (Way::has_server ? 1 : 0);

  Processes(std::filesystem::path folder, Way way, std::uint64_t seed, FaultyVfs::Faults faults)
      : folder_(std::move(folder)),
        way_(std::move(way)),
        faults_(faults),
        random_(dualagent::RandomStream::from_seed(seed)) {}

  Verdict run(std::size_t kills) {
    for (std::size_t slot = 0; slot < kProcesses; ++slot) start(slot);
    while (kills_ < kills) {
      std::this_thread::sleep_for(std::chrono::microseconds(draw(15'000)));
      const std::size_t victim = draw(kProcesses);
      deaths_of_server_ += victim == kServer ? 1 : 0;
      if (look_after(victim) == End::none) {
        kill(victim);
        ++kills_;
      }
      start(victim);
    }
    std::ofstream(folder_ / "stop") << "stop\n";  // no more groups, no more deaths
    for (std::size_t left = kWriters + kReaders; left > 0;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      for (std::size_t slot = 0; slot < kProcesses; ++slot) {
        const End end = look_after(slot);
        if (end == End::killed) start(slot);
        if (end == End::done) --left;
      }
    }
    return verdict();
  }

  ~Processes() {
    for (std::size_t slot = 0; slot < kProcesses; ++slot) kill(slot);
  }

  std::size_t kills() const { return kills_; }
  std::size_t deaths_in_a_write() const { return deaths_in_a_write_; }
  std::size_t deaths_of_server() const { return deaths_of_server_; }

 private:
  std::uint64_t draw(std::uint64_t n) { return random_.below(drawn_++, n); }

  static std::string name_of(std::size_t slot) {
    if (slot == kServer) return "server";
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
      Process process(folder_, way_, name_of(slot), seed, faults_);
      if (slot < kWriters)
        process.write();
      else if (slot < kWriters + kReaders)
        process.read();
      else
        process.serve();
      status = 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", name_of(slot).c_str(), error.what());
    }
    ::_exit(status);
  }

  void kill(std::size_t slot) {
    if (children_[slot] == 0) return;
    ::kill(children_[slot], SIGKILL);
    ::waitpid(children_[slot], nullptr, 0);
    children_[slot] = 0;
  }

  enum class End { none, killed, done };
  /// How a process has ended, if it has; one that fails ends the campaign.
  End look_after(std::size_t slot) {
    int status = 0;
    if (children_[slot] == 0 || ::waitpid(children_[slot], &status, WNOHANG) == 0) return End::none;
    children_[slot] = 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {  // by itself
      ++kills_;
      ++deaths_in_a_write_;
      return End::killed;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      throw std::runtime_error(name_of(slot) + " failed");
    return End::done;
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
    Process(const std::filesystem::path& folder, const Way& way, const std::string& name,
            std::uint64_t seed, FaultyVfs::Faults faults)
        : folder_(folder),
          way_(way),
          name_(name),
          log_(folder / name),
          random_(dualagent::RandomStream::from_seed(seed)),
          disk_(with_seed(faults, seed)) {
      if (!is_stopping() && draw(2) == 0) disk_.kill_in(1 + draw(200));
    }

    /// Answers the others until it is killed.
    void serve() {
      if constexpr (Way::has_server) with_retries([&] { return way_.serve(disk_, 1 + draw(30)); });
    }

    void write() {
      open();
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
      open();
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
        if (!used.empty()) {
          acknowledge(used);
          continue;
        }
        // It holds nothing: what is claimed by it is of a claim whose answer was lost.
        with_retries([&] { return store_->give_back_all(name_); });
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
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
    void open() {
      store_ = with_retries([&] { return way_.open(disk_, 1 + draw(30)); });
    }
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
        } catch (const dualagent::StoreFault&) {
          if (tries == 1'000) throw;
        }
    }

    std::filesystem::path folder_;
    Way way_;
    std::string name_;
    Log log_;
    dualagent::RandomStream random_;
    std::uint64_t drawn_ = 0;
    FaultyVfs disk_;
    std::unique_ptr<typename Way::Store> store_;
  };

  std::filesystem::path folder_;
  Way way_;
  FaultyVfs::Faults faults_;
  dualagent::RandomStream random_;
  std::uint64_t drawn_ = 0;
  pid_t children_[kProcesses] = {};
  std::size_t kills_ = 0;
  std::size_t deaths_in_a_write_ = 0;
  std::size_t deaths_of_server_ = 0;
};

}  // namespace campaign
