#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/spelling.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/text/known_templates.hpp"

namespace dualagent {

/// The dialect of a checkpoint, chosen by its files or by name: a ChatDialect like any other, that
/// also says which one it is.
template <class Text>
struct KnownDialect : ChatDialect<Text, AnyChatTemplate, AnyCallFormat> {
  std::string name;    ///< of the template, e.g. "qwen3"
  std::string reason;  ///< why this one, for people
};

namespace detail {

inline constexpr std::string_view kComposeByHand =
    "Name a template that writes the same (dialect_named), or compose a ChatDialect: see "
    "docs/dialects.md#a-dialect-for-a-checkpoint";

/// A Jinja text of a checkpoint, and where it stands.
struct JinjaFound {
  std::string text;
  std::string file;
};

/// The file's JSON; null where there is no such file.
nlohmann::json tokenizer_config_of(const std::filesystem::path& folder);

/// chat_template.jinja comes before "chat_template" in tokenizer_config.json, as in transformers.
JinjaFound find_jinja(const std::filesystem::path& folder, const nlohmann::json& config,
                      bool tools);

/// The names of the known templates that `fits` takes, with commas.
template <class Fits>
std::string template_names(const Fits& fits) {
  std::string names;
  for (const KnownTemplate& known : known_templates())
    if (fits(known)) (names += names.empty() ? "" : ", ") += known.name;
  return names;
}

const KnownTemplate& recognize(const JinjaFound& jinja);

/// Errors: Error if the template writes another first token than the checkpoint's own would.
void check_first_token(const KnownTemplate& known, const nlohmann::json& config,
                       const std::filesystem::path& folder);

template <class Text>
KnownDialect<Text> make_known_dialect(const KnownTemplate& known, Text tokenizer,
                                      const DialectOptions& options, std::string reason) {
  if (known.thoughts == KnownTemplate::Thoughts::always && options.thinking == Thinking::off)
    throw Error("models of the chat template '" + std::string(known.name) + "' always think",
                "DialectOptions::thinking", "Leave it on");
  return {{std::move(tokenizer), known.chat(options), known.calls(options), options.chat},
          std::string(known.name),
          std::move(reason)};
}

}  // namespace detail

/// The dialect of a template that is known by name: "chatml", "qwen2.5", "llama3.2" and so on, see
/// docs/dialects.md#a-dialect-for-a-checkpoint.
///
/// Errors: Error for an unknown name, which lists the known ones; for a model that always thinks
/// where it is not to; and those of ChatDialect.
/// Example: auto dialect = dialect_named("qwen3", tokenizer, {.chat = {.tools = box.specs()}});
template <class Text>
KnownDialect<Text> dialect_named(std::string_view name, Text tokenizer,
                                 const DialectOptions& options = {}) {
  if (const KnownTemplate* known = known_template(name))
    return detail::make_known_dialect(*known, std::move(tokenizer), options,
                                      "named by the program");
  throw Error("no chat template is named '" + printable(name) + "'; known are " +
                  detail::template_names([](const KnownTemplate&) { return true; }),
              "dialect_named", std::string(detail::kComposeByHand));
}

/// The dialect of a checkpoint in the format of Hugging Face: its chat template is recognised by
/// the SHA-256 of its Jinja text, which is not run, and must be one that is implemented here.
///
/// Reads chat_template.jinja, or "chat_template" in tokenizer_config.json, and "bos_token" there.
/// `tokenizer` is the checkpoint's.
/// Errors: Error that names the file for a folder without a template, a template that is not known
/// (with its digest and the known ones like it), a first token that is not the template's; and
/// those of dialect_named.
/// Example: auto dialect = dialect_for("Qwen3-0.6B", tokenizer, {.chat = {.tools = box.specs()}});
///          std::cout << dialect.name << ": " << dialect.reason << '\n';
template <class Text>
KnownDialect<Text> dialect_for(const std::filesystem::path& folder, Text tokenizer,
                               const DialectOptions& options = {}) {
  const nlohmann::json config = detail::tokenizer_config_of(folder);
  const detail::JinjaFound jinja = detail::find_jinja(folder, config, !options.chat.tools.empty());
  const KnownTemplate& known = detail::recognize(jinja);
  detail::check_first_token(known, config, folder);
  return detail::make_known_dialect(known, std::move(tokenizer), options,
                                    "the chat template in " + jinja.file + " is that of " +
                                        std::string(known.models) + " (SHA-256 " +
                                        chat_template_digest(jinja.text) + ")");
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/dialect_for.inl"
#endif
