#pragma once

/// Definitions of argument_schema.hpp; see core/compiled.hpp.

#include "dualagent/tools/argument_schema.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::string bound_text(double value) {
  constexpr double kExact = 9e15;
  if (value > -kExact && value < kExact && value == static_cast<double>(std::int64_t(value)))
    return std::to_string(static_cast<std::int64_t>(value));
  return number_text(value);
}

DUALAGENT_INLINE void require_rule(std::string_view name, const ArgumentRule& rule) {
  const double least = rule.minimum.value_or(-std::numeric_limits<double>::infinity());
  const double most = rule.maximum.value_or(std::numeric_limits<double>::infinity());
  if (!(least <= most))
    throw Error("the argument '" + std::string(name) + "' has to be at least " +
                    number_text(least) + " and at most " + number_text(most),
                "ArgumentRule", "Set a minimum that is not above the maximum");
}

DUALAGENT_INLINE void GivenArgument::refuse(const std::string& wanted) const {
  constexpr std::size_t kShownBytes = 40;
  std::string given = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (given.size() > kShownBytes) given = given.substr(0, kShownBytes) + "...";
  throw Error("the argument '" + printable(path) + "' must be " + wanted + ", not " +
              printable(given));
}

}  // namespace dualagent::detail
