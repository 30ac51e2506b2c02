#include "dualagent/model/architecture.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "dualagent/model/llama.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("every role of a tensor has a name of its own", "[model][architecture]") {
  std::set<std::string> names;
  for (std::size_t role = 0; role <= static_cast<std::size_t>(TensorRole::value_head); ++role)
    names.insert(to_string(static_cast<TensorRole>(role)));
  CHECK(names.size() == static_cast<std::size_t>(TensorRole::value_head) + 1);
  CHECK(std::string(to_string(TensorRole::embedding)) == "embedding");
  CHECK(std::string(to_string(TensorRole::key_norm)) == "key norm");
  CHECK(std::string(to_string(TensorRole::down)) == "down");
  CHECK(std::string(to_string(TensorRole::value_head)) == "value head");
}

TEST_CASE("hidden matrices are those of attention and feed-forward", "[model][architecture]") {
  using enum TensorRole;
  std::size_t hidden = 0;
  for (std::size_t role = 0; role <= static_cast<std::size_t>(value_head); ++role)
    hidden += is_hidden_matrix({"tensor", {2, 3}, 0, 6, static_cast<TensorRole>(role)}) ? 1 : 0;
  CHECK(hidden == 7);  // q, k, v, o, gate, up, down
  CHECK(is_hidden_matrix({"down", {2, 3}, 0, 6, down}));
  CHECK_FALSE(is_hidden_matrix({"down", {6}, 0, 6, down}));
  CHECK_FALSE(is_hidden_matrix({"head", {2, 3}, 0, 6, head}));
  CHECK_FALSE(is_hidden_matrix({"of a user's own model", {2, 3}, 0, 6}));
}

TEST_CASE("a tensor's shape follows from its role", "[model][architecture]") {
  const TransformerConfig config{.vocab_size = 11,
                                 .hidden_size = 6,
                                 .num_hidden_layers = 2,
                                 .num_attention_heads = 4,
                                 .num_key_value_heads = 2,
                                 .head_dim = 8,
                                 .intermediate_size = 5,
                                 .max_position_embeddings = 16};
  using Shape = std::vector<std::size_t>;
  using enum TensorRole;
  CHECK(shape_of(embedding, config) == Shape{11, 6});
  CHECK(shape_of(head, config) == Shape{11, 6});
  CHECK(shape_of(query, config) == Shape{32, 6});
  CHECK(shape_of(key, config) == Shape{16, 6});
  CHECK(shape_of(value_bias, config) == Shape{16});
  CHECK(shape_of(query_norm, config) == Shape{8});
  CHECK(shape_of(attention_output, config) == Shape{6, 32});
  CHECK(shape_of(gate, config) == Shape{5, 6});
  CHECK(shape_of(down, config) == Shape{6, 5});
  CHECK(shape_of(final_norm, config) == Shape{6});
  CHECK(shape_of(value_head, config) == Shape{1, 6});
}

TEST_CASE("a description has each tensor that the config asks for once, and no other",
          "[model][architecture]") {
  const TransformerConfig plain{.tie_word_embeddings = true};
  const auto problem = [&](const Architecture& model) {
    return error_of([&] { require_described(plain, model); });
  };
  CHECK(problem(llama(plain)) == "no error");
  Architecture model = llama(plain);
  model.before.clear();
  CHECK_THAT(problem(model), ContainsSubstring("lacks a tensor: embedding"));
  model = llama(plain);
  model.layer.push_back({TensorRole::gate, "mlp.second_gate.weight"});
  CHECK_THAT(problem(model), ContainsSubstring("too many: mlp.second_gate.weight (gate)"));
  model = llama(plain);
  model.layer.push_back({TensorRole::final_norm, "norm.weight"});  // belongs after the layers
  CHECK_THAT(problem(model), ContainsSubstring("too many: norm.weight (final norm)"));
  // A bias alone, one norm of two, a head beside a tied one, a critic that the config knows not of.
  for (const TensorRole role : {TensorRole::key_bias, TensorRole::query_norm}) {
    model = llama(plain);
    model.layer.push_back({role, "alone"});
    CHECK_THAT(problem(model), ContainsSubstring("too many: alone"));
  }
  for (const TensorRole role : {TensorRole::head, TensorRole::value_head}) {
    model = llama(plain);
    model.after.push_back({role, "more"});
    CHECK_THAT(problem(model), ContainsSubstring("too many: more"));
  }
  TransformerConfig qwen2 = plain;
  qwen2.qkv_bias = true;
  CHECK_THAT(error_of([&] { require_described(qwen2, llama(plain)); }),
             ContainsSubstring("lacks a tensor: query bias"));
}
