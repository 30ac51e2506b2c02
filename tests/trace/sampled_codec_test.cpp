#include "dualagent/trace/sampled_codec.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

Sampled read(std::span<const std::byte> bytes) {
  ArchiveReader in(bytes, "here");
  Sampled sampled = decode_sampled(in);
  in.require_end();
  return sampled;
}

void check_same(const Sampled& a, const Sampled& b) {
  CHECK(a.agent() == b.agent());
  CHECK(std::equal(a.tokens().begin(), a.tokens().end(), b.tokens().begin(), b.tokens().end()));
  CHECK(same_bits(a.log_probs(), b.log_probs()));
  CHECK(same_bits(a.drawn_log_probs(), b.drawn_log_probs()));
  CHECK(a.left_out() == b.left_out());
  CHECK(version_runs(a.weight_versions()) == version_runs(b.weight_versions()));
}

}  // namespace

TEST_CASE("what was sampled comes back bit by bit, empty or of two versions", "[trace]") {
  const Sampled spans[] = {
      BackendAccess::sampled(AgentRole::summarizer, 7, {}, {}),
      BackendAccess::sampled(AgentRole::answerer, 7, {3, 0}, {-0.5F, -0.0F}),
      BackendAccess::sampled(AgentRole::answerer, std::vector<WeightVersion>{4, 4, 5}, {1, 2, 3},
                             {-1.0F, -2.0F, -3.5F}, {-1.0F, -0.25F, -3.0F})};
  for (const Sampled& span : spans) {
    ArchiveWriter out;
    encode_sampled(out, span);
    check_same(read(out.bytes()), span);
  }
}

TEST_CASE("the bytes of a sampled span", "[trace]") {
  ArchiveWriter out, expected;
  encode_sampled(out, BackendAccess::sampled(AgentRole::summarizer, 9, {6}, {-1.5F}));
  expected.number(std::uint8_t{1});   // the Summarizer
  expected.count(1);                  // tokens
  expected.number(std::int32_t{6});   // the token
  expected.number(-1.5F);             // its log-probability
  expected.number(std::uint8_t{0});   // the draw left nothing out
  expected.count(1);                  // runs of versions
  expected.number(std::uint64_t{9});  // version 9
  expected.count(1);                  // of one token
  CHECK(std::vector<std::byte>(out.bytes().begin(), out.bytes().end()) ==
        std::vector<std::byte>(expected.bytes().begin(), expected.bytes().end()));
}

TEST_CASE("what no model can have sampled is refused", "[trace]") {
  const auto with = [](std::int32_t token, float log_prob, std::uint64_t versions) {
    ArchiveWriter out;
    out.number(std::uint8_t{0});
    out.count(1);
    out.number(token);
    out.number(log_prob);
    out.number(std::uint8_t{0});
    out.count(1);
    out.number(std::uint64_t{9});
    out.count(versions);
    return std::move(out).take();
  };
  CHECK(read(with(6, -1.0F, 1)).tokens().size() == 1);
  CHECK_THROWS_WITH(read(with(-6, -1.0F, 1)), ContainsSubstring("a token is negative"));
  CHECK_THROWS_WITH(read(with(6, 1.0F, 1)), ContainsSubstring("positive or not finite"));
  CHECK_THROWS_WITH(read(with(6, std::numeric_limits<float>::quiet_NaN(), 1)),
                    ContainsSubstring("positive or not finite"));
  CHECK_THROWS_WITH(read(with(6, -1.0F, 2)), ContainsSubstring("has 2 tokens where 1 are left"));
}
