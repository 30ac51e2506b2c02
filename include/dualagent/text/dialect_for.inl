#pragma once

/// Definitions of dialect_for.hpp; see core/compiled.hpp.

#include "dualagent/text/dialect_for.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE nlohmann::json tokenizer_config_of(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (!is_there(path)) return nullptr;
  return parse_json(read_file(path), path.string(), "Fetch the file again");
}

/// The template of the name "default", or "tool_use" where tools are given and it exists, as
/// transformers chooses; null: there is neither.
inline nlohmann::json choose_listed_template(const nlohmann::json& list, bool tools) {
  const auto named = [&](const char* name) -> nlohmann::json {
    for (const nlohmann::json& entry : list)
      if (entry.is_object() && entry.value("name", nlohmann::json()) == name)
        return entry.value("template", nlohmann::json());
    return nullptr;
  };
  const nlohmann::json for_tools = tools ? named("tool_use") : nlohmann::json();
  return for_tools.is_null() ? named("default") : for_tools;
}

DUALAGENT_INLINE JinjaFound find_jinja(const std::filesystem::path& folder,
                                       const nlohmann::json& config, bool tools) {
  const std::filesystem::path own = folder / "chat_template.jinja";
  if (is_there(own)) return {read_file(own), own.string()};
  const std::string file = (folder / "tokenizer_config.json").string();
  if (!config.is_object() || !config.contains("chat_template"))
    throw Error(
        "the checkpoint has no chat template: neither chat_template.jinja nor "
        "\"chat_template\" in tokenizer_config.json",
        folder.string(), std::string(kComposeByHand));
  nlohmann::json found = config.at("chat_template");
  if (found.is_array()) found = choose_listed_template(found, tools);
  if (!found.is_string())
    throw Error("\"chat_template\" is neither a text nor a list with a text named \"default\"",
                file, std::string(kComposeByHand));
  return {found.get<std::string>(), file};
}

/// For the error about an unknown template: the known ones whose mark it holds.
inline std::string near_templates(std::string_view jinja) {
  const std::string names = template_names(
      [&](const KnownTemplate& known) { return jinja.find(known.mark) != std::string_view::npos; });
  return names.empty() ? "; no known template is like it"
                       : "; known templates with the same tokens: " + names;
}

DUALAGENT_INLINE const KnownTemplate& recognize(const JinjaFound& jinja) {
  if (const KnownTemplate* known = recognized_template(jinja.text)) return *known;
  throw Error("the chat template with SHA-256 " + chat_template_digest(jinja.text) +
                  " is not known" + near_templates(jinja.text),
              jinja.file, std::string(kComposeByHand));
}

DUALAGENT_INLINE void check_first_token(const KnownTemplate& known, const nlohmann::json& config,
                                        const std::filesystem::path& folder) {
  if (known.bos.empty()) return;
  nlohmann::json token = config.is_object() ? config.value("bos_token", nlohmann::json()) : nullptr;
  if (token.is_object()) token = token.value("content", nlohmann::json());
  if (token == known.bos) return;
  throw Error("the chat template '" + std::string(known.name) + "' begins with " +
                  std::string(known.bos) + ", but \"bos_token\" is " + printable(token.dump()),
              (folder / "tokenizer_config.json").string(), std::string(kComposeByHand));
}

}  // namespace dualagent::detail
