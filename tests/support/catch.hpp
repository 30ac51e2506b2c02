#pragma once

/// Catch2 v3 where it is installed, else v2; tests include this file only. DUALAGENT_CATCH2_V2
/// asks for v2 where both are.
#if __has_include(<catch2/catch_all.hpp>) && !defined(DUALAGENT_CATCH2_V2)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif
