#pragma once

#include <cstddef>
#include <cstdint>

namespace dualagent {

/// When training computes a layer's activations again in the backward pass instead of keeping them
/// (activation checkpointing): of each layer only its input is kept then.
///
/// Gradients have the same bits either way; docs/models.md#memory-of-training has memory and time.
enum class Recompute : std::uint8_t {
  never,
  large,  ///< where a part of the batch would keep more than kKeptActivationBytes
  always
};

/// Activations that Recompute::large lets each part of a batch keep.
inline constexpr std::size_t kKeptActivationBytes = std::size_t{1} << 30U;

namespace detail {

/// What rows keep of their way forward.
enum class Kept : std::uint8_t {
  nothing,  ///< there is no way back
  inputs,   ///< of each layer; the way back computes the rest again, layer by layer
  all
};

/// For a way back, where all activations together would take `bytes`.
constexpr Kept kept_for(Recompute recompute, std::size_t bytes) {
  const bool again = recompute == Recompute::always ||
                     (recompute == Recompute::large && bytes > kKeptActivationBytes);
  return again ? Kept::inputs : Kept::all;
}

}  // namespace detail

}  // namespace dualagent
