#include "dualagent/collective/shared_memory_group.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

constexpr detail::SharedRoom kRoom{.slot_bytes = 65536};

std::string fresh_name() {
  static int count = 0;
  return "group-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

bool is_left_behind(const std::string& name) {
  return std::filesystem::exists("/dev/shm/dualagent-" + name);
}

/// What a rank throws that joins a group, or "no error".
std::string error_of_joining(const std::string& name, std::size_t rank, std::size_t size,
                             double timeout_seconds = 0.05) {
  return error_of([&] { detail::SharedMemoryGroup(name, rank, size, kRoom, timeout_seconds); });
}

}  // namespace

TEST_CASE("names and ranks that cannot be meant are refused", "[collective]") {
  for (const std::string& name : {std::string(), std::string("a/b"), std::string("a b"),
                                  std::string(201, 'a'), std::string("a\0b", 3)})
    CHECK_THAT(error_of_joining(name, 0, 1), ContainsSubstring("the group's name is '"));
  CHECK_THAT(error_of_joining("n", 2, 2), ContainsSubstring("rank 2 of 2 ranks"));
  CHECK_THAT(error_of_joining("n", 0, 0), ContainsSubstring("rank 0 of 0 ranks"));
  CHECK_THAT(error_of_joining("n", 0, 5000), ContainsSubstring("at most 1024"));
}

TEST_CASE("ranks that do not come are named, and nothing is left behind", "[collective]") {
  const std::string name = fresh_name();
  CHECK_THAT(error_of_joining(name, 0, 3),
             ContainsSubstring("for all ranks to join; missing: 1 2"));
  CHECK_FALSE(is_left_behind(name));
  CHECK_THAT(error_of_joining(name, 1, 3), ContainsSubstring("rank 0 of the group"));
}

TEST_CASE("what a dead run left behind is no obstacle", "[collective]") {
  const std::string name = fresh_name(), file = "/dualagent-" + name;
  const detail::FileDescriptor left(::shm_open(file.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  REQUIRE(is_left_behind(name));
  CHECK(error_of_joining(name, 0, 1) == "no error");
  CHECK_FALSE(is_left_behind(name));
}

TEST_CASE("a name that is in use and ranks that do not agree are refused", "[collective]") {
  const std::string name = fresh_name();
  std::vector<std::string> seen(3);
  detail::run_threads(
      3,
      [&](std::size_t i) {  // two ranks 0 of 2, and a rank 1 that believes in 3
        seen[i] = error_of_joining(name, i == 2 ? 1 : 0, i == 2 ? 3 : 2, 3);
      },
      [](std::size_t, const std::string&) {});
  const bool first_refused = seen[0].find("another run uses this name") != std::string::npos;
  CHECK_THAT(seen[first_refused ? 0 : 1], ContainsSubstring("another run uses this name"));
  CHECK_THAT(seen[first_refused ? 1 : 0], ContainsSubstring("missing: 1"));
  CHECK_THAT(seen[2], ContainsSubstring("rank 0 has 2 ranks") && ContainsSubstring("rank 1 has 3"));
  CHECK_FALSE(is_left_behind(name));
}

TEST_CASE("ranks wait for counts, and for each other's slots", "[collective]") {
  const std::string name = fresh_name();
  std::vector<int> seen(2);
  detail::run_threads(
      2,
      [&](std::size_t rank) {
        detail::SharedMemoryGroup group(name, rank, 2, kRoom, 60);
        for (std::uint32_t chunk = 0; chunk < 5; ++chunk) {
          reinterpret_cast<int*>(group.slot(rank, chunk))[0] = static_cast<int>(10 * rank + chunk);
          group.of(rank).brought.set(chunk + 1);
          group.wait_for_all(&detail::SharedRank::brought, chunk + 1);
          seen[rank] += reinterpret_cast<int*>(group.slot(1 - rank, chunk))[0];
          group.of(rank).summed.set(chunk + 1);
          group.wait_for_all(&detail::SharedRank::summed, chunk + 1);
        }
      },
      [](std::size_t, const std::string&) {});
  CHECK(seen == std::vector<int>{50 + 10, 10});
}
