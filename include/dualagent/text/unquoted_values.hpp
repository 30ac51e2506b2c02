#pragma once

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/text/json_kinds.hpp"
#include "dualagent/text/json_text.hpp"
#include "dualagent/text/tool_spec.hpp"

namespace dualagent {

/// Values of arguments in call formats that write them without quotes (Qwen3-Coder, GLM-4.5), so
/// that their types are not in the text but in the tools' schemas.
///
/// A value is the JSON value that it spells, if the argument's schema admits a value of that type,
/// else a text if it admits one; where it admits texts alone (and null), what is said is the text.
/// True, FALSE, None and their like are read as Python's, which these models write.
/// Example: UnquotedValues::of(box.specs()).read("add", "x", "1") == "1".
struct UnquotedValues {
  /// By tool and argument, the types that the argument's schema admits; any where none is said.
  std::map<std::pair<std::string, std::string>, JsonKinds> kinds = {};

  /// Errors: Error if a tool's schema is not a JSON object.
  static UnquotedValues of(std::span<const ToolSpec> tools);

  /// What is said of an argument, as JSON. `said` is valid UTF-8.
  std::string read(const std::string& tool, const std::string& argument,
                   std::string_view said) const;

  /// A JSON value as it is said: a text without quotes where that is read back as the text, else
  /// JSON, whose '<' are escaped if one of the format's `tags` stands in it.
  /// Errors: Error for a value that cannot be said so; `where` names the call.
  std::string write(const std::string& tool, const std::string& argument, std::string_view json,
                    std::span<const std::string_view> tags, const std::string& where) const;

 private:
  JsonKinds kinds_of(const std::string& tool, const std::string& argument) const {
    const auto found = kinds.find({tool, argument});
    return found == kinds.end() ? JsonKinds::any : found->second;
  }

  /// The JSON value that a text spells, as JSON or as a word of Python; empty if none.
  static std::string_view spelled_json(std::string_view said);

  static bool equal_without_case(std::string_view a, std::string_view b);

  static std::string read_as(JsonKinds kinds, std::string_view said);
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/unquoted_values.inl"
#endif
