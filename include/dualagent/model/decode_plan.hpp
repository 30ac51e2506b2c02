#pragma once

#include <cstddef>

namespace dualagent::detail {

/// What decoding moves through the processor's caches.
struct DecodeSizes {
  std::size_t weight_bytes = 0;  // that a pass through the model reads
  std::size_t cache_bytes = 0;   // keys and values of all requests
  std::size_t requests = 0;
  std::size_t workers = 1;
};

/// How requests go through a model.
struct DecodePlan {
  bool together = false;     // all workers on all requests, or each on a share of its own
  std::size_t requests = 0;  // of a share that advance together: a block
  std::size_t turns = 1;     // tokens by which a block advances before the next one's turn
};

/// Chooses what reads the least from memory. A worker counts on kCacheBytes of its second-level
/// cache and its part of the third.
///
/// A block of B requests reads W bytes of weights for every B tokens, and C bytes of keys and
/// values for each token. If the block fits in the cache, it stays there for several turns, and the
/// C bytes are read once for all of them. The best block of weights that come from memory is
/// therefore all requests: a smaller one reads (1 / B - 1 / requests) W more and saves less than C
/// per token, but B C has to fit in the cache, which is smaller than W. For the same reason all
/// workers then share each product, so that the weights are read once, not once by each. Weights
/// that stay in the cache cost nothing. Then every worker takes a share of its own, without waiting
/// for others, in blocks of a product's tile of rows if its keys and values do not fit. No number
/// depends on the plan.
inline DecodePlan plan_decode(const DecodeSizes& sizes) {
  constexpr std::size_t kCacheBytes = 6U << 20U;
  constexpr std::size_t kBlockRequests = 12;
  constexpr std::size_t kBlockTurns = 16;
  if (sizes.weight_bytes > kCacheBytes) return {true, sizes.requests, 1};
  if (sizes.cache_bytes <= sizes.workers * kCacheBytes ||
      sizes.requests <= sizes.workers * kBlockRequests)
    return {false, sizes.requests, 1};
  return {false, kBlockRequests, kBlockTurns};
}

}  // namespace dualagent::detail
