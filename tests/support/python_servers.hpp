#pragma once

#include <string>
#include <vector>

#include "dualagent/tools/sandbox.hpp"

/// How the tests of Python servers start them.
inline const std::vector<std::string> kPython{
    "/usr/bin/python3", "-s", "-S", "-B", "-u", "-X", "utf8"};
inline constexpr dualagent::SandboxLimits kLimits{
    .wall_seconds = 20.0, .cpu_seconds = 5, .memory_bytes = 256u << 20, .max_processes = 8};
