#include "dualagent/core/check.hpp"

#include <chrono>
#include <limits>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kEndless = std::numeric_limits<double>::infinity();

struct Careful {
  double weight = 1;
  void validate() const { require_option(weight, kPositive, "weight", "Careful"); }
};
struct Careless {};
struct OtherMeaning {  // a member of that name that says something else is left alone
  bool validate() const { throw std::logic_error("must not be called"); }
};
struct Broken {
  void validate() const { throw std::out_of_range("vector::at"); }
};

}  // namespace

TEST_CASE("bounds hold their ends where they say so, and never NaN", "[core]") {
  CHECK(kFraction.contains(0.0));
  CHECK(kFraction.contains(1.0));
  CHECK(!kFraction.contains(1.0000001));
  CHECK(!kBelowOne.contains(1.0));
  CHECK(!kPositive.contains(0.0));
  CHECK(kPositive.contains(5e-324));
  CHECK(!kPositive.contains(kEndless));
  CHECK(kPositiveOrInfinite.contains(kEndless));
  CHECK(kNotNegative.contains(-0.0));
  CHECK(!kNotNegative.contains(-5e-324));
  CHECK(kFinite.contains(-1e308));
  CHECK(!kFinite.contains(-kEndless));
  for (const Bounds& bounds :
       {kFinite, kPositive, kPositiveOrInfinite, kNotNegative, kNotNegativeOrInfinite, kFraction,
        kBelowOne, kAtLeastOne, kCount, kThreads})
    CHECK(!bounds.contains(kNan));
}

TEST_CASE("an option that cannot be meant is refused with its name, value and remedy", "[core]") {
  CHECK(error_of([] { require_option(kNan, kPositive, "epsilon", "AdamW"); }) ==
        "epsilon is nan (AdamW). Set it to a finite number above 0");
  CHECK(error_of([] {
          require_option(std::size_t{0}, {1.0, 8.0}, "margin", "OverlongPenalty");
        }) == "margin is 0 (OverlongPenalty). Set it to a number of at least 1 and at most 8");
  CHECK(error_of([] { require_option(1.0, kBelowOne, "beta1", "AdamW", "0.9 is common"); }) ==
        "beta1 is 1 (AdamW). Set it to a number of at least 0 and below 1; 0.9 is common");
  CHECK(error_of([] { require_option(0.9, kBelowOne, "beta1", "AdamW"); }) == "no error");
}

TEST_CASE("a count of what is made all at once has an end", "[core]") {
  for (const Bounds& bounds : {kCount, kThreads}) {
    CHECK(!bounds.contains(0));
    CHECK(bounds.contains(1));
    CHECK(bounds.contains(4096));
  }
  CHECK(kCount.contains(1U << 20U));
  CHECK(error_of([] { require_option(std::size_t{1} << 60U, kCount, "group_size", "Options"); }) ==
        "group_size is 1152921504606846976 (Options). Set it to a number of at least 1 and at most "
        "1048576");
  CHECK_THAT(error_of([] { require_option(65537, kThreads, "threads", "ThreadPool"); }),
             ContainsSubstring("at most 65536"));
}

TEST_CASE("policies are asked to validate themselves where they can", "[core]") {
  CHECK(error_of([] { validate_all(Careful{}, Careless{}, OtherMeaning{}); }) == "no error");
  CHECK_THAT(error_of([] { validate_all(Careless{}, Careful{.weight = -1}); }),
             ContainsSubstring("weight is -1 (Careful)"));
  CHECK_THAT(error_of([] { validate_all(Broken{}); }),
             ContainsSubstring("std::out_of_range: vector::at"));
}

TEST_CASE("seconds are those by which a clock can be moved", "[core]") {
  const auto now = std::chrono::steady_clock::now();
  const auto longest = std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(kSeconds.high));
  CHECK(now + longest > now);
  CHECK(kSeconds.contains(0.0));
  CHECK(!kPositiveSeconds.contains(0.0));
  for (const Bounds& bounds : {kSeconds, kPositiveSeconds}) {
    CHECK(bounds.contains(1e9));
    for (const double seconds : {1e10, kEndless, kNan, -1.0}) CHECK(!bounds.contains(seconds));
  }
}

TEST_CASE("a text that JSON cannot hold is refused with its byte", "[core]") {
  CHECK(error_of([] { require_utf8("caf\xc3\xa9", "run", "ClaimRequest"); }) == "no error");
  CHECK(error_of([] { require_utf8("caf\xe9", "run", "ClaimRequest"); }) ==
        "run is not valid UTF-8 at byte 3 (ClaimRequest). It travels as JSON: write it in UTF-8");
}

TEST_CASE("a path that the system would cut off is refused with its byte", "[core]") {
  CHECK(error_of([] { require_no_nul("out/a b", "folder", "RunOptions"); }) == "no error");
  CHECK(error_of([] { require_no_nul(std::string_view("out\0/b", 6), "folder", "RunOptions"); }) ==
        "folder has a NUL byte at byte 3: out\\x00/b (RunOptions). The system would end it there: "
        "take it out");
}

TEST_CASE("a word of a command that the system would cut off is refused, and not shown", "[core]") {
  const std::string key("sk-1\0x", 6);
  CHECK(error_of([] {
          require_no_nul(std::vector<std::string>{"a", "", "b"}, "word", "w");
        }) == "no error");
  CHECK(error_of([&] {
          require_no_nul(std::vector<std::string>{"program", "--key", key}, "the command's word",
                         "launch_ranks");
        }) ==
        "the command's word 2 has a NUL byte at byte 4 (launch_ranks). The system would end it "
        "there: take it out");
}

TEST_CASE("an empty function is refused by its name", "[core]") {
  CHECK(error_of([] { require_function(std::function<int()>(), "now", "SqliteStoreOptions"); }) ==
        "now is empty (SqliteStoreOptions). Give a function");
  CHECK(error_of([] {
          require_function(std::function<int()>([] { return 1; }), "now", "SqliteStoreOptions");
        }) == "no error");
}
