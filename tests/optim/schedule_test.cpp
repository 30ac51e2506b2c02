#include "dualagent/optim/schedule.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/error_of.hpp"

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

TEST_CASE("a warm-up is linear and then stays", "[optim]") {
  CHECK(Warmup{.steps = 4}.at(0) == 0.25);
  CHECK(Warmup{.steps = 4}.at(3) == 1.0);
  CHECK(Warmup{.steps = 4}.at(400) == 1.0);
  CHECK(Warmup{.steps = 0}.at(0) == 1.0);
}

TEST_CASE("any schedule is a value of one type", "[optim]") {
  LearningRateSchedule schedule;
  CHECK(schedule.at(7) == 1.0);
  schedule = Warmup{.steps = 8};
  CHECK(schedule.at(1) == 0.25);
  const LearningRateSchedule copy = schedule;
  schedule = WarmupCosine{.warmup_steps = 4, .total_steps = 14};
  CHECK(copy.at(1) == 0.25);
  CHECK(schedule.at(1) == 0.5);
}

TEST_CASE("schedules that cannot be meant are refused", "[optim]") {
  const auto refusal = [](WarmupCosine schedule) { return error_of([&] { schedule.at(0); }); };
  CHECK_THAT(refusal({.warmup_steps = 6, .total_steps = 5}),
             ContainsSubstring("warmup_steps is 6"));
  CHECK_THAT(refusal({.warmup_steps = 0, .total_steps = 0}), ContainsSubstring("total_steps is 0"));
  CHECK_THAT(refusal({.final_fraction = -0.1}), ContainsSubstring("final_fraction is -0.1"));
  CHECK_THAT(refusal({.final_fraction = std::nan("")}), ContainsSubstring("final_fraction is nan"));
  CHECK(refusal({.warmup_steps = 0, .total_steps = 1, .final_fraction = 0}) == "no error");
}
