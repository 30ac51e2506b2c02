#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/spelling.hpp"

namespace dualagent::detail {

/// Reads typed entries of one JSON object; null counts as missing, as in Hugging Face files.
///
/// `where` names the object in errors, `what` says what it is, `instead` what to use in the place
/// of what is not supported. The object must outlive the reader.
class ConfigReader {
 public:
  ConfigReader(
      const nlohmann::json& object, std::string where, const std::string& what = "configuration",
      std::string remedy = "Use the config.json that belongs to the model, or correct the entry",
      std::string instead =
          "Use a Llama, Qwen2, Qwen3 or Mistral model; docs/models.md says what "
          "they may have")
      : object_(object),
        where_(std::move(where)),
        remedy_(std::move(remedy)),
        instead_(std::move(instead)) {
    if (!object_.is_object()) fail(what, "is not a JSON object");
  }

  const std::string& where() const { return where_; }

  const nlohmann::json* find(const std::string& key) const {
    const nlohmann::json* value = find_even_null(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  /// For the entry whose null means something else than its absence.
  const nlohmann::json* find_even_null(const std::string& key) const {
    known_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  /// A whole number from 1 to 2^31 - 1.
  std::size_t size(const std::string& key, std::optional<std::size_t> fallback = {}) const {
    const nlohmann::json* value = find_or_fail(key, fallback.has_value());
    if (value == nullptr) return *fallback;
    const std::uint64_t number = value->is_number_unsigned() ? value->get<std::uint64_t>() : 0;
    if (number < 1 || number > 0x7FFFFFFF) fail(key, "must be a whole number from 1 to 2^31 - 1");
    return static_cast<std::size_t>(number);
  }

  /// A finite number above 0.
  double positive(const std::string& key, std::optional<double> fallback = {}) const {
    const nlohmann::json* value = find_or_fail(key, fallback.has_value());
    if (value == nullptr) return *fallback;
    const double number = value->is_number() ? value->get<double>() : 0.0;
    if (!(number > 0.0) || !std::isfinite(number)) fail(key, "must be a number above 0");
    return number;
  }

  /// Nothing where the entry is missing.
  std::optional<bool> boolean(const std::string& key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) fail(key, "must be true or false");
    return value->get<bool>();
  }
  bool boolean(const std::string& key, bool fallback) const {
    return boolean(key).value_or(fallback);
  }

  std::string text(const std::string& key, std::optional<std::string> fallback = {}) const {
    const nlohmann::json* value = find_or_fail(key, fallback.has_value());
    if (value == nullptr) return *fallback;
    if (!value->is_string()) fail(key, "must be a string");
    return value->get<std::string>();
  }

  /// Errors: Error with key and value, unless the entry is missing, null or `neutral`: what it has
  /// where the feature that it stands for is not used.
  void require_neutral(const std::string& key, const nlohmann::json& neutral) const {
    const nlohmann::json* value = find(key);
    if (value != nullptr && *value != neutral) unsupported(key, *value);
  }

  /// After all entries were read: those that nobody asked for and that are not in
  /// `without_effect`, unless they are null.
  std::vector<std::string> unread(std::span<const std::string_view> without_effect) const {
    std::vector<std::string> names;
    for (const auto& [key, value] : object_.items())
      if (!known_.contains(key) && !value.is_null() &&
          std::find(without_effect.begin(), without_effect.end(), key) == without_effect.end())
        names.push_back(key);
    return names;
  }
  /// Refuses the entries that are `unread`.
  void check_names(std::span<const std::string_view> without_effect) const {
    for (const std::string& key : unread(without_effect)) {
      if (const auto nearest = nearest_name(key, known_))
        fail(printable(key), "is not an entry of a model's shape; did you mean " + *nearest + "?",
             "Correct the name, or remove the entry");
      fail(printable(key),
           "= " + shown(object_.at(key)) + " is not known, and might change the results",
           "Remove the entry if the model computes the same without it");
    }
  }

  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    fail(key, what, remedy_);
  }
  [[noreturn]] void fail(const std::string& key, const std::string& what,
                         const std::string& remedy) const {
    throw Error(key + " " + what, where_, remedy);
  }
  [[noreturn]] void unsupported(const std::string& key, const nlohmann::json& value) const {
    fail(key, "= " + shown(value) + " is not supported", instead_);
  }

 private:
  static std::string shown(const nlohmann::json& value) {
    constexpr std::size_t kMaxShown = 80;  // bytes
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    return text.size() <= kMaxShown ? printable(text)
                                    : printable(text.substr(0, kMaxShown)) + "...";
  }

  const nlohmann::json* find_or_fail(const std::string& key, bool has_fallback) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr && !has_fallback) fail(key, "is missing" + misspelt_key(object_, key));
    return value;
  }

  const nlohmann::json& object_;
  std::string where_, remedy_, instead_;
  mutable std::set<std::string> known_;  // entries that were asked for
};

}  // namespace dualagent::detail
