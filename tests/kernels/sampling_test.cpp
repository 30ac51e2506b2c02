#include "dualagent/kernels/sampling.inl"

#include <cmath>
#include <cstring>
#include <limits>
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
