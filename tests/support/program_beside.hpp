#pragma once

#include <filesystem>
#include <string>
#include <system_error>

/// A program that a test starts: the one beside the test's own executable, where both were copied
/// together, else the one that was built.
inline std::string program_beside(const std::filesystem::path& built) {
  std::error_code fault;
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe", fault).parent_path() / built.filename();
  return std::filesystem::exists(beside, fault) ? beside.string() : built.string();
}
