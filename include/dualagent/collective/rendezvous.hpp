#pragma once

#include <sys/random.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// How ranks that do not know each other yet get rank 0's bytes (the id of a NCCL group).
///
/// Requirement on a rendezvous r: `r.exchange(rank, size, bytes)` is called once by every rank and
/// leaves rank 0's bytes, of one length, on all of them; it throws Error if they cannot be had.
template <class R>
concept Rendezvous = requires(R& rendezvous, std::span<std::byte> bytes) {
  rendezvous.exchange(std::size_t{}, std::size_t{}, bytes);
};

namespace detail {

/// Polls until `done()`, a hundred times a second. Errors: Error after `seconds`.
template <class Done>
void wait_until(double seconds, const std::string& for_what, const std::string& where,
                const Done& done) {
  using Clock = std::chrono::steady_clock;
  require_option(seconds, kNotNegativeOrInfinite, "timeout_seconds", where);
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!done()) {
    if (Clock::now() >= end)
      throw Error("waited " + std::to_string(seconds) + " s for " + for_what, where,
                  "Check that all ranks were started and agree, or give them more time");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// A word that no other run has.
std::string fresh_word();

}  // namespace detail

/// A rendezvous by files that all ranks see: PATH and PATH.RANK, removed at the end.
///
/// Files that an earlier run left behind do no harm: every rank writes a fresh word to PATH.RANK,
/// rank 0 writes all the words it finds and the bytes to PATH, and a rank takes PATH only if its
/// own word is in it; it then says so in PATH.RANK, with rank 0's word. Errors: Error that names
/// the file after `timeout_seconds`, and for files that cannot be written. Example:
/// SharedFile{"/shared/run-17.id"}.exchange(rank, size, id)
struct SharedFile {
  std::filesystem::path path;
  double timeout_seconds = 300;

  void exchange(std::size_t rank, std::size_t size, std::span<std::byte> bytes) const {
    if (size <= 1) return;
    detail::require_rank(rank, size, "SharedFile::exchange");
    rank == 0 ? offer(size, bytes) : take(rank, bytes);
  }

 private:
  std::filesystem::path of_rank(std::size_t rank) const {
    return path.string() + "." + std::to_string(rank);
  }

  /// "OFFER WORD WORD ...\n", then the bytes.
  void offer(std::size_t size, std::span<const std::byte> bytes) const;

  void write(const std::string& head, std::span<const std::byte> bytes) const;

  void take(std::size_t rank, std::span<std::byte> bytes) const;

  static std::string taken(const std::string& word) { return "taken:" + word; }
};
static_assert(Rendezvous<const SharedFile>);

/// A rendezvous by any function that sends rank 0's bytes to all, such as MPI's:
/// ByBroadcast{[](std::byte* data, std::size_t size) {
///   MPI_Bcast(data, static_cast<int>(size), MPI_BYTE, 0, MPI_COMM_WORLD); }}
template <class Broadcast>
struct ByBroadcast {
  Broadcast broadcast;
  void exchange(std::size_t, std::size_t, std::span<std::byte> bytes) {
    broadcast(bytes.data(), bytes.size());
  }
};
template <class Broadcast>
ByBroadcast(Broadcast) -> ByBroadcast<Broadcast>;

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/rendezvous.inl"
#endif
