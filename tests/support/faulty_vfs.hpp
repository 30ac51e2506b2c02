#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "dualagent/core/random.hpp"

/// An SQLite VFS around the default one that makes the disk fail: refused and torn writes, a full
/// disk, a failing fsync, and a loss of power, which undoes any part of what was not flushed.
///
/// It knows what was written through it in this process. Creating and deleting a file counts as
/// durable at once; all else that power loss can take is taken, in sectors of 512 bytes.
class FaultyVfs {
 public:
  struct Faults {
    bool really_sync = true;  ///< false: flushing is only counted; a test is faster by it
    bool lies = false;        ///< flushing succeeds, and power loss takes what was flushed
    /// Chance of each fault, of every write, truncation or flush.
    double eio = 0, full = 0, torn = 0, fsync = 0;
    std::uint64_t seed = 0;
  };

  explicit FaultyVfs(Faults faults)
      : faults_(faults),
        random_(dualagent::RandomStream::from_seed(faults.seed)),
        real_(sqlite3_vfs_find(nullptr)) {
    static std::atomic<int> number{0};
    name_ = "faulty-" + std::to_string(number++);
    vfs_ = *real_;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = open;
    vfs_.xDelete = [](sqlite3_vfs* vfs, const char* path, int sync) {
      return self(vfs).remove(path, sync);
    };
    sqlite3_vfs_register(&vfs_, 0);
  }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
  ~FaultyVfs() { sqlite3_vfs_unregister(&vfs_); }

  const std::string& name() const { return name_; }

  void set(const Faults& faults) {
    const std::lock_guard lock(mutex_);
    faults_ = faults;
  }
  std::size_t syncs() const { return syncs_; }
  std::size_t injected() const { return injected_; }

  /// The power fails in the middle of the n-th write, truncation or flush from now on.
  void cut_power_in(std::uint64_t operations) {
    const std::lock_guard lock(mutex_);
    cut_at_ = operations_ + operations;
  }
  /// The process is killed in the middle of the n-th of them from now on.
  void kill_in(std::uint64_t operations) {
    cut_power_in(operations);
    const std::lock_guard lock(mutex_);
    kills_ = true;
  }
  /// The n-th read from now on fails, and only that one.
  void fail_read_in(std::size_t reads) { reads_left_ = reads; }
  bool is_dead() const { return dead_; }
  /// The power fails now, unless it has.
  void cut_power() { dead_ = true; }
  /// What a machine finds that starts again, once everything that used the files is closed.
  void restore_power() {
    const std::lock_guard lock(mutex_);
    for (auto& [path, undo] : unsynced_) undo_some(path, undo);
    unsynced_.clear();
    dead_ = false;
    cut_at_ = 0;
  }

 private:
  static constexpr std::int64_t kSector = 512;
  struct Undo {
    std::int64_t size = 0;                                // that is durable
    std::map<std::int64_t, std::vector<char>> sectors{};  // what is durable there
  };
  struct File {
    sqlite3_file base;
    FaultyVfs* owner;
    const char* path;  // SQLite keeps it; null for temporary files
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  enum class Fault { none, eio, full, torn, fsync, dead };

  static FaultyVfs& self(sqlite3_vfs* vfs) { return *static_cast<FaultyVfs*>(vfs->pAppData); }
  static File& file(sqlite3_file* base) { return *reinterpret_cast<File*>(base); }
  static const sqlite3_io_methods& real_methods(sqlite3_file* base) {
    return *file(base).real()->pMethods;
  }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* base, int flags, int* out) {
    FaultyVfs& own = self(vfs);
    base->pMethods = nullptr;
    if (own.dead_) return SQLITE_CANTOPEN;
    File& opened = *new (base) File{{nullptr}, &own, path};
    const int code = own.real_->xOpen(own.real_, path, opened.real(), flags, out);
    if (opened.real()->pMethods != nullptr) base->pMethods = &methods();
    return code;
  }

  int remove(const char* path, int sync) {
    const std::lock_guard lock(mutex_);
    if (dead_) return SQLITE_IOERR_DELETE;
    unsynced_.erase(path);
    return real_->xDelete(real_, path, faults_.really_sync ? sync : 0);
  }

  /// Which fault the next operation has; `flushing` for an fsync.
  Fault next_fault(bool flushing) {
    if (dead_) return Fault::dead;
    ++operations_;
    if (cut_at_ != 0 && operations_ >= cut_at_) {
      dead_ = true;
      return Fault::torn;
    }
    const double drawn = random_.uniform(operations_);
    Fault fault = Fault::none;
    if (flushing) {
      if (drawn < faults_.fsync) fault = Fault::fsync;
    } else if (drawn < faults_.eio) {
      fault = Fault::eio;
    } else if (drawn < faults_.eio + faults_.full) {
      fault = Fault::full;
    } else if (drawn < faults_.eio + faults_.full + faults_.torn) {
      fault = Fault::torn;
    }
    injected_ += fault == Fault::none ? 0 : 1;
    return fault;
  }

  void die_if_asked() const {
    if (kills_ && dead_) ::raise(SIGKILL);
  }

  static std::int64_t size_of(sqlite3_file* base) {
    sqlite3_int64 size = 0;
    real_methods(base).xFileSize(file(base).real(), &size);
    return size;
  }

  /// Notes what is durable in a part of a file before it is changed.
  void remember(sqlite3_file* base, std::int64_t begin, std::int64_t end) {
    if (file(base).path == nullptr) return;
    const auto [found, is_new] = unsynced_.try_emplace(file(base).path);
    Undo& undo = found->second;
    const std::int64_t size = size_of(base);
    if (is_new) undo.size = size;
    for (std::int64_t at = begin / kSector * kSector; at < std::min(end, size); at += kSector) {
      if (undo.sectors.count(at) > 0) continue;
      std::vector<char> before(kSector, '\0');
      const int amount = static_cast<int>(std::min(kSector, size - at));
      real_methods(base).xRead(file(base).real(), before.data(), amount, at);
      undo.sectors.emplace(at, std::move(before));
    }
  }

  int write(sqlite3_file* base, const void* data, int amount, sqlite3_int64 offset) {
    const std::lock_guard lock(mutex_);
    const Fault fault = next_fault(false);
    if (fault == Fault::dead || fault == Fault::eio) return SQLITE_IOERR_WRITE;
    if (fault == Fault::full) return SQLITE_FULL;
    remember(base, offset, offset + amount);
    if (fault == Fault::torn) {
      const int part =
          static_cast<int>(random_.child(1).below(operations_, static_cast<std::uint64_t>(amount)));
      real_methods(base).xWrite(file(base).real(), data, part, offset);
      die_if_asked();
      return SQLITE_IOERR_WRITE;
    }
    return real_methods(base).xWrite(file(base).real(), data, amount, offset);
  }

  int truncate(sqlite3_file* base, sqlite3_int64 size) {
    const std::lock_guard lock(mutex_);
    if (next_fault(false) != Fault::none) return die_if_asked(), SQLITE_IOERR_TRUNCATE;
    remember(base, size, size_of(base));
    return real_methods(base).xTruncate(file(base).real(), size);
  }

  int sync(sqlite3_file* base, int flags) {
    const std::lock_guard lock(mutex_);
    if (next_fault(true) != Fault::none) return die_if_asked(), SQLITE_IOERR_FSYNC;
    ++syncs_;
    if (file(base).path != nullptr && !faults_.lies) unsynced_.erase(file(base).path);
    return faults_.really_sync ? real_methods(base).xSync(file(base).real(), flags) : SQLITE_OK;
  }

  /// A file after a loss of power: of every sector that was not flushed, the old or the new one.
  void undo_some(const std::string& path, const Undo& undo) {
    std::error_code missing;
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path, missing));
    if (missing) return;
    const dualagent::RandomStream choice = random_.child(2).child(++operations_);
    std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
    std::uint64_t draw = 0;
    for (const auto& [at, before] : undo.sectors)
      if (choice.below(++draw, 2) == 0) {
        stream.seekp(at);
        stream.write(before.data(), std::max<std::int64_t>(0, std::min(kSector, undo.size - at)));
      }
    // Sectors beyond the old end: nothing, or zeros where the file grew but its data did not come.
    for (std::int64_t at = (undo.size + kSector - 1) / kSector * kSector; at < size; at += kSector)
      if (choice.below(++draw, 2) == 0) {
        stream.seekp(at);
        stream.write(std::vector<char>(kSector, '\0').data(), std::min(kSector, size - at));
      }
    stream.close();
    if (choice.below(++draw, 2) == 0)
      std::filesystem::resize_file(path, static_cast<std::uintmax_t>(undo.size));
  }

  static const sqlite3_io_methods& methods() {
    static const sqlite3_io_methods table = make_methods();
    return table;
  }
  static sqlite3_io_methods make_methods() {
    sqlite3_io_methods m{};
    m.iVersion = 2;  // shared memory, no mapped pages
    m.xClose = [](sqlite3_file* f) { return real_methods(f).xClose(file(f).real()); };
    m.xRead = [](sqlite3_file* f, void* to, int amount, sqlite3_int64 offset) {
      FaultyVfs& own = *file(f).owner;
      if (own.dead_ || (own.reads_left_ > 0 && --own.reads_left_ == 0)) return SQLITE_IOERR_READ;
      return real_methods(f).xRead(file(f).real(), to, amount, offset);
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int amount, sqlite3_int64 offset) {
      return file(f).owner->write(f, from, amount, offset);
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      return file(f).owner->truncate(f, size);
    };
    m.xSync = [](sqlite3_file* f, int flags) { return file(f).owner->sync(f, flags); };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
      return real_methods(f).xFileSize(file(f).real(), size);
    };
    m.xLock = [](sqlite3_file* f, int level) {
      return real_methods(f).xLock(file(f).real(), level);
    };
    m.xUnlock = [](sqlite3_file* f, int level) {
      return real_methods(f).xUnlock(file(f).real(), level);
    };
    m.xCheckReservedLock = [](sqlite3_file* f, int* out) {
      return real_methods(f).xCheckReservedLock(file(f).real(), out);
    };
    m.xFileControl = [](sqlite3_file* f, int what, void* argument) {
      return real_methods(f).xFileControl(file(f).real(), what, argument);
    };
    m.xSectorSize = [](sqlite3_file*) { return static_cast<int>(kSector); };
    m.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };  // the weakest promises
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
      return real_methods(f).xShmMap(file(f).real(), page, size, extend, out);
    };
    m.xShmLock = [](sqlite3_file* f, int offset, int count, int flags) {
      return real_methods(f).xShmLock(file(f).real(), offset, count, flags);
    };
    m.xShmBarrier = [](sqlite3_file* f) { real_methods(f).xShmBarrier(file(f).real()); };
    m.xShmUnmap = [](sqlite3_file* f, int remove) {
      return real_methods(f).xShmUnmap(file(f).real(), remove);
    };
    return m;
  }

  Faults faults_;
  dualagent::RandomStream random_;
  sqlite3_vfs* real_;
  sqlite3_vfs vfs_{};
  std::string name_;
  std::mutex mutex_;
  std::map<std::string, Undo> unsynced_;
  std::uint64_t operations_ = 0;
  std::uint64_t cut_at_ = 0;
  std::atomic<std::size_t> syncs_{0};
  std::atomic<std::size_t> reads_left_{0};
  std::atomic<std::size_t> injected_{0};
  std::atomic<bool> dead_{false};
  bool kills_ = false;
};
