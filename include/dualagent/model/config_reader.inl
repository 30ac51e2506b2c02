#pragma once

/// Definitions of config_reader.hpp; see core/compiled.hpp.

#include "dualagent/model/config_reader.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE ConfigReader::ConfigReader(const nlohmann::json& object, std::string where,
                                            const std::string& what, std::string remedy,
                                            std::string instead)
    : object_(object),
      where_(std::move(where)),
      remedy_(std::move(remedy)),
      instead_(std::move(instead)) {
  if (!object_.is_object()) fail(what, "is not a JSON object");
}

DUALAGENT_INLINE std::size_t ConfigReader::size(const std::string& key,
                                                std::optional<std::size_t> fallback) const {
  const nlohmann::json* value = find_or_fail(key, fallback.has_value());
  if (value == nullptr) return *fallback;
  return count(key, *value, {.least = 1, .most = 0x7FFFFFFF});
}

DUALAGENT_INLINE double ConfigReader::positive(const std::string& key,
                                               std::optional<double> fallback) const {
  const nlohmann::json* value = find_or_fail(key, fallback.has_value());
  if (value == nullptr) return *fallback;
  const double number = value->is_number() ? value->get<double>() : 0.0;
  if (!(number > 0.0) || !std::isfinite(number)) fail(key, "must be a number above 0");
  return number;
}

DUALAGENT_INLINE std::optional<bool> ConfigReader::boolean(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail(key, "must be true or false");
  return value->get<bool>();
}

DUALAGENT_INLINE std::string ConfigReader::text(const std::string& key,
                                                std::optional<std::string> fallback) const {
  const nlohmann::json* value = find_or_fail(key, fallback.has_value());
  if (value == nullptr) return *fallback;
  if (!value->is_string()) fail(key, "must be a string");
  return value->get<std::string>();
}

DUALAGENT_INLINE std::vector<std::string> ConfigReader::unread(
    std::span<const std::string_view> without_effect) const {
  std::vector<std::string> names;
  for (const auto& [key, value] : object_.items())
    if (!known_.contains(key) && !value.is_null() &&
        std::find(without_effect.begin(), without_effect.end(), key) == without_effect.end())
      names.push_back(key);
  return names;
}

DUALAGENT_INLINE void ConfigReader::check_names(
    std::span<const std::string_view> without_effect) const {
  for (const std::string& key : unread(without_effect)) {
    if (const auto nearest = nearest_name(key, known_))
      fail(printable(key), "is not an entry of a model's shape; did you mean " + *nearest + "?",
           "Correct the name, or remove the entry");
    fail(printable(key),
         "= " + shown(object_.at(key)) + " is not known, and might change the results",
         "Remove the entry if the model computes the same without it");
  }
}

DUALAGENT_INLINE std::string ConfigReader::shown(const nlohmann::json& value) {
  constexpr std::size_t kMaxShown = 80;  // bytes
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return text.size() <= kMaxShown ? printable(text) : printable(text.substr(0, kMaxShown)) + "...";
}

DUALAGENT_INLINE const nlohmann::json* ConfigReader::find_or_fail(const std::string& key,
                                                                  bool has_fallback) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr && !has_fallback) fail(key, "is missing" + misspelt_key(object_, key));
  return value;
}

}  // namespace dualagent::detail
