#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/collective/mesh.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// Gives every rank the bytes of rank 0, of any number; all ranks call it. Any Collective can do
/// it: what the others bring is 0, and sums of six bytes are exact in a double.
/// Memory: beside the bytes, 8 MiB at most.
template <class C>
void share_bytes(C& collective, std::vector<std::byte>& bytes) {
  constexpr std::size_t kBytes = 6, kPiece = std::size_t{1} << 20;  // of a number; numbers
  const bool first = collective.rank() == 0;
  double size[] = {first ? static_cast<double>(bytes.size()) : 0.0};
  collective.all_reduce_sum(std::span<double>(size));
  bytes.resize(static_cast<std::size_t>(size[0]));
  std::vector<double> numbers;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kBytes * kPiece) {
    const std::size_t count = std::min(kBytes * kPiece, bytes.size() - begin);
    numbers.assign((count + kBytes - 1) / kBytes, 0.0);
    std::byte* const piece = bytes.data() + begin;
    for (std::size_t i = 0; first && i < count; ++i)
      numbers[i / kBytes] +=
          static_cast<double>(std::to_integer<std::uint64_t>(piece[i]) << (8 * (i % kBytes)));
    collective.all_reduce_sum(std::span<double>(numbers));
    for (std::size_t i = 0; !first && i < count; ++i)
      piece[i] = static_cast<std::byte>(
          (static_cast<std::uint64_t>(numbers[i / kBytes]) >> (8 * (i % kBytes))) & 0xFFU);
  }
}

/// The bytes that `work()` returns, which runs on rank 0 alone; all ranks call it.
/// Errors: what `work` throws on rank 0, and on the others an Error that says so.
/// Example: on_first_rank(collective, [&] { write(path); return std::vector<std::byte>{}; })
template <class C, class Work>
std::vector<std::byte> on_first_rank(C& collective, Work&& work) {
  std::vector<std::byte> bytes;
  std::exception_ptr thrown;
  std::string why;
  if (collective.rank() == 0) {
    try {
      bytes = work();
    } catch (const std::exception& error) {
      thrown = std::current_exception();
      why = error.what();
    } catch (...) {
      thrown = std::current_exception();
      why = "unknown exception";
    }
    if (thrown) {
      const auto* const text = reinterpret_cast<const std::byte*>(why.data());
      bytes.assign(text, text + why.size());
    }
    bytes.push_back(thrown ? std::byte{1} : std::byte{0});
  }
  try {
    share_bytes(collective, bytes);
  } catch (...) {
    if (thrown) std::rethrow_exception(thrown);  // it came first
    throw;
  }
  if (thrown) std::rethrow_exception(thrown);
  const bool failed = bytes.back() != std::byte{0};
  bytes.pop_back();
  if (failed)
    throw Error(
        "rank 0 failed: " + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
        "rank " + std::to_string(collective.rank()) + " waited for its result");
  return bytes;
}

/// Runs `work()` on every rank; all ranks call it, and none goes on where one has failed. `work`
/// must not use the collective.
/// Errors: what `work` throws on this rank; else, where it has thrown on another, an Error that
/// names that rank.
/// Example: on_all_ranks(axis, [&] { config = load_config(directory); });
template <class C, class Work>
void on_all_ranks(C& collective, Work&& work) {
  std::exception_ptr thrown;
  try {
    work();
  } catch (...) {
    thrown = std::current_exception();
  }
  std::vector<double> failed;
  try {
    failed = gather_numbers(collective, thrown ? 1.0 : 0.0);
  } catch (...) {
    if (!thrown) throw;  // else what was thrown first says more
  }
  if (thrown) std::rethrow_exception(thrown);
  const auto other = std::find(failed.begin(), failed.end(), 1.0);
  if (other != failed.end())
    throw Error("rank " + std::to_string(other - failed.begin()) + " failed",
                "rank " + std::to_string(collective.rank()) + " waited for it",
                "See that rank's own error");
}

}  // namespace dualagent
