#include "dualagent/model/head_block.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "support/catch.hpp"
#include "support/ragged_rows.hpp"

using namespace dualagent;

namespace {

constexpr std::size_t kTokens = 29, kWidth = 18;  // of ragged_shape

/// What comes of a block: log-probabilities, gradients of the head's rows and of the hidden states.
struct Found {
  std::vector<double> log_probs, d_head, d_hidden;
};

/// Of a head that has the rows `weights`.
template <class Axis>
Found through_head(const Axis& axis, const PackedBatch& batch,
                   const std::vector<std::size_t>& tokens, std::vector<double> hidden,
                   std::vector<double> weights) {
  const Linear<double> head(weights.size() / kWidth, kWidth, 0);
  detail::HeadBlock<double, Axis> block(axis);
  const Matrix<double> rows = dense(hidden.data(), tokens.size(), kWidth);
  Found found{{}, std::vector<double>(weights.size()), std::vector<double>(hidden.size())};
  block.forward(batch, tokens, rows, head, weights.data());
  block.differentiate({tokens, "token"}, [&](std::size_t r, const TokenPrediction& now) {
    found.log_probs.push_back(now.log_prob);
    return curved_loss({}, tokens[r], now);
  });
  block.backward(rows, head, weights.data(), dense(found.d_head.data(), head.out(), kWidth),
                 dense(found.d_hidden.data(), tokens.size(), kWidth));
  return found;
}

}  // namespace

TEST_CASE("a head whose rows are spread over ranks differentiates as a whole one",
          "[model][collective]") {
  const PackedBatch batch = ragged_batch({40, 30}, 0.8F);
  std::vector<std::size_t> tokens;
  for (std::size_t t = 0; t < batch.size(); ++t)
    if (batch.loss_weight[t] != 0.0F) tokens.push_back(t);
  REQUIRE(tokens.size() > 10);
  const RandomStream random = RandomStream::from_seed(2);
  std::vector<double> hidden(tokens.size() * kWidth), weights(kTokens * kWidth);
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] = random.child(0).normal(i);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = random.child(1).normal(i);
  const Found whole = through_head(detail::WholeModel{}, batch, tokens, hidden, weights);
  Found all{{}, {}, std::vector<double>(hidden.size())};
  std::vector<Found> parts(3);
  run_ranks(3, [&](ThreadCollective handle) {
    const detail::ModelAxis axis(handle, {ragged_shape(true), handle.rank(), 3});
    const std::vector<double> mine(&weights[axis.tokens().begin * kWidth],
                                   weights.data() + axis.tokens().end * kWidth);
    parts[handle.rank()] = through_head(axis, batch, tokens, hidden, mine);
  });
  for (const Found& part : parts) {
    for (std::size_t r = 0; r < tokens.size(); ++r)
      CHECK(part.log_probs[r] == Approx(whole.log_probs[r]).epsilon(1e-13));
    all.d_head.insert(all.d_head.end(), part.d_head.begin(), part.d_head.end());
    for (std::size_t i = 0; i < hidden.size(); ++i) all.d_hidden[i] += part.d_hidden[i];
  }
  for (std::size_t i = 0; i < weights.size(); ++i)
    CHECK(all.d_head[i] == Approx(whole.d_head[i]).epsilon(1e-10).margin(1e-12));
  for (std::size_t i = 0; i < hidden.size(); ++i)
    CHECK(all.d_hidden[i] == Approx(whole.d_hidden[i]).epsilon(1e-10).margin(1e-12));
}
