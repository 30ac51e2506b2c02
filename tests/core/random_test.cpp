#include "dualagent/core/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <span>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

constexpr RandomStream kStream = RandomStream::from_seed(42);
static_assert(kStream.bits(0) == kStream.bits(0));
static_assert(kStream.child(1) == kStream.child(1));
static_assert(kStream.child(1) != kStream.child(2));

/// Pearson's statistic of draws in 0 .. cells - 1.
template <class Draw>
double chi_squared(std::size_t cells, std::size_t draws, Draw&& draw) {
  std::vector<double> counts(cells, 0.0);
  for (std::size_t i = 0; i < draws; ++i) counts.at(draw(i)) += 1;
  const double expected = static_cast<double>(draws) / static_cast<double>(cells);
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  return xy / std::sqrt(xx * yy);
}

std::vector<double> uniforms(const RandomStream& stream, std::size_t count) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = stream.uniform(i);
  return values;
}

}  // namespace

// Known answers of Random123's kat_vectors for philox4x32-10.
TEST_CASE("the generator gives the published bits", "[core][random]") {
  const auto block = [](std::array<std::uint32_t, 4> c, std::uint32_t key0, std::uint32_t key1) {
    const auto out = kernels::philox4x32({{c[0], c[1], c[2], c[3]}}, key0, key1);
    return std::array<std::uint32_t, 4>{out.word[0], out.word[1], out.word[2], out.word[3]};
  };
  CHECK(block({0, 0, 0, 0}, 0, 0) ==
        std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(block({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff) ==
        std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(block({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("draws use the counter and the stream as the generator's words", "[core][random]") {
  const RandomStream stream{0xa4093822ULL | (0x299f31d0ULL << 32),
                            0x13198a2eULL | (0x03707344ULL << 32)};
  CHECK(stream.bits(0x85a308d3243f6a88ULL) == 0x94fdccebd16cfe09ULL);
  CHECK(stream.uniform(0x85a308d3243f6a88ULL) ==
        static_cast<double>(0x94fdccebd16cfe09ULL >> 11) * 0x1.0p-53);
}

TEST_CASE("a draw depends on its number only, not on the draws before it", "[core][random]") {
  const std::vector<double> forward = uniforms(kStream, 100);
  for (std::size_t i = 100; i-- > 0;) CHECK(kStream.uniform(i) == forward[i]);
}

TEST_CASE("children do not depend on how many numbers were drawn", "[core][random]") {
  RandomStream used = kStream;
  const RandomStream before = used.child(3);
  for (std::uint64_t i = 0; i < 50; ++i) static_cast<void>(used.bits(i));
  CHECK(used.child(3) == before);
  CHECK(used == kStream);
}

TEST_CASE("seeds, children and grandchildren are different streams", "[core][random]") {
  std::set<std::uint64_t> first_draws;
  std::size_t streams = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const RandomStream root = RandomStream::from_seed(seed);
    first_draws.insert(root.bits(0));
    ++streams;
    for (std::uint64_t i = 0; i < 20; ++i) {
      first_draws.insert(root.child(i).bits(0));
      first_draws.insert(root.child(i).child(i).bits(0));
      first_draws.insert(root.bits(1 + i));
      streams += 3;
    }
  }
  CHECK(first_draws.size() == streams);
  CHECK(kStream.child(1).child(2) != kStream.child(2).child(1));
}

TEST_CASE("neighbouring draws, children and seeds are uncorrelated", "[core][random]") {
  constexpr std::size_t kCount = 20'000;
  const double bound = 4.0 / std::sqrt(static_cast<double>(kCount));  // four standard errors
  const std::vector<double> x = uniforms(kStream, kCount + 1);
  const std::vector<double> now(x.begin(), x.end() - 1);
  const std::vector<double> next(x.begin() + 1, x.end());
  CHECK(std::abs(correlation(now, next)) < bound);
  CHECK(std::abs(correlation(uniforms(kStream.child(0), kCount),
                             uniforms(kStream.child(1), kCount))) < bound);
  CHECK(std::abs(correlation(uniforms(kStream, kCount), uniforms(kStream.child(0), kCount))) <
        bound);
  CHECK(std::abs(correlation(uniforms(RandomStream::from_seed(1), kCount),
                             uniforms(RandomStream::from_seed(2), kCount))) < bound);
}

TEST_CASE("below stays below and is about uniform", "[core][random]") {
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(kStream.below(i, 1) == 0);
  for (const std::size_t n : {2u, 3u, 10u, 100u}) {
    // Mean n - 1, standard deviation sqrt(2 (n - 1)); five of them are never met by chance.
    const auto degrees = static_cast<double>(n - 1);
    const double statistic = chi_squared(
        n, 100'000, [&](std::size_t i) { return static_cast<std::size_t>(kStream.below(i, n)); });
    CHECK(statistic < degrees + 5 * std::sqrt(2 * degrees));
  }
  const std::uint64_t huge = ~std::uint64_t{0};
  CHECK(kStream.below(7, huge) < huge);
  // The upper bits decide: bits * n / 2^64.
  CHECK(kStream.below(7, 1ULL << 32) == kStream.bits(7) >> 32);
}

TEST_CASE("uniform lies in [0, 1) with mean 1/2 and variance 1/12", "[core][random]") {
  const std::vector<double> x = uniforms(kStream, 100'000);
  CHECK(*std::min_element(x.begin(), x.end()) >= 0.0);
  CHECK(*std::max_element(x.begin(), x.end()) < 1.0);
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / 1e5;
  double variance = 0;
  for (const double value : x) variance += (value - mean) * (value - mean) / 1e5;
  CHECK(mean == Approx(0.5).margin(4 * std::sqrt(1.0 / 12 / 1e5)));
  CHECK(variance == Approx(1.0 / 12).epsilon(0.02));
}

TEST_CASE("normal has the moments of the standard normal distribution", "[core][random]") {
  constexpr std::size_t kCount = 100'000;
  double sum = 0, squares = 0, cubes = 0, fourths = 0, beyond = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double x = kStream.normal(i);
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    cubes += x * x * x;
    fourths += x * x * x * x;
    beyond += std::abs(x) > 1.959964 ? 1 : 0;
  }
  const auto n = static_cast<double>(kCount);
  CHECK(sum / n == Approx(0.0).margin(4 / std::sqrt(n)));
  CHECK(squares / n == Approx(1.0).margin(4 * std::sqrt(2 / n)));
  CHECK(cubes / n == Approx(0.0).margin(4 * std::sqrt(15 / n)));
  CHECK(fourths / n == Approx(3.0).margin(4 * std::sqrt(96 / n)));
  CHECK(beyond / n == Approx(0.05).margin(4 * std::sqrt(0.05 * 0.95 / n)));
}

TEST_CASE("shuffle is Fisher-Yates over draws 1 to size - 1", "[core][random]") {
  std::vector<int> items(9);
  std::iota(items.begin(), items.end(), 0);
  std::vector<int> expected = items;
  for (std::size_t i = 8; i >= 1; --i) std::swap(expected[i], expected[kStream.below(i, i + 1)]);
  shuffle(std::span(items), kStream);
  CHECK(items == expected);
  std::sort(items.begin(), items.end());
  for (int i = 0; i < 9; ++i) CHECK(items[static_cast<std::size_t>(i)] == i);

  std::vector<int> one{5};
  shuffle(std::span(one), kStream);
  CHECK(one == std::vector<int>{5});
  std::vector<int> none;
  shuffle(std::span(none), kStream);
  CHECK(none.empty());
}

TEST_CASE("every order of four items is as likely", "[core][random]") {
  const double statistic = chi_squared(24, 48'000, [](std::size_t i) {
    std::array<int, 4> items{0, 1, 2, 3};
    shuffle(std::span<int>(items), kStream.child(i));
    std::size_t rank = 0;  // of the permutation
    for (std::size_t a = 0; a < 4; ++a) {
      std::size_t smaller = 0;
      for (std::size_t b = a + 1; b < 4; ++b) smaller += items[b] < items[a] ? 1 : 0;
      rank = rank * (4 - a) + smaller;
    }
    return rank;
  });
  CHECK(statistic < 23 + 5 * std::sqrt(46.0));
}
