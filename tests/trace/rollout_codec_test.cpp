#include "dualagent/trace/rollout_codec.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "dualagent/io/atomic_file.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

using Bytes = std::vector<std::byte>;

/// The rollout that tests/golden/rollout_codec/make_rollout.py writes down byte by byte.
Rollout golden_rollout() {
  Rollout rollout{.task_id = std::string("t\0\xFF", 3),
                  .group = 3,
                  .member = 9,
                  .status = RolloutStatus::truncated,
                  .ending = "limit",
                  .answer = "42",
                  .reward = -0.25,
                  .turns = 5,
                  .calls = 4,
                  .malformed_turns = 1,
                  .summaries = 1};
  rollout.fork = ForkOrigin{.member = 2, .summary = 0};
  rollout.summary_requests = {
      {.segment = 0, .position = 3, .turns = 2, .calls = 2, .malformed_turns = 1}};
  rollout.tool_uses = {{.tool = "look", .status = ToolStatus::ok},
                       {.tool = "x", .status = ToolStatus::failed, .problem = "no"}};
  Segment first;
  first.context.append(Provenance::prompt, std::vector<Token>{1, 2});
  first.context.append(BackendAccess::sampled(AgentRole::answerer, 7, {3}, {-0.5F}));
  first.context.append(Provenance::injected, std::vector<Token>{4});
  constexpr WeightVersion kLate = WeightVersion{1} << 40;
  first.context.append(BackendAccess::sampled(AgentRole::summarizer, {kLate, kLate + 1}, {5, 6},
                                              {-1.5F, 0.0F}, {-1.25F, 0.0F}));
  Segment second{.owner = AgentRole::summarizer, .parent = 0, .context = {}};
  second.context.append(Provenance::summary, std::vector<Token>{5, 2147483647},
                        AgentRole::summarizer);
  rollout.segments = {first, second};
  return rollout;
}

Bytes golden_bytes() {
  const std::string text = read_file(DUALAGENT_TEST_DATA "/rollout_codec/rollout.bin");
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// With the checksum that fits, as a forger would write it.
Bytes sealed(Bytes bytes) {
  const std::uint64_t checksum = crc64(std::span(bytes).first(bytes.size() - 8));
  std::memcpy(bytes.data() + bytes.size() - 8, &checksum, 8);
  return bytes;
}

/// The position of the golden file's only occurrence of some bytes.
template <class T>
std::size_t find_value(const Bytes& bytes, T value) {
  for (std::size_t at = 0; at + sizeof value <= bytes.size(); ++at)
    if (std::memcmp(bytes.data() + at, &value, sizeof value) == 0) return at;
  FAIL("the value is not in the bytes");
  return 0;
}

template <class T>
Bytes with_value(std::size_t at, T value) {
  Bytes bytes = golden_bytes();
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return sealed(std::move(bytes));
}

std::string refusal(const Bytes& bytes) {
  return error_of([&] { decode_rollout(bytes, "here"); });
}

}  // namespace

TEST_CASE("an encoded rollout has the bytes that the format's description gives", "[trace]") {
  CHECK(encode_rollout(golden_rollout()) == golden_bytes());
}

TEST_CASE("a decoded rollout has every field of the one that was encoded", "[trace]") {
  const Rollout rollout = decode_rollout(golden_bytes(), "here");
  CHECK(rollout.task_id == std::string("t\0\xFF", 3));
  CHECK(rollout.group == 3);
  CHECK(rollout.member == 9);
  CHECK(rollout.status == RolloutStatus::truncated);
  CHECK(rollout.ending == "limit");
  CHECK(rollout.answer == "42");
  CHECK(rollout.reward == -0.25);
  CHECK(rollout.turns == 5);
  CHECK(rollout.calls == 4);
  CHECK(rollout.malformed_turns == 1);
  CHECK(rollout.summaries == 1);
  REQUIRE(rollout.fork);
  CHECK(rollout.fork->member == 2);
  CHECK(rollout.fork->summary == 0);
  REQUIRE(rollout.summary_requests.size() == 1);
  CHECK(rollout.summary_requests[0].position == 3);
  CHECK(rollout.summary_requests[0].malformed_turns == 1);
  REQUIRE(rollout.tool_uses.size() == 2);
  CHECK(rollout.tool_uses[0].tool == "look");
  CHECK(rollout.tool_uses[0].status == ToolStatus::ok);
  CHECK(rollout.tool_uses[1].status == ToolStatus::failed);
  CHECK(rollout.tool_uses[1].problem == "no");
  REQUIRE(rollout.segments.size() == 2);
  CHECK(!rollout.segments[0].parent);
  CHECK(rollout.segments[1].parent == 0);
  CHECK(rollout.segments[1].owner == AgentRole::summarizer);
  const Context& context = rollout.segments[0].context;
  REQUIRE(context.spans().size() == 4);
  CHECK(context.spans()[1].is_sampled());
  constexpr WeightVersion kLate = WeightVersion{1} << 40;
  CHECK(std::ranges::equal(context.weight_versions(),
                           std::vector<WeightVersion>{0, 0, 7, 0, kLate, kLate + 1}));
  CHECK(context.spans()[3].agent == AgentRole::summarizer);
  CHECK(std::vector<Token>(context.tokens().begin(), context.tokens().end()) ==
        std::vector<Token>{1, 2, 3, 4, 5, 6});
  CHECK(context.log_probs()[2] == -0.5F);
  CHECK(context.log_probs()[4] == -1.5F);
  CHECK(
      std::ranges::equal(context.drawn_log_probs(), std::vector<float>{0, 0, -0.5F, 0, -1.25F, 0}));
  CHECK(count_sampled(rollout) == 3);
}

TEST_CASE("numbers keep their bits, whatever they are", "[trace]") {
  for (const double reward : {std::numeric_limits<double>::quiet_NaN(), -0.0, 5e-324, 1e308}) {
    Rollout rollout;
    rollout.reward = reward;
    const double again = decode_rollout(encode_rollout(rollout), "here").reward;
    CHECK(std::memcmp(&reward, &again, sizeof reward) == 0);
  }
  const Rollout empty = decode_rollout(encode_rollout(Rollout{}), "here");
  CHECK(!empty.answer);
  CHECK(!empty.fork);
  CHECK(empty.segments.empty());
}

TEST_CASE("a rollout with any byte changed, or any number of them missing, is refused", "[trace]") {
  const Bytes good = golden_bytes();
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bytes = good;
    bytes[i] ^= std::byte{0x10};
    if (refusal(bytes) == "no error") FAIL("byte " << i << " changed unseen");
    if (refusal({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(i)}) == "no error")
      FAIL("the first " << i << " bytes were taken for a whole rollout");
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  CHECK_THAT(refusal(longer), ContainsSubstring("damaged"));
  CHECK_THAT(refusal({}), ContainsSubstring("not an encoded rollout") && ContainsSubstring("here"));
}

TEST_CASE("bytes with a right checksum that no rollout can have are refused by name", "[trace]") {
  const Bytes good = golden_bytes();
  CHECK_THAT(refusal(with_value(8, std::uint32_t{1})),
             ContainsSubstring("format 1") && ContainsSubstring("reads format 3"));
  const std::size_t log_prob = find_value(good, -1.5F);
  CHECK_THAT(refusal(with_value(log_prob, 0.5F)), ContainsSubstring("log-probability"));
  CHECK_THAT(refusal(with_value(log_prob, std::numeric_limits<float>::quiet_NaN())),
             ContainsSubstring("log-probability"));
  const std::size_t last_token = good.size() - 12;
  CHECK_THAT(refusal(with_value(last_token, Token{-1})), ContainsSubstring("negative"));
  const std::size_t last_span = good.size() - 8 - 8 - 10;
  CHECK_THAT(refusal(with_value(last_span, std::uint8_t{8})), ContainsSubstring("provenance 8"));
  CHECK_THAT(refusal(with_value(last_span + 1, std::uint8_t{2})), ContainsSubstring("agent 2"));
  CHECK_THAT(refusal(with_value(last_span + 2, std::uint64_t{1} << 62)),
             ContainsSubstring("ends within a span's tokens"));
  CHECK_THAT(refusal(with_value(last_span + 2, std::uint64_t{0})),
             ContainsSubstring("has no tokens"));
  CHECK_THAT(refusal(with_value(last_span + 2, std::uint64_t{1})),
             ContainsSubstring("4 bytes follow"));
  const std::size_t drawn = find_value(good, -1.25F);
  CHECK(drawn == log_prob + 2 * sizeof(float) + 1);
  CHECK_THAT(refusal(with_value(drawn, 0.5F)), ContainsSubstring("log-probability"));
  CHECK_THAT(refusal(with_value(drawn, -1.5F)), ContainsSubstring("given twice"));
  CHECK_THAT(refusal(with_value(drawn - 1, std::uint8_t{2})), ContainsSubstring("neither 0 nor 1"));
  const std::size_t run = drawn + 2 * sizeof(float) + 8;  // of one token; another one follows
  CHECK_THAT(refusal(with_value(run + 8, std::uint64_t{0})),
             ContainsSubstring("has 0 tokens where 2 are left"));
  CHECK_THAT(refusal(with_value(run + 8, std::uint64_t{2})),
             ContainsSubstring("has 1 tokens where 0 are left"));
  CHECK_THAT(refusal(with_value(run, (WeightVersion{1} << 40) + 1)),
             ContainsSubstring("follows itself"));
  const std::size_t lone_run = find_value(good, WeightVersion{7});
  CHECK_THAT(refusal(with_value(lone_run - 8, std::uint64_t{0})),
             ContainsSubstring("no weight version"));
  CHECK_THAT(refusal(with_value(lone_run - 8, std::uint64_t{1} << 62)),
             ContainsSubstring("ends within a span's weight versions"));
  const std::size_t last_parent = last_span - 8 - 8;
  CHECK_THAT(refusal(with_value(last_parent, std::uint64_t{1})),
             ContainsSubstring("does not come before it"));
  const std::size_t status = 12 + 8 + 3 + 8 + 8;
  CHECK_THAT(refusal(with_value(status, std::uint8_t{3})), ContainsSubstring("status 3"));
  const std::size_t has_answer = status + 1 + 8 + 5;
  CHECK_THAT(refusal(with_value(has_answer, std::uint8_t{2})),
             ContainsSubstring("neither 0 nor 1"));
  const std::size_t request = has_answer + 1 + 8 + 2 + 8 + 4 * 8 + 1 + 2 * 8 + 8;
  CHECK_THAT(refusal(with_value(request, std::uint64_t{2})), ContainsSubstring("summary request"));
  CHECK_THAT(refusal(with_value(request + 8, std::uint64_t{7})),
             ContainsSubstring("summary request"));
  CHECK(refusal(with_value(request + 8, std::uint64_t{6})) == "no error");
  const std::size_t use_status = request + 5 * 8 + 8 + 8 + 4;
  CHECK_THAT(refusal(with_value(use_status, std::uint8_t{5})),
             ContainsSubstring("status of a tool use 5"));
}
