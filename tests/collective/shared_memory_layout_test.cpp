#include "dualagent/collective/shared_memory_layout.hpp"

#include <algorithm>

#include "support/catch.hpp"

using namespace dualagent::detail;

TEST_CASE("counts wrap around", "[collective]") {
  SharedCount count;
  count.set(0xFFFFFFFFU);
  CHECK(count.reached(0xFFFFFFFFU));
  CHECK(count.reached(0xFFFFFFF0U));
  CHECK_FALSE(count.reached(3));
  count.set(3);
  CHECK(count.reached(0xFFFFFFFFU));
}

TEST_CASE("requests differ in what ranks must agree in, and say it", "[collective]") {
  SharedRequest one{"broadcast", {'d'}, 2, 7, 0}, other = one;
  CHECK(one == other);
  other.place = 4097;  // where an array lies is each rank's own business
  CHECK(one == other);
  CHECK(one.text() == "7 doubles to broadcast from rank 2");
  CHECK_FALSE(one == SharedRequest{"broadcast", {'f'}, 2, 7, 0});
  CHECK_FALSE(one == SharedRequest{"broadcast", {'d'}, 1, 7, 0});
  CHECK_FALSE(one == SharedRequest{"broadcast", {'d'}, 2, 8, 0});
  CHECK_FALSE(one == SharedRequest{"all_gather", {'d'}, 2, 7, 0});
  CHECK(SharedRequest{"reduce_sum", {'f'}, 1, 3, 0}.text() == "3 floats to reduce_sum on rank 1");
}
