#include "dualagent/report/memory.hpp"

#include <optional>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("the peak of memory grows by what is touched and never shrinks", "[report]") {
  const auto before = peak_memory_bytes();
  REQUIRE(before);
  CHECK(*before > 100'000);
  constexpr std::size_t kBytes = 64U << 20U;
  {
    // Above the peak so far, whatever was freed before: as much as the peak and 64 MiB more.
    const std::vector<char> touched(static_cast<std::size_t>(*before) + kBytes, 1);
    CHECK(touched.back() == 1);
  }
  const auto after = peak_memory_bytes();
  REQUIRE(after);
  CHECK(*after >= *before + kBytes);
}

TEST_CASE("a line of the status file is read in bytes", "[report]") {
  const char* status = "Name:\tx\nVmPeak:\t 900 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 5 kB\n";
  CHECK(detail::status_bytes(status, "VmHWM") == 1234U * 1024);
  CHECK(detail::status_bytes(status, "VmPeak") == 900U * 1024);
  CHECK(!detail::status_bytes(status, "VmSwap"));
  CHECK(!detail::status_bytes("", "VmHWM"));
  for (const char* broken : {"VmHWM:", "VmHWM:\t kB", "VmHWM: 12", "VmHWM: 12 MB",
                             "VmHWM: 99999999999999999999999 kB", "VmHWM: -3 kB"})
    CHECK(!detail::status_bytes(broken, "VmHWM"));
}

TEST_CASE("the memory that is held now is at most the peak", "[report]") {
  const auto now = resident_memory_bytes(), peak = peak_memory_bytes();
  REQUIRE(now);
  CHECK(*now > 100'000);
  CHECK(*now <= *peak);
}
