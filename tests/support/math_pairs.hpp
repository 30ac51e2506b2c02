#pragma once

#include <string_view>

#include "dualagent/reward/math_answer.hpp"
#include "support/catch.hpp"

inline void check_equal(std::string_view a, std::string_view b) {
  INFO(a << "  and  " << b);
  CHECK(dualagent::equal_math(a, b));
  CHECK(dualagent::equal_math(b, a));
}
inline void check_different(std::string_view a, std::string_view b) {
  INFO(a << "  and  " << b);
  CHECK_FALSE(dualagent::equal_math(a, b));
  CHECK_FALSE(dualagent::equal_math(b, a));
}
