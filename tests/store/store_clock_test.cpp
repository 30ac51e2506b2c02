#include "dualagent/store/store_clock.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a lease ends its seconds after it was given", "[store]") {
  CHECK(lease_end(1'000, 0.5) == 1'500);
  CHECK(lease_end(1'000, kLeaseSeconds.low) == 1'001);
  CHECK(lease_end(1'700'000'000'000, 1e9) == 2'700'000'000'000);
}

TEST_CASE("the machine's clock counts milliseconds since 1970", "[store]") {
  const std::int64_t now = milliseconds_since_1970();
  CHECK(now > 1'577'836'800'000);   // 2020-01-01
  CHECK(now < 32'503'680'000'000);  // 3000-01-01
}
