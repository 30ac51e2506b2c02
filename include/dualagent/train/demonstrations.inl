#pragma once

/// Definitions of demonstrations.hpp; see core/compiled.hpp.

#include "dualagent/train/demonstrations.hpp"

namespace dualagent {

DUALAGENT_INLINE void DemonstrationOptions::validate() const {
  require_option(max_tokens, kAtLeastOne, "max_tokens", "DemonstrationOptions",
                 "give it the model's max_context_tokens()");
}

DUALAGENT_INLINE std::vector<Segment> Demonstrations::segments() const {
  std::vector<Segment> all;
  for (const std::vector<Segment>& segments : conversations)
    all.insert(all.end(), segments.begin(), segments.end());
  return all;
}

DUALAGENT_INLINE std::string Demonstrations::digest() const {
  std::uint64_t digest = 0;
  for (const std::vector<Segment>& segments : conversations)
    digest = segment_digest(segments, digest);
  return std::to_string(digest);
}

DUALAGENT_INLINE Demonstrations Demonstrations::of(AgentRole owner) const {
  Demonstrations some{.left_out = left_out};
  for (const std::vector<Segment>& segments : conversations) {
    std::vector<Segment> own;
    std::copy_if(segments.begin(), segments.end(), std::back_inserter(own),
                 [&](const Segment& segment) { return segment.owner == owner; });
    if (!own.empty()) some.conversations.push_back(std::move(own));
  }
  return some;
}

DUALAGENT_INLINE std::vector<Segment> Demonstrations::batch(std::size_t step, std::size_t count,
                                                            const RandomStream& random) const {
  if (conversations.empty())
    throw Error("there are no conversations", "Demonstrations::batch", "Read some first");
  const std::size_t size = conversations.size();
  std::vector<std::size_t> order(size);
  std::vector<Segment> segments;
  for (std::size_t at = step * count; at < (step + 1) * count; ++at) {
    if (at == step * count || at % size == 0) {
      std::iota(order.begin(), order.end(), std::size_t{0});
      shuffle(std::span<std::size_t>(order), random.child(at / size));
    }
    const std::vector<Segment>& next = conversations[order[at % size]];
    segments.insert(segments.end(), next.begin(), next.end());
  }
  return segments;
}

}  // namespace dualagent
