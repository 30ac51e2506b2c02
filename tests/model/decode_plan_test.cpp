#include "dualagent/model/decode_plan.hpp"

#include "support/catch.hpp"

using namespace dualagent::detail;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;

bool same(const DecodePlan& plan, const DecodePlan& expected) {
  return plan.together == expected.together && plan.requests == expected.requests &&
         plan.turns == expected.turns;
}

}  // namespace

TEST_CASE("weights that come from memory are read once for all requests", "[model][decode]") {
  // SmolLM2-135M in float: 513 MiB of weights, 45 KiB of keys and values for each token.
  for (const std::size_t requests : {1U, 16U, 64U, 500U})
    for (const std::size_t tokens : {10U, 8000U})
      CHECK(same(plan_decode({.weight_bytes = 513 * kMiB,
                              .cache_bytes = requests * tokens * 45 * 1024,
                              .requests = requests,
                              .workers = 2}),
                 {.together = true, .requests = requests, .turns = 1}));
}

TEST_CASE("a model in the cache is decoded in shares, in blocks where keys and values are not",
          "[model][decode]") {
  const auto plan = [](std::size_t cache_bytes, std::size_t requests, std::size_t workers) {
    return plan_decode({.weight_bytes = kMiB,
                        .cache_bytes = cache_bytes,
                        .requests = requests,
                        .workers = workers});
  };
  CHECK(same(plan(5 * kMiB, 64, 1), {.requests = 64}));
  CHECK(same(plan(7 * kMiB, 64, 1), {.requests = 12, .turns = 16}));
  CHECK(same(plan(11 * kMiB, 64, 2), {.requests = 64}));  // two caches
  CHECK(same(plan(13 * kMiB, 64, 2), {.requests = 12, .turns = 16}));
  CHECK(same(plan(13 * kMiB, 24, 2), {.requests = 24}));  // one block for each
}
