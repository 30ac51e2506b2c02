#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/model/backend.hpp"
#include "support/catch.hpp"

namespace dualagent::laws {

/// The laws of a learner that reports which gradients are final. `backward(model, ready)` trains a
/// model of `make_model` on one batch. Returns the ranges that were reported, in order.
template <class MakeModel, class Backward>
std::vector<std::pair<std::size_t, std::size_t>> check_ready_laws(const MakeModel& make_model,
                                                                  const Backward& backward) {
  auto silent = make_model();
  auto reporting = make_model();
  using Scalar = typename std::remove_cvref_t<decltype(silent.gradients())>::value_type;
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  std::vector<Scalar> reported(silent.parameters().size());
  std::vector<bool> is_reported(reported.size(), false);
  backward(silent, IgnoreReady{});
  backward(reporting, [&](std::size_t begin, std::size_t end) {
    ranges.emplace_back(begin, end);
    for (std::size_t i = begin; i < end; ++i) {
      reported[i] = reporting.gradients()[i];
      is_reported[i] = true;
    }
  });
  INFO("law: reports go from the end of the model to its beginning, no element twice");
  std::size_t last = reported.size();
  for (const auto& [begin, end] : ranges) {
    CHECK((begin <= end && end <= last));
    last = begin;
  }
  INFO("law: reports change no gradient, and what is reported is final");
  std::size_t changed = 0, early = 0;
  for (std::size_t i = 0; i < reported.size(); ++i) {
    changed += reporting.gradients()[i] == silent.gradients()[i] ? 0 : 1;
    early += !is_reported[i] || reported[i] == silent.gradients()[i] ? 0 : 1;
  }
  CHECK(changed == 0);
  CHECK(early == 0);
  return ranges;
}

}  // namespace dualagent::laws
