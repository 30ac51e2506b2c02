#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <numbers>
#include <string>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"

namespace dualagent {

/// The learning rate stays as it is.
struct ConstantSchedule {
  double at(std::size_t) const { return 1.0; }
};

/// Linear warm-up, constant afterwards: the first step has 1 / steps, step `steps` - 1 has 1.
struct Warmup {
  std::size_t steps = 10;

  double at(std::size_t step) const {
    return step < steps ? (static_cast<double>(step) + 1.0) / static_cast<double>(steps) : 1.0;
  }
};

/// Linear warm-up, then half a cosine down to `final_fraction`, constant afterwards.
///
/// `at(step)` is the factor of the learning rate in step 0, 1, ...; the first step has
/// 1 / warmup_steps, step warmup_steps - 1 has 1.
/// Errors: `at` throws Error for a warm-up longer than the whole and for a fraction that is not in
/// [0, 1].
/// Source: Loshchilov and Hutter, "SGDR", 2017, eq. 5, one period.
struct WarmupCosine {
  std::size_t warmup_steps = 50;
  std::size_t total_steps = 1000;
  double final_fraction = 0.1;

  void validate() const;

  double at(std::size_t step) const;
};

/// Whether T gives the factor of the learning rate in each step: `double at(std::size_t step)
/// const`.
template <class T>
concept Schedule = requires(const T& schedule, std::size_t step) {
  { schedule.at(step) } -> std::convertible_to<double>;
};

/// Any schedule as one type, for options. Example: LearningRateSchedule schedule = Warmup{20};
class LearningRateSchedule {
 public:
  LearningRateSchedule() : LearningRateSchedule(ConstantSchedule{}) {}
  template <Schedule S>
  requires(!std::same_as<S, LearningRateSchedule>) LearningRateSchedule(S schedule)  // implicit
  {
    validate_all(schedule);
    at_ = [schedule = std::move(schedule)](std::size_t step) -> double {
      return schedule.at(step);
    };
  }

  double at(std::size_t step) const { return at_(step); }

 private:
  std::function<double(std::size_t)> at_;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/optim/schedule.inl"
#endif
