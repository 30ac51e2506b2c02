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

TEST_CASE("Qwen2's biases and Qwen3's norms have Hugging Face's names and places",
          "[model][weights]") {
  TransformerConfig config = shape(false);
  config.qkv_bias = config.qk_norm = true;
  TransformerWeights<double> weights(config);
  weights.initialise(1);
  std::vector<std::string> names;
  for (const TensorInfo& tensor : weights.tensors())
    if (tensor.name.starts_with("model.layers.1.") && tensor.shape.size() == 1)
      names.push_back(tensor.name.substr(15) + " " + std::to_string(tensor.size));
  CHECK(names == std::vector<std::string>{"input_layernorm.weight 6", "self_attn.q_proj.bias 8",
                                          "self_attn.k_proj.bias 4", "self_attn.v_proj.bias 4",
                                          "self_attn.q_norm.weight 2", "self_attn.k_norm.weight 2",
                                          "post_attention_layernorm.weight 6"});
  for (const TensorInfo& tensor : weights.tensors()) {
    if (tensor.shape.size() != 1) continue;
    INFO(tensor.name);
    const double expected = tensor.name.ends_with("bias") ? 0.0 : 1.0;
    for (const double value : weights.parameters().subspan(tensor.offset, tensor.size))
      CHECK(value == expected);
  }
  const LayerWeights<double>& layer = weights.layer(1);
  CHECK(layer.qkv.out() == 16);
  CHECK(layer.qkv.bias() == layer.qkv.weight() + 16 * 6);
  CHECK(layer.query_norm == *layer.qkv.bias() + 16);
  CHECK(layer.key_norm == *layer.query_norm + 2);
  CHECK_FALSE(layer.output.bias());
  CHECK_FALSE(TransformerWeights<double>(shape(false)).layer(0).query_norm);
}

TEST_CASE("a tied head is the embedding and takes no room", "[model][weights]") {
  const TransformerWeights<float> tied(shape(true));
  CHECK(tied.parameters().size() == 630 - 66);
  CHECK(tied.head().weight() == tied.embedding());
  CHECK(tied.tensors().back().name == "model.norm.weight");
  const TransformerWeights<float> untied(shape(false));
  CHECK(untied.head().weight() != untied.embedding());
}

TEMPLATE_TEST_CASE("refresh puts the transpose of every matrix into panels padded with zeros",
                   "[model][weights]", float, double) {
  using T = TestType;
  TransformerWeights<T> weights(shape(false));
  for (std::size_t i = 0; i < weights.parameters().size(); ++i)
    weights.parameters()[i] = static_cast<T>(i + 1);
  weights.refresh();
  constexpr std::size_t kLanes = kernels::kPanelLanes<T>;
  const auto is_transposed = [&](const Linear<T>& product, std::size_t out, std::size_t in) {
    const Panels<T> panels = product.transposed();
    std::size_t wrong = panels.rows != in || panels.columns != out || panels.stride != in * kLanes;
    for (std::size_t c = 0; c < in; ++c)
      for (std::size_t r = 0; r < panels_width<T>(out); ++r)
        wrong += panels.data[r / kLanes * in * kLanes + c * kLanes + r % kLanes] !=
                 (r < out ? static_cast<T>(product.weight() + r * in + c + 1) : T{0});
    return wrong == 0;
  };
  for (std::size_t l = 0; l < 2; ++l) {
    const LayerWeights<T>& layer = weights.layer(l);
    CHECK(is_transposed(layer.qkv, 16, 6));
    CHECK(is_transposed(layer.output, 6, 8));
    CHECK(is_transposed(layer.gate_up, 10, 6));
    CHECK(is_transposed(layer.down, 6, 5));
  }
  CHECK(weights.vocab_padded() == kernels::padded<T>(11));
  CHECK(is_transposed(weights.head(), 11, 6));
}

TEST_CASE("panels are kept only for a model whose products take few bytes", "[model][weights]") {
  // Two layers of 16 x 6, 6 x 8, 10 x 6 and 6 x 5, and a head of 11 x 6.
  constexpr std::size_t kBytes = (2 * (96 + 48 + 60 + 30) + 66) * sizeof(float);
  for (const std::size_t most : {kBytes, kBytes - 1}) {
    TransformerWeights<float> weights(shape(false), llama(shape(false)), most);
    CHECK(weights.product_bytes() == kBytes);
    weights.refresh();
    CHECK((weights.head().transposed().data != nullptr) == (most == kBytes));
    CHECK((weights.layer(0).qkv.transposed().data != nullptr) == (most == kBytes));
  }
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

TEST_CASE("a description that no block can be made of is refused", "[model][weights]") {
  const auto weights_of = [](const Architecture& architecture) {
    TransformerWeights<float>(shape(false), architecture);
  };
  Architecture model = llama(shape(false));
  CHECK_NOTHROW(weights_of(model));
  std::swap(model.layer[0], model.layer[2]);  // a norm between q and v
  CHECK_THROWS_WITH(weights_of(model), ContainsSubstring("k_proj.weight does not follow") ||
                                           ContainsSubstring("v_proj.weight does not follow"));
  model = llama(shape(false));
  model.layer.pop_back();
  CHECK_THROWS_WITH(weights_of(model), ContainsSubstring("lacks a tensor: down"));
}
