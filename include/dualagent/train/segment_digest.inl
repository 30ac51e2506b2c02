#pragma once

/// Definitions of segment_digest.hpp; see core/compiled.hpp.

#include "dualagent/train/segment_digest.hpp"

namespace dualagent {

DUALAGENT_INLINE std::uint64_t segment_digest(std::span<const Segment> segments,
                                              std::uint64_t before) {
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
