#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/json_text.hpp"

/// Parts of a JSON text as it is written, so that numbers keep their digits and keys their order.
/// The text is known to be whole: `parse_json` or `skip_json_value` has read it.
namespace dualagent {

/// The value of `key` in an object, as it is written; empty if it has no such key.
/// Example: json_member(R"({"a": 1.50})", "a") == "1.50".
std::string_view json_member(std::string_view object, std::string_view key);

/// The elements of an array, each as it is written; none of anything else.
/// Example: json_elements("[1, [2]]") has the elements "1" and "[2]".
std::vector<std::string_view> json_elements(std::string_view array);

/// A whole JSON value on one line, spaced and escaped as Python's json.dumps(value,
/// ensure_ascii=False) writes it; numbers as they are.
/// Example: spaced_json("{\"a\":[1,2]}") == "{\"a\": [1, 2]}".
std::string spaced_json(std::string_view json);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/json_parts.inl"
#endif
