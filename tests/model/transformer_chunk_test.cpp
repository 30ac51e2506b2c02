#include "dualagent/model/transformer_chunk.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/normals.hpp"

using namespace dualagent;

namespace {

TransformerConfig shape() {
  return {.vocab_size = 11,
          .hidden_size = 10,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .head_dim = 4,
          .intermediate_size = 9,
          .max_position_embeddings = 32,
          .tie_word_embeddings = true};
}

struct Model {
  TransformerWeights<double> weights{shape()};
  detail::RotaryTable<double> rotary{shape()};
  Model() {
    weights.initialise(2);
    weights.refresh();
  }
};

const std::vector<std::vector<Token>> kSequences{{1, 2, 3, 4, 5, 1, 2}, {7}, {10, 0, 3, 3, 9}};

/// sum_i dx_i output_i over the rows of all sequences.
double loss(Model& model, const std::vector<double>& dx) {
  detail::Chunk<double> chunk(model.weights, model.rotary);
  for (const auto& sequence : kSequences) chunk.add(sequence);
  chunk.forward(detail::Kept::all);
  return std::inner_product(dx.begin(), dx.end(), chunk.output(), 0.0);
}

}  // namespace

TEST_CASE("packed sequences come out as they do alone", "[model][chunk]") {
  Model model;
  detail::Chunk<double> chunk(model.weights, model.rotary);
  for (const auto& sequence : kSequences) chunk.add(sequence);
  CHECK(chunk.rows() == 13);
  chunk.forward(detail::Kept::all);
  std::size_t row = 0;
  for (const auto& sequence : kSequences) {
    detail::Chunk<double> alone(model.weights, model.rotary);
    alone.add(kSequences[2]);  // what was in it before is forgotten
    alone.clear();
    alone.add(sequence);
    alone.forward(detail::Kept::all);
    CHECK(std::equal(alone.output(), alone.output() + sequence.size() * 10,
                     chunk.output() + row * 10));
    row += sequence.size();
  }
}

TEST_CASE("a chunk's gradients equal central differences and are added", "[model][chunk]") {
  Model model;
  const auto dx = normals<double>(13 * 10, 4);
  detail::Chunk<double> chunk(model.weights, model.rotary);
  for (const auto& sequence : kSequences) chunk.add(sequence);
  chunk.forward(detail::Kept::all);
  std::vector<double> gradients(model.weights.parameters().size(), 10.0), destroyed = dx;
  chunk.backward(destroyed.data(), gradients.data(), [](std::size_t) {});
  constexpr double kStep = 1e-5;
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < gradients.size(); i += 3) {
    const double at = model.weights.parameters()[i];
    const auto at_value = [&](double value) {
      model.weights.parameters()[i] = value;
      model.weights.refresh();
      return loss(model, dx);
    };
    const double slope = (at_value(at + kStep) - at_value(at - kStep)) / (2 * kStep);
    model.weights.parameters()[i] = at;
    worst = std::max(worst, std::abs(gradients[i] - 10.0 - slope));
    largest = std::max(largest, std::abs(slope));
  }
  CHECK(largest > 1.0);
  CHECK(worst < 1e-7 * largest);
}

TEST_CASE("outputs and gradients have the same bits whether panels are kept or not",
          "[model][chunk]") {
  TransformerConfig config = shape();
  config.hidden_size = 70;  // whole vectors and a rest
  config.intermediate_size = 50;
  config.qkv_bias = true;
  const auto dx = normals<float>(13 * 70, 4);
  const auto run = [&](std::size_t kept_panel_bytes) {
    TransformerWeights<float> weights(config, llama(config), kept_panel_bytes);
    weights.initialise(2);
    weights.refresh();
    CHECK((weights.layer(1).down.transposed().data != nullptr) == (kept_panel_bytes > 0));
    const detail::RotaryTable<float> rotary(config);
    detail::Chunk<float> chunk(weights, rotary);
    for (const auto& sequence : kSequences) chunk.add(sequence);
    chunk.forward(detail::Kept::all);
    std::vector<float> all(chunk.output(), chunk.output() + 13 * 70), destroyed = dx;
    std::vector<float> gradients(weights.parameters().size(), 0.0F);
    chunk.backward(destroyed.data(), gradients.data(), [](std::size_t) {});
    all.insert(all.end(), gradients.begin(), gradients.end());
    return all;
  };
  CHECK(run(kKeptPanelBytes) == run(0));
}

TEST_CASE("gradients have the same bits whether all is kept or inputs alone", "[model][chunk]") {
  TransformerConfig config = shape();
  config.num_hidden_layers = 4;
  config.qkv_bias = config.qk_norm = true;
  TransformerWeights<float> weights(config);
  weights.initialise(2);
  weights.refresh();
  const detail::RotaryTable<float> rotary(config);
  detail::Adapter<float> adapter(weights, {.rank = 3});
  const auto noise = normals<float>(adapter.parameters().size(), 5);
  std::copy(noise.begin(), noise.end(), adapter.parameters().begin());
  adapter.refresh();
  const auto dx = normals<float>(13 * 10, 4);
  const std::size_t sizes[] = {weights.parameters().size(), adapter.parameters().size()};
  for (const bool adapted : {false, true}) {
    const auto gradients = [&](std::initializer_list<detail::Kept> kept) {
      detail::Chunk<float> chunk(weights, rotary, adapted ? &adapter : nullptr);
      for (const auto& sequence : kSequences) chunk.add(sequence);
      std::vector<float> sum(sizes[adapted], 0.0F);
      for (const detail::Kept each : kept) {
        std::vector<float> destroyed = dx;
        chunk.forward(each);
        chunk.backward(destroyed.data(), sum.data(), [](std::size_t) {});
      }
      return sum;
    };
    using enum detail::Kept;
    const std::vector<float> expected = gradients({all, all});
    CHECK(std::any_of(expected.begin(), expected.end(), [](float g) { return g != 0.0F; }));
    CHECK(gradients({inputs, inputs}) == expected);
    CHECK(gradients({inputs, all}) == expected);
    CHECK(gradients({all, inputs}) == expected);
  }
}

TEST_CASE("outputs do not depend on what is kept", "[model][chunk]") {
  Model model;
  const auto outputs = [&](detail::Kept kept) {
    detail::Chunk<double> chunk(model.weights, model.rotary);
    for (const auto& sequence : kSequences) chunk.add(sequence);
    chunk.forward(kept);
    return std::vector<double>(chunk.output(), chunk.output() + 13 * 10);
  };
  using enum detail::Kept;
  CHECK(outputs(nothing) == outputs(all));
  CHECK(outputs(inputs) == outputs(all));
}
