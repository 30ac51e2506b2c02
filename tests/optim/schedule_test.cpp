#include "dualagent/optim/schedule.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("warm-up is linear and reaches 1, the cosine ends at its fraction", "[optim]") {
  const WarmupCosine schedule{.warmup_steps = 4, .total_steps = 14, .final_fraction = 0.1};
  CHECK(schedule.at(0) == Approx(0.25));
  CHECK(schedule.at(3) == Approx(1.0));
  CHECK(schedule.at(4) == Approx(1.0));
  CHECK(schedule.at(9) == Approx(0.55));  // half-way: the mean of 1 and 0.1
  CHECK(schedule.at(14) == Approx(0.1));
  CHECK(schedule.at(1000) == Approx(0.1));
  for (std::size_t step = 4; step < 14; ++step) CHECK(schedule.at(step + 1) < schedule.at(step));
}

TEST_CASE("a schedule that is all warm-up stays defined", "[optim]") {
  const WarmupCosine schedule{.warmup_steps = 5, .total_steps = 5, .final_fraction = 0.2};
  CHECK(schedule.at(4) == Approx(1.0));
  CHECK(schedule.at(5) == Approx(0.2));
  CHECK(ConstantSchedule{}.at(123) == 1.0);
}
