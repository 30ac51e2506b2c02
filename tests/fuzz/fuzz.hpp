#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"

/// What the fuzz targets share: an entry point that lets dualagent::Error alone pass, and a file
/// that lies in memory.
namespace fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

/// A file whose contents are the fuzzer's bytes, for parsers that take a path.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    require(descriptor_ >= 0, "memfd_create failed");
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  const std::filesystem::path& put(std::string_view bytes) {
    require(::ftruncate(descriptor_, 0) == 0, "ftruncate failed");
    require(
        ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
        "pwrite failed");
    return path_;
  }

 private:
  int descriptor_;
  std::filesystem::path path_;
};

/// Runs `body`; an Error that names its reason is an answer, anything else ends the process.
template <class Body>
int run(Body&& body) {
  try {
    body();
  } catch (const dualagent::Error& error) {
    require(*error.what() != '\0', "an Error without a reason");
  }
  return 0;
}

/// A target of this program: tests/fuzz/NAME_fuzz.cpp.
struct Target {
  std::string_view file;
  void (*run)(std::string_view text);
  std::string_view name() const {
    std::string_view name = file.substr(file.rfind('/') + 1);
    return name.substr(0, name.rfind("_fuzz.cpp"));
  }
};

/// All targets of this program; run.sh compiles several into one.
inline std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

struct Registered {
  explicit Registered(Target target) { targets().push_back(target); }
};

}  // namespace fuzz

/// `FUZZ_TARGET(text) { ... }` is one libFuzzer target over the input as text.
#define FUZZ_TARGET(text)                                                    \
  static void fuzz_one_input(std::string_view text);                         \
  static const fuzz::Registered fuzz_registered({__FILE__, fuzz_one_input}); \
  static void fuzz_one_input(std::string_view text)
