#include "dualagent/kernels/mask.inl"

#include <limits>

#include "support/catch.hpp"

using namespace dualagent::kernels;

TEST_CASE("a masked token contributes exactly 0, whatever its value", "[kernels]") {
  CHECK(weighted(0.0F, std::numeric_limits<double>::quiet_NaN()) == 0.0);
  CHECK(weighted(0.0F, std::numeric_limits<double>::infinity()) == 0.0);
  CHECK(weighted(0.5F, 3.0) == 1.5);
  CHECK(is_trained(-1.0F));
  CHECK(!is_trained(-0.0F));
}
