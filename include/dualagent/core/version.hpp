#pragma once

#include <string_view>

namespace dualagent {

/// Version of the library, "MAJOR.MINOR.PATCH".
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace dualagent
