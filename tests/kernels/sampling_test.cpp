#include "dualagent/kernels/sampling.inl"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/cpu/sampling.inl"
#include "dualagent/kernels/simd.inl"
#include "support/catch.hpp"

using namespace dualagent;
using namespace dualagent::kernels;

TEST_CASE("the portable exponential is exp to 2e-7, and 0 far below", "[kernels]") {
  double worst = 0;
  for (float x = 0.0F; x >= -87.0F; x -= 0.00137F) {
    const double expected = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(portable_exp(x)) / expected - 1));
  }
  CHECK(worst < 2e-7);
  CHECK(portable_exp(0.0F) == 1.0F);
  CHECK(portable_exp(-87.5F) == 0.0F);
  CHECK(portable_exp(-std::numeric_limits<float>::infinity()) == 0.0F);
  CHECK(std::isnan(portable_exp(std::nanf(""))));
}

#if defined(__FMA__)
TEST_CASE("the portable exponential has the bits of the vectorised one", "[kernels]") {
  std::size_t different = 0;
  for (float x = 0.0F; x >= -87.0F; x -= 0.0071F) {
    const Simd<float> wide = kernels::exp(broadcast(x));
    different += wide[0] != portable_exp(x);
  }
  CHECK(different == 0);
}
#endif

TEST_CASE("the high half of a product is that of 128-bit arithmetic", "[kernels]") {
  const RandomStream random = RandomStream::from_seed(3);
  __extension__ using Wide = unsigned __int128;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint64_t a = random.bits(2 * i), b = random.bits(2 * i + 1) >> (i % 64);
    CHECK(multiply_high(a, b) == static_cast<std::uint64_t>(static_cast<Wide>(a) * b >> 64U));
  }
  CHECK(multiply_high(~0ULL, ~0ULL) == ~0ULL - 1);
}

TEST_CASE("weights are in units of 2^-32, rounded down", "[kernels]") {
  CHECK(sampling_weight(1.0F) == std::uint64_t{1} << 32U);
  CHECK(sampling_weight(0x1.8p-32F) == 1);
  CHECK(sampling_weight(0x1p-33F) == 0);
  CHECK(sampling_weight(0.75) == 3 * (std::uint64_t{1} << 30U));
}

TEST_CASE("each index is drawn as often as its weight says", "[kernels][cpu]") {
  const std::vector<float> e{0.25F, 0.0F, 1.0F, 0.5F, 0.25F, 0.0F};  // of 2
  std::vector<int> drawn(e.size());
  for (std::uint64_t i = 0; i < 1000; ++i)  // the middles of 1000 equal parts
    ++drawn[cpu::sample(e.size(), e.data(), (2 * i + 1) * (~0ULL / 2000))];
  CHECK(drawn == std::vector<int>{125, 0, 500, 250, 125, 0});
  CHECK(cpu::sample(e.size(), e.data(), 0) == 0);
  CHECK(cpu::sample(e.size(), e.data(), ~0ULL) == 4);
}

TEST_CASE("a fraction of a sum is rounded up, exactly", "[kernels]") {
  CHECK(fraction_of(0.5F, 7) == 4);
  CHECK(fraction_of(0.5F, 8) == 4);
  CHECK(fraction_of(0x1p-30F, 1) == 1);
  CHECK(fraction_of(0.25F, std::uint64_t{1} << 62U) == std::uint64_t{1} << 60U);
  CHECK(fraction_of(0x1.fffffep-1F, (std::uint64_t{1} << 62U) + 1) ==
        (std::uint64_t{1} << 62U) + 1 - (std::uint64_t{1} << 38U));
}

namespace {

/// Which indices leave_out leaves.
std::vector<std::size_t> left(std::vector<float> e, std::size_t top_k, float top_p, float min_p) {
  cpu::leave_out(e.size(), e.data(), top_k, top_p, min_p);
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < e.size(); ++i)
    if (e[i] > 0) indices.push_back(i);
  return indices;
}

/// The same by sorting, in floating-point sums.
std::vector<std::size_t> left_by_sorting(const std::vector<float>& e, std::size_t top_k,
                                         float top_p, float min_p) {
  std::vector<std::pair<double, std::size_t>> tokens;  // probability in units of the largest one
  for (std::size_t i = 0; i < e.size(); ++i)
    if (e[i] >= 0x1p-32F) tokens.emplace_back(std::floor(e[i] * 0x1p32) * 0x1p-32, i);
  std::sort(tokens.rbegin(), tokens.rend());
  const auto drop_from = [&](std::size_t kept) {  // equal ones go together
    while (kept > 0 && kept < tokens.size() && tokens[kept].first == tokens[kept - 1].first) ++kept;
    if (kept < tokens.size()) tokens.resize(kept);
  };
  if (top_k > 0) drop_from(top_k);
  double sum = 0;
  for (const auto& token : tokens) sum += token.first;
  double before = 0;
  std::size_t kept = 0;
  while (kept < tokens.size() && (before < double{top_p} * sum || top_p == 1.0F))
    before += tokens[kept++].first;
  drop_from(kept);
  std::vector<std::size_t> indices;
  for (const auto& [probability, index] : tokens)
    if (probability >= double{min_p}) indices.push_back(index);
  std::sort(indices.begin(), indices.end());
  return indices;
}

using Indices = std::vector<std::size_t>;

}  // namespace

TEST_CASE("top-k, top-p and min-p leave what the sums by hand say", "[kernels][cpu]") {
  const std::vector<float> e{0.25F, 1.0F, 0.0F, 0.5F,
                             0.25F};  // probabilities 1/8, 1/2, 0, 1/4, 1/8
  CHECK(left(e, 2, 1.0F, 0.0F) == Indices{1, 3});
  CHECK(left(e, 3, 1.0F, 0.0F) == Indices{0, 1, 3, 4});  // equally probable
  CHECK(left(e, 0, 0.5F, 0.0F) == Indices{1});
  CHECK(left(e, 0, 0.51F, 0.0F) == Indices{1, 3});
  CHECK(left(e, 0, 0.75F, 0.0F) == Indices{1, 3});
  CHECK(left(e, 0, 0.76F, 0.0F) == Indices{0, 1, 3, 4});
  CHECK(left(e, 0, 1e-9F, 0.0F) == Indices{1});
  CHECK(left(e, 0, 1.0F, 0.5F) == Indices{1, 3});
  CHECK(left(e, 0, 1.0F, 0.51F) == Indices{1});
  CHECK(left(e, 0, 1.0F, 1.0F) == Indices{1});
  CHECK(left(e, 2, 0.6F, 0.0F) == Indices{1});  // top-k first: 2/3 and 1/3 are left to top-p
  CHECK(left(e, 0, 0.6F, 0.0F) == Indices{1, 3});
  CHECK(left(e, 9, 1.0F, 0.0F) == Indices{0, 1, 3, 4});
}

TEST_CASE("the sum of what is left is said where something was left out", "[kernels][cpu]") {
  const std::vector<float> e{0.25F, 1.0F, 0.0F, 0.5F, 0.25F};
  std::vector<float> cut = e, whole = e;
  CHECK(cpu::leave_out(5, cut.data(), 2, 1.0F, 0.0F) == 3 * (std::uint64_t{1} << 31U));
  CHECK(cpu::leave_out(5, whole.data(), 4, 0.99F, 0.1F) == 0);
  CHECK(whole == e);
}

TEST_CASE("what is left of random tokens is what sorting leaves", "[kernels][cpu]") {
  const RandomStream random = RandomStream::from_seed(5);
  for (std::uint64_t i = 0; i < 600; ++i) {
    const RandomStream draws = random.child(i);
    const std::size_t n = 1 + draws.below(0, i % 3 == 0 ? 5 : 700);
    const double spread = i % 2 == 0 ? 3.0 : 40.0;  // in nats: few and many improbable ones
    std::vector<float> e(n);
    for (std::size_t v = 0; v < n; ++v) {
      double z = -spread * static_cast<double>(draws.below(8 + v, 1U << 20U)) * 0x1p-20;
      if (i % 5 == 0) z = std::round(z);  // many equal ones
      e[v] = static_cast<float>(std::exp(z));
    }
    e[draws.below(1, n)] = 1.0F;
    const std::size_t top_k = draws.below(2, 3) == 0 ? 0 : 1 + draws.below(3, 2 * n);
    const float top_p =
        draws.below(4, 3) == 0 ? 1.0F : 1e-3F * static_cast<float>(1 + draws.below(5, 999));
    const float min_p =
        draws.below(6, 3) == 0 ? 0.0F : 1e-4F * static_cast<float>(draws.below(7, 1000));
    INFO("case " << i << ": " << n << " tokens, top_k " << top_k << ", top_p " << top_p
                 << ", min_p " << min_p);
    CHECK(left(e, top_k, top_p, min_p) == left_by_sorting(e, top_k, top_p, min_p));
  }
}

TEST_CASE("the largest number wins, the first of equal ones, never a NaN", "[kernels]") {
  using A = Argmax<float>;
  const float nan = std::nanf("");
  const auto of = [](const std::vector<float>& x) {
    auto best = A::identity();
    for (std::size_t i = x.size(); i-- > 0;) best = A{}(best, {x[i], i});  // from the back
    return best.index;
  };
  CHECK(of({1, 3, 2, 3}) == 1);
  CHECK(of({nan, -5, nan}) == 1);
  CHECK(of({-std::numeric_limits<float>::infinity()}) == 0);
}
