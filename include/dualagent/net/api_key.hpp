#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "dualagent/core/error.hpp"

namespace dualagent {

/// The key that an environment variable holds, so that it is in no file and no command line; empty
/// for an empty name. `option` names in errors where the name was given.
/// Errors: Error for what is not a name, and for a variable without a key; neither shows a key.
inline std::string read_api_key(const std::string& variable, const std::string& option) {
  if (variable.empty()) return {};
  const auto in_name = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  if (!std::all_of(variable.begin(), variable.end(), in_name))  // not shown: may be the key itself
    throw Error("this is not a name of an environment variable", option,
                "Name the variable that holds the key, e.g. JUDGE_KEY");
  const char* const value = std::getenv(variable.c_str());
  const std::string key = value == nullptr ? "" : value;
  if (key.empty() || std::any_of(key.begin(), key.end(), [](char c) { return c <= ' '; }))
    throw Error("the environment variable " + variable + (key.empty() ? " is not set" : " holds ") +
                    (key.empty() ? "" : "characters that a key cannot have"),
                option, "Export the server's key in it");
  return key;
}

/// The header that says the key to a server; none for an empty one.
inline std::vector<std::string> bearer_header(const std::string& key) {
  if (key.empty()) return {};
  return {"Authorization: Bearer " + key};
}

}  // namespace dualagent
