#include "dualagent/model/transformer_layers.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/normals.hpp"

using namespace dualagent;

namespace {

TransformerConfig shape(bool qwen3) {
  return {.vocab_size = 7,
          .hidden_size = 10,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .head_dim = 6,
          .intermediate_size = 9,
          .max_position_embeddings = 20,
          .rope_theta = 100.0,
          .qk_norm = qwen3};
}

template <class T>
TransformerWeights<T> random_weights(const TransformerConfig& config) {
  TransformerWeights<T> weights(config);
  weights.initialise(2);
  for (const TensorInfo& tensor : weights.tensors())
    if (tensor.shape.size() == 1)
      for (std::size_t i = 0; i < tensor.size; ++i)
        weights.parameters()[tensor.offset + i] += static_cast<T>(0.1 * static_cast<double>(i % 4));
  weights.refresh();
  return weights;
}

}  // namespace

TEST_CASE("rotary angles are position * theta^(-2 i / head_dim)", "[model][layers]") {
  const detail::RotaryTable<double> table(shape(false));
  CHECK(table.half == 3);
  CHECK(table.cosine.size() == 20 * 3);
  for (const std::size_t position : {0U, 1U, 19U})
    for (std::size_t i = 0; i < 3; ++i) {
      const double angle =
          static_cast<double>(position) * std::pow(100.0, -2.0 * static_cast<double>(i) / 6.0);
      CHECK(table.cosine[position * 3 + i] == Approx(std::cos(angle)).margin(1e-14));
      CHECK(table.sine[position * 3 + i] == Approx(std::sin(angle)).margin(1e-14));
    }
}

TEST_CASE("a row's bits do not depend on the rows beside it", "[model][layers]") {
  for (const bool qwen3 : {false, true}) {
    const auto weights = random_weights<float>(shape(qwen3));
    const detail::RotaryTable<float> rotary(weights.config());
    detail::SerialExecutor alone;
    constexpr std::size_t kRows = 15;
    std::vector<std::size_t> positions(kRows);
    std::iota(positions.begin(), positions.end(), std::size_t{3});
    const auto x = normals<float>(kRows * 10, 4);
    const auto attend = [](Matrix<const float> qkv, Matrix<float> mixed) {  // queries go through
      for (std::size_t i = 0; i < mixed.rows; ++i)
        std::copy_n(qkv.row(i), mixed.columns, mixed.row(i));
    };
    std::vector<float> whole = x;
    detail::LayerActivations<float> act;
    detail::forward_layer(alone, weights, rotary, 1, positions, whole.data(), {}, act, attend);
    for (std::size_t i = 0; i < kRows; ++i) {
      std::vector<float> row(x.begin() + static_cast<std::ptrdiff_t>(i * 10),
                             x.begin() + static_cast<std::ptrdiff_t>(i * 10 + 10));
      detail::forward_layer(alone, weights, rotary, 1, std::span(positions).subspan(i, 1),
                            row.data(), {}, act, attend);
      CHECK(
          std::equal(row.begin(), row.end(), whole.begin() + static_cast<std::ptrdiff_t>(i * 10)));
    }
  }
}

TEST_CASE("queries and keys are normed head by head, values are left alone", "[model][layers]") {
  const auto weights = random_weights<double>(shape(true));
  const detail::QueriesAndKeys<double> heads(weights, weights.layer(0));
  const auto before = normals<double>(2 * 48, 5);
  std::vector<double> after = before;
  detail::LayerActivations<double> act;
  heads.norm_forward(dense(after.data(), 2, 48), act);
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t head = 0; head < 8; ++head) {
      double squares = 0;
      for (std::size_t c = 0; c < 6; ++c)
        squares += before[row * 48 + head * 6 + c] * before[row * 48 + head * 6 + c];
      const double scale = 1.0 / std::sqrt(squares / 6.0 + 1e-5);
      for (std::size_t c = 0; c < 6; ++c) {
        const std::size_t at = row * 48 + head * 6 + c;
        const double weight = 1.0 + 0.1 * static_cast<double>(c % 4);
        CHECK(after[at] ==
              Approx(head < 6 ? before[at] * scale * weight : before[at]).margin(1e-12));
      }
    }
}

TEST_CASE("gradients of the norms of queries and keys equal central differences",
          "[model][layers]") {
  auto weights = random_weights<double>(shape(true));
  const auto before = normals<double>(3 * 48, 6);
  const auto d = normals<double>(3 * 48, 7);
  const auto loss = [&](std::vector<double> qkv) {
    detail::LayerActivations<double> act;
    const detail::QueriesAndKeys<double> heads(weights, weights.layer(0));
    heads.norm_forward(dense(qkv.data(), 3, 48), act);
    return std::inner_product(qkv.begin(), qkv.end(), d.begin(), 0.0);
  };
  const detail::QueriesAndKeys<double> heads(weights, weights.layer(0));
  detail::LayerActivations<double> act;
  std::vector<double> normed = before, got = d;
  heads.norm_forward(dense(normed.data(), 3, 48), act);
  std::vector<double> gradients(weights.parameters().size(), 0.0);
  AlignedVector<double> scratch;
  heads.norm_backward(detail::WholeModel{}, act, dense(got.data(), 3, 48), scratch,
                      gradients.data());
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < before.size(); ++i) {
    std::vector<double> above = before, below = before;
    above[i] += kStep, below[i] -= kStep;
    CHECK(got[i] == Approx((loss(above) - loss(below)) / (2 * kStep)).margin(1e-8));
  }
  for (const std::size_t norm : {*weights.layer(0).query_norm, *weights.layer(0).key_norm})
    for (std::size_t i = norm; i < norm + 6; ++i) {
      const double at = weights.parameters()[i];
      weights.parameters()[i] = at + kStep;
      const double above = loss(before);
      weights.parameters()[i] = at - kStep;
      const double below = loss(before);
      weights.parameters()[i] = at;
      CHECK(gradients[i] == Approx((above - below) / (2 * kStep)).margin(1e-8));
    }
}
