#pragma once

#include <cstdint>
#include <span>

#include "dualagent/core/crc64.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// A number that says which segments these are: whose windows, with which tokens of which
/// provenance, in which order. `before` is that of the segments that come before them.
///
/// The same on machines of the same byte order. Source: CRC-64/XZ, see `Crc64`.
inline std::uint64_t segment_digest(std::span<const Segment> segments, std::uint64_t before = 0) {
  Crc64 crc;
  const auto add = [&](const auto& value) { crc.update(std::as_bytes(std::span(&value, 1))); };
  add(before);
  for (const Segment& segment : segments) {
    add(segment.owner);
    for (const Span& span : segment.context.spans()) {
      add(span.provenance);
      add(span.agent);
      add(static_cast<std::uint64_t>(span.size));
    }
    crc.update(std::as_bytes(segment.context.tokens()));
  }
  return crc.value();
}

}  // namespace dualagent
