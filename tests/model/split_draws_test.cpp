#include "dualagent/model/split_draws.hpp"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "support/catch.hpp"
#include "support/ragged_rows.hpp"

using namespace dualagent;

namespace {

/// One generation; rank 0 alone knows the random bits.
struct Drawing {
  SamplingOptions sampling;
  std::uint64_t bits = 0;
  std::vector<detail::DrawnToken> drawn = {};
  std::optional<FinishReason> ended = {};

  std::pair<SamplingOptions, std::uint64_t> next_draw() const { return {sampling, bits}; }
  void append(const detail::DrawnToken& token) { drawn.push_back(token); }
  void end(std::optional<FinishReason> reason) { ended = reason; }
};

}  // namespace

TEST_CASE("rank 0 draws from all columns what one rank would, and tells the others",
          "[model][decode]") {
  constexpr std::size_t kTokens = 29;  // of ragged_shape
  const RandomStream random = RandomStream::from_seed(6);
  const std::vector<SamplingOptions> ways{
      {}, {.temperature = 0.0F}, {.temperature = 0.7F, .top_k = 5, .top_p = 0.8F, .min_p = 0.05F}};
  std::vector<float> logits(ways.size() * kTokens);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(random.normal(i));
  for (std::uint64_t draw = 0; draw < 20; ++draw) {
    std::vector<std::vector<Drawing>> drawings(3);
    run_ranks(3, [&](ThreadCollective handle) {
      const detail::ModelAxis axis(handle, {ragged_shape(true), handle.rank(), 3});
      std::vector<Drawing>& mine = drawings[handle.rank()];
      std::vector<float> part;
      for (std::size_t i = 0; i < ways.size(); ++i) {
        mine.push_back({ways[i], handle.rank() == 0 ? random.child(i).bits(draw) : 0});
        const float* const begin = &logits[i * kTokens + axis.tokens().begin];
        part.insert(part.end(), begin, begin + axis.tokens().size());
      }
      detail::SplitDraws<float> draws;
      draws.draw(
          axis, dense(part.data(), ways.size(), axis.tokens().size()),
          [&](std::size_t i) -> Drawing& { return mine[i]; },
          [](const Drawing& drawing) {
            return drawing.drawn[0].token % 2 == 0 ? std::optional(FinishReason::early)
                                                   : std::nullopt;
          });
    });
    for (std::size_t i = 0; i < ways.size(); ++i) {
      std::vector<float> row(&logits[i * kTokens], &logits[i * kTokens] + kTokens);
      std::vector<float> exps(64);
      const detail::DrawnToken expected =
          detail::draw_token(kTokens, ways[i], random.child(i).bits(draw), row.data(), exps.data());
      for (const std::vector<Drawing>& rank : drawings) {
        REQUIRE(rank[i].drawn.size() == 1);
        const detail::DrawnToken& got = rank[i].drawn[0];
        CHECK(got.token == expected.token);
        CHECK(got.log_prob == Approx(expected.log_prob).epsilon(1e-5));
        CHECK(got.drawn_log_prob == Approx(expected.drawn_log_prob).epsilon(1e-5).margin(1e-6));
        CHECK(got.log_prob == drawings[0][i].drawn[0].log_prob);
        CHECK(rank[i].ended.has_value() == (expected.token % 2 == 0));
        if (rank[i].ended) CHECK(*rank[i].ended == FinishReason::early);
      }
    }
  }
}
