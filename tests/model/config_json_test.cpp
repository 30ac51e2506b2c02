#include "dualagent/model/config_json.hpp"

#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

/// A small Llama configuration as Hugging Face writes it, with an entry replaced or appended.
std::string config_with(const std::string& key = "", const std::string& value = "") {
  std::vector<std::pair<std::string, std::string>> entries{
      {"architectures", "[\"LlamaForCausalLM\"]"},
      {"attention_bias", "false"},
      {"attention_dropout", "0.0"},
      {"bos_token_id", "1"},
      {"hidden_act", "\"silu\""},
      {"hidden_size", "64"},
      {"intermediate_size", "176"},
      {"max_position_embeddings", "512"},
      {"model_type", "\"llama\""},
      {"num_attention_heads", "4"},
      {"num_hidden_layers", "3"},
      {"num_key_value_heads", "2"},
      {"rms_norm_eps", "1e-05"},
      {"rope_scaling", "null"},
      {"rope_theta", "500000.0"},
      {"tie_word_embeddings", "true"},
      {"use_cache", "true"},
      {"vocab_size", "97"}};
  bool replaced = key.empty();
  std::string text;
  for (auto& [name, old] : entries) {
    if (name == key) replaced = true;
    const std::string& shown = name == key ? value : old;
    if (!shown.empty()) text += (text.empty() ? "{\"" : ",\"") + name + "\": " + shown;
  }
  if (!replaced) text += ",\"" + key + "\": " + value;
  return text + "}";
}

std::string without(const std::string& key) { return config_with(key, ""); }

std::string error_of_config(const std::string& text) {
  return error_of([&] { parse_config_json(text, "config.json"); });
}

}  // namespace

TEST_CASE("a Hugging Face configuration is read", "[model][config_json]") {
  const TransformerConfig config = parse_config_json(config_with(), "config.json");
  CHECK(config.vocab_size == 97);
  CHECK(config.hidden_size == 64);
  CHECK(config.intermediate_size == 176);
  CHECK(config.num_hidden_layers == 3);
  CHECK(config.num_attention_heads == 4);
  CHECK(config.num_key_value_heads == 2);
  CHECK(config.head_dim == 16);
  CHECK(config.max_position_embeddings == 512);
  CHECK(config.rope_theta == Approx(500'000.0));
  CHECK(config.rms_norm_eps == Approx(1e-5));
  CHECK(config.tie_word_embeddings);
}

TEST_CASE("documented defaults are taken for missing and for null entries",
          "[model][config_json]") {
  const auto parse = [](const std::string& text) { return parse_config_json(text, "t"); };
  CHECK(parse(without("num_key_value_heads")).num_key_value_heads == 4);
  CHECK(parse(config_with("num_key_value_heads", "null")).num_key_value_heads == 4);
  CHECK(parse(without("rope_theta")).rope_theta == Approx(10'000.0));
  CHECK_FALSE(parse(without("tie_word_embeddings")).tie_word_embeddings);
  CHECK(parse(config_with("head_dim", "null")).head_dim == 16);
  CHECK(parse(config_with("head_dim", "32")).head_dim == 32);
  CHECK_NOTHROW(parse(without("hidden_act")));
  CHECK_NOTHROW(parse(without("attention_bias")));
}

TEST_CASE("missing sizes are errors that name the entry", "[model][config_json]") {
  for (const std::string key :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "max_position_embeddings", "rms_norm_eps", "model_type"})
    CHECK_THAT(error_of_config(without(key)),
               ContainsSubstring(key + " is missing") && ContainsSubstring("config.json"));
}

TEST_CASE("wrong types and impossible numbers are errors that name the entry",
          "[model][config_json]") {
  for (const std::string value :
       {"0", "-1", "1.5", "64.0", "\"64\"", "[64]", "true", "2147483648", "18446744073709551616"})
    CHECK_THAT(error_of_config(config_with("hidden_size", value)),
               ContainsSubstring("hidden_size is ") &&
                   ContainsSubstring("not a whole number from 1 to 2147483647"));
  for (const std::string value : {"0", "-1e-5", "\"1e-5\"", "false"})
    CHECK_THAT(error_of_config(config_with("rms_norm_eps", value)),
               ContainsSubstring("rms_norm_eps must be"));
  CHECK_THAT(error_of_config(config_with("rope_theta", "-1")),
             ContainsSubstring("rope_theta must be"));
  CHECK_THAT(error_of_config(config_with("tie_word_embeddings", "1")),
             ContainsSubstring("true or false"));
  CHECK_THAT(error_of_config(config_with("model_type", "1")),
             ContainsSubstring("must be a string"));
  CHECK_THAT(error_of_config("[]"), ContainsSubstring("not a JSON object"));
  CHECK_THAT(error_of_config("{"), ContainsSubstring("not valid JSON"));
  const std::string whole = config_with("tie_word_embeddings", "true");
  CHECK_THAT(error_of_config(whole + '\0' + whole), ContainsSubstring("is NUL"));
}

TEST_CASE("features that change the mathematics are refused with entry and value",
          "[model][config_json]") {
  struct Refused {
    std::string key, value, shown;
  };
  const std::vector<Refused> refused{
      {"model_type", "\"gemma2\"", "model_type = gemma2"},
      {"model_type", "\"qwen3_moe\"", "model_type = qwen3_moe"},
      {"architectures", "[\"LlamaForSequenceClassification\"]", "LlamaForSequenceClassification"},
      {"architectures", "[\"Qwen2ForCausalLM\"]", "architectures = [\"Qwen2ForCausalLM\"]"},
      {"hidden_act", "\"gelu\"", "hidden_act = gelu"},
      {"attention_bias", "true", "attention_bias = true"},
      {"mlp_bias", "true", "mlp_bias = true"},
      {"attention_dropout", "0.1", "attention_dropout = 0.1"},
      {"partial_rotary_factor", "0.5", "partial_rotary_factor = 0.5"},
      {"quantization_config", "{\"bits\": 4}", "quantization_config = {\"bits\":4}"},
      {"auto_map", "{\"AutoModel\": \"own.Model\"}", "auto_map = "},
      {"sliding_window", "511", "sliding_window = 511"},
      {"use_sliding_window", "true", "use_sliding_window = true"},
      {"num_experts", "8", "num_experts = 8 is not known"},
      {"num_local_experts", "8", "num_local_experts = 8 is not known"},
      {"logit_scale", "0.1", "logit_scale = 0.1 is not known"},
      {"final_logit_softcapping", "30.0", "final_logit_softcapping = 30.0 is not known"},
      {"use_qk_norm", "true", "use_qk_norm = true is not known"},
      {"use_mrope", "true", "use_mrope = true"},
      {"no_rope_layers", "[1, 0, 1]", "no_rope_layers = [1,0,1] is not known"},
      {"rope_scaling", R"({"type": "dynamic", "factor": 2.0})", "rope_scaling.type = dynamic"},
      {"rope_scaling", R"({"rope_type": "yarn", "factor": 2.0})", "rope_scaling.rope_type = yarn"},
      {"rope_scaling", R"({"rope_type": "longrope"})", "rope_scaling.rope_type = longrope"},
      {"rope_scaling", R"({"factor": 2.0})", "factor = 2.0"},
      {"rope_scaling", R"({"type": "linear"})", "factor is missing"},
      {"rope_scaling", R"({"type": "linear", "factor": 2, "mscale": 1})",
       "mscale = 1 is not known"},
      {"rope_scaling", R"({"rope_type": "llama3", "factor": 8.0})", "low_freq_factor is missing"},
      {"rope_scaling", R"({"type": "linear", "rope_type": "llama3"})", "a type and another"},
      {"rope_scaling", "2", "not a JSON object"}};
  for (const auto& [key, value, shown] : refused) {
    INFO(key << ": " << value);
    CHECK_THAT(error_of_config(config_with(key, value)),
               ContainsSubstring(shown) && ContainsSubstring("config.json"));
  }
  CHECK_THAT(error_of_config(config_with("mlp_bias", "true")), ContainsSubstring("Use a Llama"));
}

TEST_CASE("the same entries at their neutral values are accepted", "[model][config_json]") {
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"attention_dropout", "0"},
           {"partial_rotary_factor", "1"},
           {"quantization_config", "null"},
           {"sliding_window", "512"},
           {"use_sliding_window", "false"},
           {"num_experts", "null"},
           {"use_mrope", "false"},
           {"auto_map", "{}"},
           {"transformers_version", "\"4.50.0\""},
           {"temperature", "0.6"},
           {"rope_scaling", R"({"type": "default", "factor": 1})"}}) {
    INFO(key << ": " << value);
    CHECK(error_of_config(config_with(key, value)) == "no error");
  }
}

TEST_CASE("rope_parameters of newer files and rope_scaling of older ones are understood",
          "[model][config_json]") {
  const std::string llama3 =
      R"("factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
         "original_max_position_embeddings": 8192, "rope_type": "llama3")";
  std::string newer = without("rope_theta");
  newer.insert(1, R"("rope_parameters": {"rope_theta": 500000, )" + llama3 + "},");
  const TransformerConfig config = parse_config_json(newer, "t");
  CHECK(config.rope_theta == 500'000.0);
  CHECK(config.rope_scaling == RopeScaling{.type = RopeScaling::Type::llama3,
                                           .factor = 32.0,
                                           .low_freq_factor = 1.0,
                                           .high_freq_factor = 4.0,
                                           .original_max_position_embeddings = 8192});
  const std::string older = config_with("rope_scaling", "{" + llama3 + "}");
  CHECK(parse_config_json(older, "t") == config);
  CHECK(parse_config_json(config_with("rope_scaling", R"({"type": "linear", "factor": 2})"), "t")
            .rope_scaling == RopeScaling{.type = RopeScaling::Type::linear, .factor = 2.0});
  CHECK_THAT(error_of_config(config_with("rope_parameters", R"({"rope_theta": 7.0})")),
             ContainsSubstring("contradict"));
  std::string both = older;
  both.insert(1, R"("rope_parameters": {"rope_theta": 500000, "rope_type": "default"},)");
  CHECK_THAT(error_of_config(both), ContainsSubstring("and rope_scaling contradict"));
  CHECK_THAT(error_of_config(config_with("rope_parameters", R"({"rope_type": "yarn"})")),
             ContainsSubstring("rope_parameters.rope_type = yarn"));
}

TEST_CASE("sizes that do not fit each other are refused", "[model][config_json]") {
  CHECK_THAT(error_of_config(config_with("num_key_value_heads", "3")),
             ContainsSubstring("not a multiple"));
  CHECK_THAT(error_of_config(config_with("hidden_size", "66")),
             ContainsSubstring("head_dim is missing"));
  CHECK_THAT(error_of_config(config_with("head_dim", "15")), ContainsSubstring("even head_dim"));
  CHECK_THAT(error_of_config(config_with("hidden_size", "2147483640")), ContainsSubstring("10^13"));
}

TEST_CASE("a configuration survives being written and read", "[model][config_json]") {
  TransformerConfig config;
  config.vocab_size = 31;
  config.hidden_size = 24;
  config.intermediate_size = 40;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 6;
  config.num_key_value_heads = 3;
  config.head_dim = 8;
  config.max_position_embeddings = 300;
  config.rope_theta = 12345.678F;
  config.rms_norm_eps = 1e-6F;
  config.tie_word_embeddings = true;
  config.value_head = true;
  const TemporaryFolder folder;
  write_config_json(folder / "config.json", config);
  const TransformerConfig read = read_config_json(folder / "config.json");
  CHECK(read.vocab_size == 31);
  CHECK(read.hidden_size == 24);
  CHECK(read.intermediate_size == 40);
  CHECK(read.num_hidden_layers == 2);
  CHECK(read.num_attention_heads == 6);
  CHECK(read.num_key_value_heads == 3);
  CHECK(read.head_dim == 8);
  CHECK(read.max_position_embeddings == 300);
  CHECK(read.rope_theta == config.rope_theta);
  CHECK(read.rms_norm_eps == config.rms_norm_eps);
  CHECK(read.tie_word_embeddings);
  CHECK(read.value_head);
}

TEST_CASE("a written configuration carries what Hugging Face needs", "[model][config_json]") {
  const std::string text = to_config_json(parse_config_json(config_with(), "t"), "bfloat16");
  const nlohmann::json json = parse_json(text, "config.json", "Write it again");
  CHECK(json["architectures"][0] == "LlamaForCausalLM");
  CHECK(json["model_type"] == "llama");
  CHECK(json["hidden_act"] == "silu");
  CHECK(json["torch_dtype"] == "bfloat16");
  CHECK(json["rms_norm_eps"].get<double>() == Approx(1e-5));
  CHECK_FALSE(json.contains("value_head"));  // ours: only where there is one
}

TEST_CASE("a misspelt entry and an unknown one are refused", "[model][config_json]") {
  CHECK(error_of_config(config_with("atention_dropout", "0.1")) ==
        "atention_dropout is not an entry of a model's shape; did you mean attention_dropout? "
        "(config.json). Correct the name, or remove the entry");
  CHECK_THAT(error_of_config(config_with("rope_teta", "10000.0")), ContainsSubstring("rope_theta"));
  CHECK_THAT(error_of_config(without("hidden_size").replace(1, 0, "\"hiden_size\": 64, ")),
             ContainsSubstring("hidden_size is missing; it has \"hiden_size\""));
  CHECK(error_of_config(config_with("something_new", "{\"a\": [1, 2]}")) ==
        "something_new = {\"a\":[1,2]} is not known, and might change the results (config.json). "
        "Remove the entry if the model computes the same without it");
  CHECK_THAT(error_of_config(config_with("long", "\"" + std::string(500, 'x') + "\"")),
             ContainsSubstring(std::string(80, 'x') + "... is not known"));
}

TEST_CASE("each family is written under its own name and reads back the same",
          "[model][config_json]") {
  TransformerConfig config = parse_config_json(config_with(), "t");
  const auto written = [&] { return parse_json(to_config_json(config), "t", "Write it again"); };
  CHECK(written()["model_type"] == "llama");
  config.rope_scaling = {.type = RopeScaling::Type::llama3, .factor = 32.0};
  CHECK(written()["rope_scaling"]["rope_type"] == "llama3");
  CHECK(parse_config_json(to_config_json(config), "t") == config);
  config.rope_scaling = {.type = RopeScaling::Type::linear, .factor = 4.0};
  CHECK(parse_config_json(to_config_json(config), "t") == config);
  config.qkv_bias = true;
  CHECK(written()["model_type"] == "qwen2");
  CHECK(written()["architectures"][0] == "Qwen2ForCausalLM");
  CHECK(parse_config_json(to_config_json(config), "t") == config);
  config.qk_norm = true;
  CHECK_THROWS_WITH(to_config_json(config), ContainsSubstring("both qkv_bias and qk_norm"));
  config.qkv_bias = false;
  CHECK(written()["model_type"] == "qwen3");
  CHECK(parse_config_json(to_config_json(config), "t") == config);
}

TEST_CASE("the source's entries are carried over and only what changed is replaced",
          "[model][config_json]") {
  const std::string source =
      "{\"dtype\": \"float32\", \"eos_token_id\": [2, 5]," + config_with().substr(1);
  TransformerConfig config = parse_config_json(source, "t");
  CHECK(to_config_json(config, "float32", source, "t") == source);
  config.max_position_embeddings = 256;
  config.value_head = true;
  auto expected = parse_json(source, "t", "");
  expected["dtype"] = "bfloat16";
  expected["max_position_embeddings"] = 256;
  expected["value_head"] = true;
  CHECK(parse_json(to_config_json(config, "bfloat16", source, "t"), "t", "") == expected);
  const auto older = parse_json(to_config_json(config, "float16", config_with(), "t"), "t", "");
  CHECK(older["torch_dtype"] == "float16");
  CHECK_FALSE(older.contains("dtype"));

  config.hidden_size = 128;
  CHECK_THAT(error_of([&] { to_config_json(config, "float32", source, "from/config.json"); }),
             ContainsSubstring("differs in hidden_size: 128 here, 64 there") &&
                 ContainsSubstring("from/config.json"));
  config = parse_config_json(source, "t");
  config.qkv_bias = true;
  CHECK_THAT(error_of([&] { to_config_json(config, "float32", source, "t"); }),
             ContainsSubstring("biases"));
}
