#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/sampled_codec.hpp"

namespace dualagent {

namespace detail {

inline constexpr std::uint32_t kRolloutFormat = 3;
inline constexpr std::uint64_t kNothing = std::numeric_limits<std::uint64_t>::max();

}  // namespace detail

/// Everything of a rollout as bytes: tokens, spans, log-probabilities, versions, reward, forks.
///
/// Format 3: the 8 letters "DualRoll", the format (u32), the body, the CRC-64/XZ of all before it
/// (u64); little-endian. About 4 bytes per given token, 8 per sampled one (12 where top-k, top-p or
/// min-p left tokens out), and 16 per run of tokens that were drawn from weights of one version.
/// Deterministic: equal rollouts give equal bytes.
std::vector<std::byte> encode_rollout(const Rollout& rollout);

/// The rollout that `encode_rollout` was given, bit by bit, sampled spans included.
///
/// Beside samplers only the codec makes `Sampled` spans (see also `decode_sampled`); what is
/// stored, dumped or sent to another process comes back through it. `where` names the source in
/// errors. Errors: Error when the bytes are not a rollout, are damaged, have another format, or
/// hold what no rollout can (a parent that comes later, a positive log-probability, ...). The
/// checksum finds damage; it is not a defence against forgery. Example:
/// decode_rollout(encode_rollout(rollout), "memory").reward == rollout.reward
Rollout decode_rollout(std::span<const std::byte> bytes, const std::string& where);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/trace/rollout_codec.inl"
#endif
