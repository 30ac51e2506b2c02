#include "dualagent/model/transformer_weights.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

TransformerConfig shape(bool tied) {
  return {.vocab_size = 11,
          .hidden_size = 6,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .head_dim = 2,
          .intermediate_size = 5,
          .max_position_embeddings = 16,
          .tie_word_embeddings = tied};
}

/// Sample mean and standard deviation.
struct Moments {
  double mean = 0, deviation = 0;
};
template <class Values>
Moments moments(const Values& values) {
  Moments m;
  for (const double value : values) m.mean += value / static_cast<double>(values.size());
  for (const double value : values)
    m.deviation += (value - m.mean) * (value - m.mean) / static_cast<double>(values.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

}  // namespace

TEST_CASE("tensors have Hugging Face's names and shapes, one after another", "[model][weights]") {
  const TransformerWeights<float> weights(shape(false));
  struct Expected {
    std::string name;
    std::vector<std::size_t> shape;
  };
  std::vector<Expected> expected{{"model.embed_tokens.weight", {11, 6}}};
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    expected.push_back({layer + "input_layernorm.weight", {6}});
    expected.push_back({layer + "self_attn.q_proj.weight", {8, 6}});
    expected.push_back({layer + "self_attn.k_proj.weight", {4, 6}});
    expected.push_back({layer + "self_attn.v_proj.weight", {4, 6}});
    expected.push_back({layer + "self_attn.o_proj.weight", {6, 8}});
    expected.push_back({layer + "post_attention_layernorm.weight", {6}});
    expected.push_back({layer + "mlp.gate_proj.weight", {5, 6}});
    expected.push_back({layer + "mlp.up_proj.weight", {5, 6}});
    expected.push_back({layer + "mlp.down_proj.weight", {6, 5}});
  }
  expected.push_back({"model.norm.weight", {6}});
  expected.push_back({"lm_head.weight", {11, 6}});
  REQUIRE(weights.tensors().size() == expected.size());
  std::size_t offset = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const TensorInfo& tensor = weights.tensors()[i];
    INFO(expected[i].name);
    CHECK(tensor.name == expected[i].name);
    CHECK(tensor.shape == expected[i].shape);
    CHECK(tensor.offset == offset);
    std::size_t size = 1;
    for (const std::size_t extent : expected[i].shape) size *= extent;
    CHECK(tensor.size == size);
    offset += size;
  }
  CHECK(weights.parameters().size() == offset);
  // 66 + 2 (6 + 48 + 24 + 24 + 48 + 6 + 30 + 30 + 30) + 6 + 66
  CHECK(offset == 630);
}

TEST_CASE("a tied head is the embedding and takes no room", "[model][weights]") {
  const TransformerWeights<float> tied(shape(true));
  CHECK(tied.parameters().size() == 630 - 66);
  CHECK(tied.head() == tied.embedding());
  CHECK(tied.tensors().back().name == "model.norm.weight");
  const TransformerWeights<float> untied(shape(false));
  CHECK(untied.head() != untied.embedding());
}

TEMPLATE_TEST_CASE("refresh puts the transpose of every matrix into panels padded with zeros",
                   "[model][weights]", float, double) {
  using T = TestType;
  TransformerWeights<T> weights(shape(false));
  for (std::size_t i = 0; i < weights.parameters().size(); ++i)
    weights.parameters()[i] = static_cast<T>(i + 1);
  weights.refresh();
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  const auto is_transposed = [&](std::size_t offset, std::size_t out, std::size_t in,
                                 const Panels<T>& panels) {
    std::size_t wrong = panels.rows != in || panels.columns != out || panels.stride != in * kLanes;
    for (std::size_t c = 0; c < in; ++c)
      for (std::size_t r = 0; r < kernels::padded<T>(out); ++r)
        wrong += panels.data[r / kLanes * in * kLanes + c * kLanes + r % kLanes] !=
                 (r < out ? static_cast<T>(offset + r * in + c + 1) : T{0});
    return wrong == 0;
  };
  for (std::size_t l = 0; l < 2; ++l) {
    const LayerOffsets& at = weights.layer(l);
    const auto& transposed = weights.transposed(l);
    CHECK(is_transposed(at.qkv, 16, 6, transposed.qkv.panels()));
    CHECK(is_transposed(at.output, 6, 8, transposed.output.panels()));
    CHECK(is_transposed(at.gate_up, 10, 6, transposed.gate_up.panels()));
    CHECK(is_transposed(at.down, 6, 5, transposed.down.panels()));
  }
  CHECK(weights.vocab_padded() == kernels::padded<T>(11));
  CHECK(is_transposed(weights.head(), 11, 6, weights.transposed_head()));
}

TEST_CASE("initial weights are a function of the seed and have the usual scales",
          "[model][weights]") {
  TransformerConfig config = shape(false);
  config.vocab_size = 200;
  config.hidden_size = 64;
  config.intermediate_size = 100;
  config.head_dim = 16;
  TransformerWeights<double> weights(config);
  weights.initialise(7);
  const auto same = [&](std::uint64_t seed) {
    TransformerWeights<double> other(config);
    other.initialise(seed);
    return std::equal(other.parameters().begin(), other.parameters().end(),
                      weights.parameters().begin());
  };
  CHECK(same(7));
  CHECK_FALSE(same(8));
  // in^-1/2; residual outputs are divided by sqrt(2 layers) = 2, the head by 2.
  const std::vector<std::pair<std::string, double>> scales{
      {"embed_tokens", 0.1}, {"q_proj", 1.0 / 8},     {"k_proj", 1.0 / 8},
      {"v_proj", 1.0 / 8},   {"o_proj", 1.0 / 16},    {"gate", 1.0 / 8},
      {"up_proj", 1.0 / 8},  {"down_proj", 1.0 / 20}, {"lm_head", 1.0 / 16}};
  std::size_t matrices = 0;
  for (const TensorInfo& tensor : weights.tensors()) {
    const auto values = weights.parameters().subspan(tensor.offset, tensor.size);
    INFO(tensor.name);
    if (tensor.shape.size() == 1) {
      CHECK(std::all_of(values.begin(), values.end(), [](double v) { return v == 1.0; }));
      continue;
    }
    for (const auto& [part, scale] : scales) {
      if (tensor.name.find(part) == std::string::npos) continue;
      ++matrices;
      const double error = 5.0 / std::sqrt(static_cast<double>(tensor.size));  // 5 sigma
      CHECK(std::abs(moments(values).mean) < error * scale);
      CHECK(moments(values).deviation == Approx(scale).epsilon(error));
    }
  }
  CHECK(matrices == 16);
}

TEST_CASE("an impossible shape gets no weights", "[model][weights]") {
  TransformerConfig config = shape(false);
  config.head_dim = 3;
  CHECK_THROWS_WITH(TransformerWeights<float>(config), ContainsSubstring("head_dim"));
}
