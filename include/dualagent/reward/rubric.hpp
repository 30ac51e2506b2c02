#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/trim.hpp"

namespace dualagent {

/// What a judge grades from 1 to 10.
struct Criterion {
  std::string name = {};      ///< the key in the judge's reply
  std::string question = {};  ///< what the judge is told about it
  double weight = 1.0;        ///< above 0; only the ratios matter
};
using Rubric = std::vector<Criterion>;

/// Completeness .4, conciseness .3, coherence .3, faithfulness .5, as the reference system weighs
/// them for summaries.
Rubric summary_rubric();

/// Errors: Error for a rubric without criteria, a name that is empty or given twice, or a weight
/// that is not above 0 and at most 1e9.
void check_rubric(const Rubric& rubric);

namespace detail {

/// What a judge says after its thoughts, which some servers leave in the reply.
std::string_view without_thoughts(std::string_view text);

}  // namespace detail

/// Reads a judge's reply: a JSON object, alone or in one code fence, after thoughts up to
/// "</think>" or without, with a number from 1 to 10 for every criterion; other keys are ignored.
/// Returns the weighted mean divided by 10, in [0.1, 1].
///
/// Takes any bytes. Errors: Error saying what is wrong with the reply; nothing is filled in.
/// Example: with the summary rubric, all 5s give 0.5.
double read_grades(const Rubric& rubric, std::string_view reply);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/rubric.inl"
#endif
