#pragma once

/// Definitions of generation_config.hpp; see core/compiled.hpp.

#include "dualagent/model/generation_config.hpp"

namespace dualagent::detail {

/// Reads the entries of one generation_config.json; nothing for those that are missing.
class GenerationConfigReader : public ConfigReader {
 public:
  GenerationConfigReader(const nlohmann::json& object, std::string where)
      : ConfigReader(object, std::move(where), "generation configuration",
                     "Fetch the model's file again, or correct the entry") {}

  std::optional<std::size_t> count(const std::string& key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    return whole(key, *value);
  }
  std::optional<Token> token(const std::string& key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    return static_cast<Token>(whole(key, *value));
  }
  /// One token or a list of them.
  std::vector<Token> tokens(const std::string& key) const {
    std::vector<Token> result;
    const nlohmann::json* value = find(key);
    if (value == nullptr) return result;
    if (!value->is_array()) return {static_cast<Token>(whole(key, *value))};
    for (const nlohmann::json& entry : *value)
      result.push_back(static_cast<Token>(whole(key, entry)));
    return result;
  }
  std::optional<double> number(const std::string& key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    const double result = value->is_number() ? value->get<double>() : -1.0;
    if (!(result >= 0.0) || !std::isfinite(result)) fail(key, "must be a number of at least 0");
    return result;
  }

 private:
  std::size_t whole(const std::string& key, const nlohmann::json& value) const {
    return ConfigReader::count(key, value, {.most = 0x7FFFFFFF});
  }
};

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE GenerationConfig parse_generation_config(const std::string& text,
                                                          const std::string& where) {
  const nlohmann::json object = parse_json(text, where, "Fetch the model's file again");
  constexpr std::array<std::string_view, 2> kOfNoEffect{"transformers_version",
                                                        "_from_model_config"};
  const detail::GenerationConfigReader reader(object, where);
  GenerationConfig config;
  config.eos_token_ids = reader.tokens("eos_token_id");
  config.bos_token_id = reader.token("bos_token_id");
  config.pad_token_id = reader.token("pad_token_id");
  config.do_sample = reader.boolean("do_sample");
  config.temperature = reader.number("temperature");
  config.top_p = reader.number("top_p");
  config.min_p = reader.number("min_p");
  config.repetition_penalty = reader.number("repetition_penalty");
  config.top_k = reader.count("top_k");
  config.max_new_tokens = reader.count("max_new_tokens");
  config.max_length = reader.count("max_length");
  config.unread = reader.unread(kOfNoEffect);
  return config;
}

DUALAGENT_INLINE GenerationConfig load_generation_config(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / "generation_config.json";
  if (detail::is_there(file)) return parse_generation_config(read_file(file), file.string());
  const std::filesystem::path config = directory / "config.json";
  GenerationConfig read = parse_generation_config(read_file(config), config.string());
  read.unread.clear();  // the model's shape
  return read;
}

}  // namespace dualagent
