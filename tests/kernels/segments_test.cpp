#include "dualagent/kernels/segments.inl"

#include <vector>

#include "support/catch.hpp"

using namespace dualagent::kernels;

TEST_CASE("the segment of an element is that of a search from the front", "[kernels]") {
  const std::vector<std::vector<std::size_t>> tables{
      {0, 1}, {0, 2, 2, 5}, {0, 0, 0, 3}, {3, 4, 9, 9, 9, 10}, {0, 1, 2, 3, 4, 5, 6, 7}};
  for (const std::vector<std::size_t>& begin : tables)
    for (std::size_t i = begin.front(); i < begin.back(); ++i) {
      std::size_t expected = 0;
      while (begin[expected + 1] <= i) ++expected;
      CHECK(segment_of(begin.size() - 1, begin.data(), i) == expected);
    }
}

TEST_CASE("a mean counts what it was given, in any grouping", "[kernels]") {
  using M = Mean<double>;
  const auto left = M{}(M::of(1.0), M::of(2.0));
  const auto whole = M{}(M{}(M::identity(), left), M::of(6.0));
  CHECK(whole.mean() == 3.0);
  CHECK(whole.count == 3.0);
  CHECK(M::identity().mean() == 0.0);
}
