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

#include "dualagent/core/compiled.hpp"
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
          "they may have");

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
  std::size_t size(const std::string& key, std::optional<std::size_t> fallback = {}) const;

  /// The count that a value is, an entry of this object or a part of one, which `key` names.
  std::uint64_t count(const std::string& key, const nlohmann::json& value,
                      CountLimits limits = {}) const {
    return require_count(value, key, where_, remedy_, limits);
  }

  /// A finite number above 0.
  double positive(const std::string& key, std::optional<double> fallback = {}) const;

  /// Nothing where the entry is missing.
  std::optional<bool> boolean(const std::string& key) const;
  bool boolean(const std::string& key, bool fallback) const {
    return boolean(key).value_or(fallback);
  }

  std::string text(const std::string& key, std::optional<std::string> fallback = {}) const;

  /// Errors: Error with key and value, unless the entry is missing, null or `neutral`: what it has
  /// where the feature that it stands for is not used.
  void require_neutral(const std::string& key, const nlohmann::json& neutral) const {
    const nlohmann::json* value = find(key);
    if (value != nullptr && *value != neutral) unsupported(key, *value);
  }

  /// After all entries were read: those that nobody asked for and that are not in
  /// `without_effect`, unless they are null.
  std::vector<std::string> unread(std::span<const std::string_view> without_effect) const;
  /// Refuses the entries that are `unread`.
  void check_names(std::span<const std::string_view> without_effect) const;

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
  static std::string shown(const nlohmann::json& value);

  const nlohmann::json* find_or_fail(const std::string& key, bool has_fallback) const;

  const nlohmann::json& object_;
  std::string where_, remedy_, instead_;
  mutable std::set<std::string> known_;  // entries that were asked for
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/config_reader.inl"
#endif
