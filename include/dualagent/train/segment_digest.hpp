#pragma once

#include <cstdint>
#include <span>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/crc64.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// A number that says which segments these are: whose windows, with which tokens of which
/// provenance, in which order. `before` is that of the segments that come before them.
///
/// The same on machines of the same byte order. Source: CRC-64/XZ, see `Crc64`.
std::uint64_t segment_digest(std::span<const Segment> segments, std::uint64_t before = 0);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/train/segment_digest.inl"
#endif
