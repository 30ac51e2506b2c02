#include "dualagent/cpu/loops.inl"

#include <string>
#include <vector>

#include "dualagent/kernels/combine.inl"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("for_each visits every index once, in order", "[cpu]") {
  std::vector<std::size_t> seen;
  cpu::Loops::for_each(4, [&](std::size_t i) { seen.push_back(i); });
  CHECK(seen == std::vector<std::size_t>{0, 1, 2, 3});
  cpu::Loops::for_each(0, [&](std::size_t) { FAIL("there is no index"); });
}

TEST_CASE("map_reduce folds from the identity, left to right", "[cpu]") {
  struct Append {
    static std::string identity() { return ">"; }
    std::string operator()(const std::string& a, const std::string& b) const { return a + b; }
  };
  const auto letter = [](std::size_t i) { return std::string(1, static_cast<char>('a' + i)); };
  CHECK(cpu::Loops::map_reduce(3, Append{}, letter) == ">abc");
  CHECK(cpu::Loops::map_reduce(0, Append{}, letter) == ">");
  CHECK(cpu::Loops::map_reduce(3, kernels::Sum<double>{},
                               [](std::size_t i) { return static_cast<double>(i); }) == 3.0);
}
