#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/store/sqlite_store.hpp"
#include "store/campaign_groups.hpp"
#include "support/faulty_vfs.hpp"

namespace campaign {

/// The machine loses its power in the middle of a random write, again and again, and any part of
/// what was not flushed is gone; between, writes are torn, the disk is full, fsync fails.
///
/// One thread is writer and reader in turn, each with a connection of its own, so a seed gives the
/// same run. The reader's effects count as durable when it notes them, as a learner's checkpoint.
class PowerCuts {
 public:
  PowerCuts(const std::filesystem::path& folder, FaultyVfs::Faults faults)
      : path_(folder / "power.sqlite"),
        faults_(faults),
        disk_(faults),
        random_(dualagent::RandomStream::from_seed(faults.seed)) {}

  Verdict run(std::size_t cuts) {
    for (std::size_t cut = 0; cut < cuts; ++cut) {
      disk_.set(faults_);
      disk_.cut_power_in(1 + draw(400));
      while (!disk_.is_dead()) work();
      writer_.reset();
      reader_.reset();
      disk_.restore_power();
      std::filesystem::remove(path_.string() + "-shm");  // it lay in memory
    }
    disk_.set({.really_sync = false});
    for (int i = 0; i < 50; ++i) work();
    drain();
    return judge({{"writer", promised_}}, effects_);
  }

  std::size_t errors() const { return errors_; }
  std::size_t full() const { return full_; }
  std::size_t repeated() const { return repeated_; }
  std::size_t injected() const { return disk_.injected(); }

 private:
  std::uint64_t draw(std::uint64_t n) { return random_.below(drawn_++, n); }

  /// A call of the writer or of the reader, which fails where the disk fails.
  void work() {
    try {
      open();
      if (draw(2) == 0)
        write();
      else
        read();
      errors_in_a_row_ = 0;
    } catch (const dualagent::Error&) {
      ++errors_;
      if (!disk_.is_dead() && ++errors_in_a_row_ > 1'000) throw;
    }
  }

  void open() {
    const dualagent::SqliteStoreOptions options{
        .limits = {.max_rollouts = 40}, .log_pages = 1 + draw(30), .vfs = disk_.name()};
    if (!writer_) {
      writer_ = std::make_unique<dualagent::SqliteStore>(path_, options);
      next_ = promised_ - std::min<std::uint64_t>(promised_, draw(3));  // as if replies were lost
    }
    if (reader_) return;
    auto reader = std::make_unique<dualagent::SqliteStore>(path_, options);
    acknowledge(*reader);
    reader->give_back_all("reader");
    reader_ = std::move(reader);
  }

  void write() {
    const auto rollouts = group("writer", next_);
    const auto first = std::span(rollouts).first(draw(2) == 0 ? rollouts.size() : 1);
    for (const auto part : {first, std::span(rollouts)}) {
      const dualagent::CommitResult result = writer_->commit(part);
      full_ += result.status == dualagent::CommitStatus::stored ? 0 : 1;
      repeated_ += result.repeated;
      if (result.status != dualagent::CommitStatus::stored) return;
    }
    promised_ = std::max(promised_, ++next_);
  }

  void read() {
    acknowledge(*reader_);
    for (const auto& claimed :
         reader_->claim({.run = "run", .reader = "reader", .max_groups = 1 + draw(3)}).groups) {
      effects_.push_back(effect_of(claimed));
      unacknowledged_.push_back(claimed.lease);
    }
    if (draw(2) == 0) acknowledge(*reader_);
  }

  void acknowledge(dualagent::SqliteStore& store) {
    store.acknowledge(unacknowledged_);
    unacknowledged_.clear();
  }

  void drain() {
    for (;;) {
      read();
      acknowledge(*reader_);
      if (reader_->stats().ready_groups == 0) return;
    }
  }

  std::filesystem::path path_;
  FaultyVfs::Faults faults_;
  FaultyVfs disk_;
  dualagent::RandomStream random_;
  std::uint64_t drawn_ = 0;
  std::unique_ptr<dualagent::SqliteStore> writer_, reader_;
  std::uint64_t next_ = 0;      // group that the writer commits
  std::uint64_t promised_ = 0;  // groups whose commit has returned
  std::vector<Effect> effects_;
  std::vector<dualagent::Lease> unacknowledged_;
  std::size_t errors_ = 0, errors_in_a_row_ = 0, full_ = 0, repeated_ = 0;
};

}  // namespace campaign
