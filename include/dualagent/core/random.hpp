#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>

#include "dualagent/kernels/random.inl"

namespace dualagent {

/// An endless array of random numbers: a counter goes in, bits come out.
///
/// A regular value without hidden state: the same (key, id, counter) gives the same bits on every
/// machine, in any order, on any thread. Streams for parts of a computation are derived with
/// `child`, e.g. seed -> step -> rollout -> turn; draws are numbered within the stream.
/// Source: Philox4x32-10 (kernels/random.inl); `bits` uses counters (counter, id), `child` uses
/// another key schedule so that draws and children never share a block.
/// Example: RandomStream::from_seed(7).child(step).child(rollout).uniform(0)
struct RandomStream {
  std::uint64_t key = 0;
  std::uint64_t id = 0;

  static constexpr RandomStream from_seed(std::uint64_t seed) {
    return RandomStream{seed, 0}.child(0);
  }

  /// An independent stream for part i.
  constexpr RandomStream child(std::uint64_t i) const {
    const kernels::Philox4 block = draw(i, kChildTweak);
    return {join(block.word[0], block.word[1]), join(block.word[2], block.word[3])};
  }

  /// 64 random bits.
  constexpr std::uint64_t bits(std::uint64_t counter) const {
    const kernels::Philox4 block = draw(counter, 0);
    return join(block.word[0], block.word[1]);
  }

  /// In [0, 1), 53 bits.
  constexpr double uniform(std::uint64_t counter) const {
    return kernels::unit_double(bits(counter));
  }

  /// In 0 .. n - 1; n >= 1. Bias below n / 2^64.
  constexpr std::uint64_t below(std::uint64_t counter, std::uint64_t n) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(bits(counter)) * n) >> 64U);
  }

  /// Standard normal (Box-Muller).
  double normal(std::uint64_t counter) const {
    const kernels::Philox4 block = draw(counter, 0);
    const double u = 1.0 - kernels::unit_double(join(block.word[0], block.word[1]));  // (0, 1]
    const double v = kernels::unit_double(join(block.word[2], block.word[3]));
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  }

  friend constexpr bool operator==(const RandomStream&, const RandomStream&) = default;

 private:
  static constexpr std::uint64_t kChildTweak = 0x5851F42D4C957F2DU;

  static constexpr std::uint64_t join(std::uint32_t low, std::uint32_t high) {
    return std::uint64_t{high} << 32U | low;
  }

  constexpr kernels::Philox4 draw(std::uint64_t counter, std::uint64_t tweak) const {
    const std::uint64_t tweaked = key ^ tweak;
    return kernels::philox4x32(
        {{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32U),
          static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32U)}},
        static_cast<std::uint32_t>(tweaked), static_cast<std::uint32_t>(tweaked >> 32U));
  }
};

/// Uniformly random order (Fisher-Yates); uses draws 1 .. size - 1 of the stream.
template <class T>
constexpr void shuffle(std::span<T> items, const RandomStream& random) {
  for (std::size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1], items[random.below(i - 1, i)]);
}

}  // namespace dualagent
