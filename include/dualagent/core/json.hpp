#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json_depth.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/spelling.hpp"
#include "dualagent/core/types.hpp"

namespace dualagent {

struct JsonLimits {
  std::size_t max_depth = kMaxJsonDepth;  ///< nested objects and arrays
};

/// A JSON string literal, quotes included, everything but ASCII control characters left as it is.
///
/// Errors: Error naming the byte that is not valid UTF-8.
/// Example: the text a"b gives "a\"b".
std::string to_json_string(std::string_view text, const std::string& where);

/// A value as errors show it: its JSON on one line, at most 40 bytes of it.
std::string shown_json(const nlohmann::json& value);

/// The counts that a place takes. Example: CountLimits{.least = 1}.text() == "a whole number of at
/// least 1".
struct CountLimits {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();  ///< may itself be had

  /// What an error asks for.
  std::string text() const;
};

/// A count in JSON: a whole number within `limits`; nullopt for anything else, -1, 5.0 and 1e3
/// included. get() alone would make 2^64 - 1 of -1.
std::optional<std::uint64_t> count_of(const nlohmann::json& value, CountLimits limits = {});

/// The same where nothing else will do.
///
/// Errors: Error "KEY is VALUE, not a whole number of at least 0 (WHERE). REMEDY".
/// Example: require_count(json.at("tasks"), "tasks", path, "Name a result.json").
std::uint64_t require_count(const nlohmann::json& value, const std::string& key,
                            const std::string& where, const std::string& remedy,
                            CountLimits limits = {});

/// The same for the entry `key` of an object.
///
/// Errors: the same; Error "KEY is missing" where there is none.
std::uint64_t require_count_at(const nlohmann::json& object, const std::string& key,
                               const std::string& where, const std::string& remedy,
                               CountLimits limits = {});

/// A token's id in JSON; nullopt for anything else, a negative number or one of 2^31 and above
/// included: nlohmann_json would cut 2^32 + 7 down to 7.
std::optional<Token> token_id(const nlohmann::json& value);

/// The keys of an object, in their order; none of anything else.
std::vector<std::string> keys_of(const nlohmann::json& object);

/// For the error about a missing key: `; it has "answr"`, if the object has a key that is probably
/// the missing one misspelt, else nothing.
std::string misspelt_key(const nlohmann::json& object, std::string_view missing);

namespace detail {

/// Builds a tree from the events of nlohmann_json's parser; refuses what `parse_json` says. The
/// parser calls it by `nlohmann::json_sax`, so that all kinds of trees share one parser.
template <class Json>
class JsonTree final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonTree(Json& root, const std::string& where, const std::string& remedy, JsonLimits limits)
      : root_(&root), where_(where), remedy_(remedy), limits_(limits) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not in JSON text
  bool start_object(std::size_t) override { return open(Json::value_t::object); }
  bool start_array(std::size_t) override { return open(Json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    auto& object = open_.back()->template get_ref<typename Json::object_t&>();
    const auto [entry, added] = object.emplace(std::move(name), nullptr);
    if (!added)
      throw Error("a JSON object has the key '" + printable(entry->first) + "' twice", where_,
                  remedy_);
    value_ = &entry->second;
    return true;
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    throw Error("not valid JSON: " + printable(error.what()), where_, remedy_);
  }

 private:
  /// Where the next value goes.
  Json& place() {
    if (open_.empty()) return *root_;
    if (open_.back()->is_object()) return *value_;
    auto& array = open_.back()->template get_ref<typename Json::array_t&>();
    return array.emplace_back();
  }
  template <class Value>
  bool put(Value&& value) {
    place() = std::forward<Value>(value);
    return true;
  }
  bool open(typename Json::value_t type) {
    if (open_.size() >= limits_.max_depth)
      throw Error("JSON is nested deeper than " + std::to_string(limits_.max_depth) + " levels",
                  where_, remedy_);
    Json& opened = place();
    opened = Json(type);
    open_.push_back(&opened);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json* root_;
  const std::string& where_;
  const std::string& remedy_;
  JsonLimits limits_;
  std::vector<Json*> open_;  // objects and arrays, the innermost last
  Json* value_ = nullptr;    // of the key that was read last
};

/// Hands the events of a text to `events`. nlohmann::json::sax_parse does the same, but brings
/// along the readers of four binary formats, which cost every program two seconds of compile
/// time.
void read_json_events(std::string_view text, nlohmann::json_sax<nlohmann::json>& events);

}  // namespace detail

/// Parses one JSON text strictly: one value from the first byte to the last, no duplicate keys, no
/// NaN, bounded nesting. Every JSON that becomes a tree is read here.
///
/// `where` names the source in errors, and `remedy` says what can be done about a text from there.
/// A NUL byte ends a text for nlohmann_json, so that what follows it would be lost; it is refused.
/// Errors: Error with the parser's line and column, the NUL byte, the duplicate key or the depth.
/// Example: parse_json(R"({"a": 1})", "config.json", "Fetch the file again").at("a") == 1.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const std::string& where, const std::string& remedy,
                JsonLimits limits = {}) {
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    throw Error("not valid JSON: byte " + std::to_string(nul) + " is NUL", where, remedy);
  Json root;
  detail::JsonTree<Json> tree(root, where, remedy, limits);
  detail::read_json_events(text, tree);
  return root;
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/json.inl"
#endif
