#include "dualagent/reward/rubric.hpp"
#include "fuzz.hpp"

/// A judge may say anything: it is a grade in range, or an Error.
FUZZ_TARGET(text) {
  static const dualagent::Rubric rubric{{"a", "Is it a?"}, {"b", "Is it b?", 2.0}};
  const double grade = dualagent::read_grades(rubric, text);
  fuzz::require(grade >= 0.1 - 1e-12 && grade <= 1.0 + 1e-12, "a grade out of range");
  const bool has_thoughts = text.find("</think>") != text.npos;  // any bytes may stand in thoughts
  fuzz::require(has_thoughts || text.find('\0') == text.npos, "a NUL byte was read over");
}
