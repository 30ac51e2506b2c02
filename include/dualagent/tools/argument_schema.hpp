#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/text/json_text.hpp"
#include "dualagent/tools/whole_number.hpp"

namespace dualagent {

/// What is said of one argument besides its C++ type.
struct ArgumentRule {
  std::string description = {};
  std::optional<double> minimum = {};     ///< of a number, inclusive
  std::optional<double> maximum = {};     ///< of a number, inclusive
  std::vector<std::string> choices = {};  ///< of a text; empty: any
};

namespace detail {
struct AnyVisitor {
  template <class T>
  void operator()(std::string_view, T&, const ArgumentRule& = {}) const {}
};
}  // namespace detail

/// A struct that lists its members once, for the schema that a model reads and for the check of
/// what it writes:
///
///   struct Arguments {
///     int x = 0;
///     std::optional<std::string> unit;
///     template <class Visitor>
///     void describe(Visitor&& visit) {
///       visit("x", x, {.description = "the page", .minimum = 1});
///       visit("unit", unit, {.choices = {"m", "km"}});
///     }
///   };
///
/// Members are bool, integers, floating-point numbers, std::string, std::vector, std::optional
/// (which need not be given) and structs of this kind.
template <class A>
concept DescribedArguments = std::default_initializable<A> && requires(A& arguments) {
  arguments.describe(detail::AnyVisitor{});
};

/// JSON schema of a described struct, spaced as Python's json.dumps does.
template <DescribedArguments A>
std::string argument_schema();

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

inline std::string number_text(double value) { return nlohmann::json(value).dump(); }

/// A bound as JSON; whole bounds are written without a fraction.
std::string bound_text(double value);

/// The schema of one type without its braces.
template <class T>
std::string type_schema() {
  if constexpr (is_optional<T>) {
    return type_schema<typename T::value_type>();
  } else if constexpr (is_vector<T>) {
    return R"("type": "array", "items": {)" + type_schema<typename T::value_type>() + "}";
  } else if constexpr (std::same_as<T, bool>) {
    return R"("type": "boolean")";
  } else if constexpr (std::integral<T>) {
    return R"("type": "integer")";
  } else if constexpr (std::floating_point<T>) {
    return R"("type": "number")";
  } else if constexpr (std::same_as<T, std::string>) {
    return R"("type": "string")";
  } else {
    static_assert(DescribedArguments<T>,
                  "dualagent: an argument is bool, a number, std::string, std::vector, "
                  "std::optional or a struct with describe(visitor); see docs/dialects.md#tools");
    const std::string schema = argument_schema<T>();
    return schema.substr(1, schema.size() - 2);
  }
}

/// Refuses bounds that no number fits.
void require_rule(std::string_view name, const ArgumentRule& rule);

/// Writes the properties of a schema, member by member.
struct SchemaWriter {
  std::string& properties;
  std::string& required;

  template <class T>
  void operator()(std::string_view name, T&, const ArgumentRule& rule = {}) const {
    properties += (properties.empty() ? "" : ", ") + json_literal(name) + ": {" + type_schema<T>();
    if (!rule.description.empty())
      properties += ", \"description\": " + json_literal(rule.description);
    require_rule(name, rule);
    if (rule.minimum) properties += ", \"minimum\": " + bound_text(*rule.minimum);
    if (rule.maximum) properties += ", \"maximum\": " + bound_text(*rule.maximum);
    for (std::size_t i = 0; i < rule.choices.size(); ++i)
      properties += (i == 0 ? ", \"enum\": [" : ", ") + json_literal(rule.choices[i]);
    properties += rule.choices.empty() ? "}" : "]}";
    if constexpr (!is_optional<T>) required += (required.empty() ? "" : ", ") + json_literal(name);
  }
};

/// One argument as the model wrote it; errors name its path.
struct GivenArgument {
  const nlohmann::json& json;
  std::string path;

  [[noreturn]] void refuse(const std::string& wanted) const;
};

template <class A>
void read_members(const GivenArgument& given, A& arguments);

template <class T>
void read_number(const GivenArgument& given, T& value) {
  if constexpr (std::integral<T>) {
    using Limits = std::numeric_limits<T>;
    const std::optional<T> number = whole_number<T>(given.json);
    const bool whole = given.json.is_number_integer() || whole_number<std::int64_t>(given.json);
    const bool inexact = given.json.is_number_float() && std::abs(given.json.get<double>()) > 9e15;
    if (!number && !whole && !inexact) given.refuse("a whole number");
    if (!number)
      given.refuse("a whole number from " + std::to_string(Limits::min()) + " to " +
                   std::to_string(Limits::max()) + (inexact ? ", in digits" : ""));
    value = *number;
  } else {
    if (!given.json.is_number()) given.refuse("a number");
    const auto number = given.json.get<double>();
    constexpr auto kLargest = static_cast<double>(std::numeric_limits<T>::max());
    if (std::abs(number) > kLargest) given.refuse("at most " + number_text(kLargest) + " in size");
    value = static_cast<T>(number);
  }
}

template <class T>
void read_value(const GivenArgument& given, const ArgumentRule& rule, T& value) {
  if constexpr (is_optional<T>) {
    read_value(given, rule, value.emplace());
  } else if constexpr (is_vector<T>) {
    if (!given.json.is_array()) given.refuse("an array");
    value.clear();
    for (std::size_t i = 0; i < given.json.size(); ++i) {
      typename T::value_type element{};
      read_value({given.json[i], given.path + "[" + std::to_string(i) + "]"}, {}, element);
      value.push_back(std::move(element));
    }
  } else if constexpr (std::same_as<T, bool>) {
    if (!given.json.is_boolean()) given.refuse("true or false");
    given.json.get_to(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    read_number(given, value);
    const auto number = static_cast<double>(value);
    if (rule.minimum && number < *rule.minimum)
      given.refuse("at least " + bound_text(*rule.minimum));
    if (rule.maximum && number > *rule.maximum)
      given.refuse("at most " + bound_text(*rule.maximum));
  } else if constexpr (std::same_as<T, std::string>) {
    if (!given.json.is_string()) given.refuse("a text");
    given.json.get_to(value);
    std::string choices;
    bool found = rule.choices.empty();
    for (const std::string& choice : rule.choices) {
      found = found || choice == value;
      choices += (choices.empty() ? "" : ", ") + json_literal(choice);
    }
    if (!found) given.refuse("one of " + choices);
  } else {
    read_members(given, value);
  }
}

/// Collects the names of an object's members.
struct NameReader {
  std::vector<std::string>& known;

  template <class T>
  void operator()(std::string_view name, T&, const ArgumentRule& = {}) const {
    known.emplace_back(name);
  }
};

/// Reads the members of an object one by one.
struct ArgumentReader {
  const GivenArgument& object;

  template <class T>
  void operator()(std::string_view name, T& value, const ArgumentRule& rule = {}) const {
    const std::string path = object.path + (object.path.empty() ? "" : ".") + std::string(name);
    const auto member = object.json.find(name);
    if (member != object.json.end()) return read_value({*member, path}, rule, value);
    if constexpr (!is_optional<T>) throw Error("the argument '" + path + "' is missing");
  }
};

template <class A>
void read_members(const GivenArgument& given, A& arguments) {
  if (!given.json.is_object()) given.refuse("an object");
  std::vector<std::string> known;
  A names{};
  names.describe(NameReader{known});
  for (const auto& [name, value] : given.json.items()) {
    bool found = false;
    std::string listed;
    for (const std::string& one : known) {
      found = found || one == name;
      listed += (listed.empty() ? "" : ", ") + one;
    }
    if (!found)
      throw Error("unknown argument '" + printable(name) +
                  "'; the arguments are: " + (listed.empty() ? "(none)" : listed));
  }
  arguments.describe(ArgumentReader{given});
}

}  // namespace detail

template <DescribedArguments A>
std::string argument_schema() {
  A arguments{};
  std::string properties, required;
  arguments.describe(detail::SchemaWriter{properties, required});
  return R"({"type": "object", "properties": {)" + properties + "}" +
         (required.empty() ? "" : ", \"required\": [" + required + "]") + "}";
}

/// Reads the JSON text of a call's arguments by the same description as the schema.
///
/// Errors: Error naming the argument that is unknown, missing, given twice, of the wrong type or
/// out of range, and what was expected; or the byte at which the JSON is broken.
template <DescribedArguments A>
A read_described_arguments(const std::string& text) {
  std::set<std::string> keys;
  std::string twice;
  const JsonEnd end = walk_json_object(text, skip_json_space(text, 0), [&](auto key, auto, auto) {
    const std::string name = json_string_text(key);
    if (!keys.insert(name).second) twice = name;
    return static_cast<const char*>(nullptr);
  });
  const bool tail = end.whole() && skip_json_space(text, end.at) != text.size();
  if (!end.whole() || tail)
    throw Error("the arguments are not a JSON object: " +
                std::string(tail ? "text follows it" : end.fault) + " at byte " +
                std::to_string(end.at));
  if (!twice.empty()) throw Error("the argument '" + printable(twice) + "' is given twice");
  const nlohmann::json json = parse_json(text, "the arguments", "Write every key once");
  A arguments{};
  detail::read_members({json, ""}, arguments);
  return arguments;
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/tools/argument_schema.inl"
#endif
