// What libFuzzer calls. The name by which the program is called says which of its targets it
// fuzzes.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fuzz.hpp"

namespace {
const fuzz::Target* chosen = nullptr;
}

/// Memory that was freed stays poisoned for 8 MB of further allocations, more than an execution
/// makes, instead of 256 MB: fresh pages for every execution would cost more than the parser.
extern "C" const char* __asan_default_options() {
  return "quarantine_size_mb=8:malloc_context_size=8";
}

extern "C" int LLVMFuzzerInitialize(int*, char*** arguments) {
  std::string_view name = **arguments;
  name.remove_prefix(name.rfind('/') + 1);
  for (const fuzz::Target& target : fuzz::targets())
    if (target.name() == name) chosen = &target;
  fuzz::require(chosen != nullptr, "the program is not called by the name of one of its targets");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] { chosen->run({reinterpret_cast<const char*>(data), size}); });
}
