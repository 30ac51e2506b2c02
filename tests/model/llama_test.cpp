#include "dualagent/model/llama.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

/// Wider than its heads together, as Qwen3-0.6B is narrower: head_dim is apart from the width.
TransformerConfig shape() {
  return {.vocab_size = 11,
          .hidden_size = 6,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .head_dim = 8,
          .intermediate_size = 5,
          .max_position_embeddings = 16};
}

std::vector<std::string> names(const std::vector<DescribedTensor>& tensors) {
  std::vector<std::string> result;
  for (const DescribedTensor& tensor : tensors) {
    result.push_back(tensor.name);
    for (const std::size_t extent : shape_of(tensor.role, shape()))
      result.back() += " " + std::to_string(extent);
  }
  return result;
}

}  // namespace

TEST_CASE("a Llama's description has Hugging Face's names and shapes", "[model][architecture]") {
  const Architecture model = llama(shape());
  CHECK(names(model.before) == std::vector<std::string>{"model.embed_tokens.weight 11 6"});
  CHECK(model.layer_prefix == "model.layers.");
  CHECK(names(model.layer) ==
        std::vector<std::string>{"input_layernorm.weight 6", "self_attn.q_proj.weight 32 6",
                                 "self_attn.k_proj.weight 16 6", "self_attn.v_proj.weight 16 6",
                                 "self_attn.o_proj.weight 6 32",
                                 "post_attention_layernorm.weight 6", "mlp.gate_proj.weight 5 6",
                                 "mlp.up_proj.weight 5 6", "mlp.down_proj.weight 6 5"});
  CHECK(names(model.after) ==
        std::vector<std::string>{"model.norm.weight 6", "lm_head.weight 11 6"});
}

TEST_CASE("what differs in Qwen2 and Qwen3 is a few tensors more", "[model][architecture]") {
  const std::vector<std::string> plain = names(llama(shape()).layer);
  const auto added = [&](const TransformerConfig& config) {
    const std::vector<std::string> all = names(llama(config).layer);
    std::set<std::string> more(all.begin(), all.end());
    for (const std::string& name : plain) CHECK(more.erase(name) == 1);
    return more;
  };
  TransformerConfig qwen2 = shape();
  qwen2.qkv_bias = true;
  CHECK(added(qwen2) == std::set<std::string>{"self_attn.q_proj.bias 32",
                                              "self_attn.k_proj.bias 16",
                                              "self_attn.v_proj.bias 16"});
  TransformerConfig qwen3 = shape();
  qwen3.qk_norm = true;
  CHECK(added(qwen3) ==
        std::set<std::string>{"self_attn.q_norm.weight 8", "self_attn.k_norm.weight 8"});
  TransformerConfig critic = shape();
  critic.tie_word_embeddings = critic.value_head = true;
  CHECK(names(llama(critic).after) ==
        std::vector<std::string>{"model.norm.weight 6", "value_head.weight 1 6"});
}

TEST_CASE("a Llama has no sliding window", "[model][family]") {
  const auto problem = [](const char* text) {
    const nlohmann::json object = nlohmann::json::parse(text);
    const detail::ConfigReader reader(object, "config.json");
    TransformerConfig config = shape();
    return error_of([&] { kLlama.read(reader, config); });
  };
  CHECK(kLlama.class_name == "LlamaForCausalLM");
  CHECK(problem("{}") == "no error");
  CHECK(problem(R"({"sliding_window": 16})") == "no error");
  CHECK_THAT(problem(R"({"sliding_window": 15})"), ContainsSubstring("sliding_window = 15"));
}
