#include "dualagent/model/config_json.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"
#include "support/warnings.hpp"

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
  CHECK_NOTHROW(parse(config_with("something_new", "{\"a\": [1, 2]}")));
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
               ContainsSubstring("hidden_size must be"));
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

TEST_CASE("features that change the mathematics are refused with a remedy",
          "[model][config_json]") {
  const auto refused = [](const std::string& key, const std::string& value) {
    return error_of_config(config_with(key, value));
  };
  CHECK_THAT(refused("model_type", "\"qwen2\""),
             ContainsSubstring("model_type = qwen2 is not supported"));
  CHECK_THAT(refused("hidden_act", "\"gelu\""), ContainsSubstring("hidden_act = gelu"));
  CHECK_THAT(refused("attention_bias", "true"), ContainsSubstring("attention_bias = true"));
  CHECK_THAT(refused("mlp_bias", "true"), ContainsSubstring("mlp_bias = true"));
  CHECK_THAT(refused("attention_dropout", "0.1"), ContainsSubstring("attention_dropout"));
  CHECK_THAT(refused("partial_rotary_factor", "0.5"), ContainsSubstring("partial_rotary_factor"));
  CHECK_THAT(refused("quantization_config", "{\"bits\": 4}"),
             ContainsSubstring("quantization_config"));
  CHECK_THAT(refused("rope_scaling", R"({"rope_type": "llama3", "factor": 32.0})"),
             ContainsSubstring("rope_scaling.rope_type = llama3"));
  CHECK_THAT(refused("rope_scaling", R"({"type": "linear", "factor": 2.0})"),
             ContainsSubstring("rope_scaling.type = linear"));
  CHECK_THAT(refused("rope_scaling", R"({"factor": 2.0})"),
             ContainsSubstring("rope_scaling.factor"));
  CHECK_THAT(refused("rope_scaling", "2"), ContainsSubstring("not a JSON object"));
  CHECK_THAT(refused("mlp_bias", "true"), ContainsSubstring("Use a plain Llama model"));
}

TEST_CASE("rope_parameters of newer files are understood", "[model][config_json]") {
  std::string text = without("rope_theta");
  text.insert(1, R"("rope_parameters": {"rope_type": "default", "rope_theta": 1000000},)");
  CHECK(parse_config_json(text, "t").rope_theta == Approx(1e6));
  CHECK_THAT(error_of_config(config_with("rope_parameters", R"({"rope_theta": 7.0})")),
             ContainsSubstring("contradict"));
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

TEST_CASE("a misspelt entry is refused, an unknown one is ignored with a warning",
          "[model][config_json]") {
  Warnings warnings;
  CHECK(error_of_config(config_with("atention_dropout", "0.1")) ==
        "atention_dropout is not an entry of a model's shape; did you mean attention_dropout? "
        "(config.json). Correct the name, or remove the entry");
  CHECK_THAT(error_of_config(config_with("rope_teta", "10000.0")), ContainsSubstring("rope_theta"));
  CHECK_THAT(error_of_config(without("hidden_size").replace(1, 0, "\"hiden_size\": 64, ")),
             ContainsSubstring("hidden_size is missing; it has \"hiden_size\""));
  CHECK(warnings.count() == 0);
  CHECK(parse_config_json(config_with("sliding_window", "64"), "c.json").hidden_size == 64);
  CHECK(warnings.text() == "entries that nobody reads were ignored: sliding_window (c.json)\n");
  parse_config_json(config_with("sliding_window", "null"), "c.json");
  parse_config_json(config_with("transformers_version", "\"4.50.0\""), "c.json");
  CHECK(warnings.count() == 1);
}

TEST_CASE("a model that Llama's config.json cannot describe is not written as one",
          "[model][config_json]") {
  TransformerConfig config = parse_config_json(config_with(), "t");
  config.qkv_bias = true;
  CHECK_THROWS_WITH(to_config_json(config), ContainsSubstring("qkv_bias"));
  config.qkv_bias = false;
  CHECK_NOTHROW(to_config_json(config));
  config.qk_norm = true;
  CHECK_THROWS_WITH(to_config_json(config), ContainsSubstring("qk_norm"));
}
