#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/store/training_rollout.hpp"
#include "dualagent/trace/rollout_codec.hpp"

namespace dualagent {

namespace detail {

inline constexpr std::uint32_t kTrainingFormat = 1;
}  // namespace detail

/// A training rollout as bytes: where it comes from, then `encode_rollout`.
///
/// Format 1: the 8 letters "DualTrai", the format (u32), run and writer (count, bytes), step and
/// group size (u64), the CRC-64/XZ of all that (u64), then the encoded rollout, which has a
/// checksum of its own; little-endian. Deterministic: equal rollouts give equal bytes.
std::vector<std::byte> encode_training_rollout(const TrainingRollout& training);

/// The training rollout that `encode_training_rollout` was given, bit by bit.
///
/// `where` names the source in errors. Errors: Error when the bytes are not a training rollout, are
/// damaged, or have another format; as `decode_rollout` and `TrainingAccess::make`. The checksums
/// find damage; they do not protect against forgery.
TrainingRollout decode_training_rollout(std::span<const std::byte> bytes, const std::string& where);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/store/training_rollout_codec.inl"
#endif
