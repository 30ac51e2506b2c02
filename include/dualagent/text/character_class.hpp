#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/unicode_classes.hpp"

namespace dualagent {

/// A set of code points.
class CharacterSet {
 public:
  CharacterSet() : bits_(0x110000 / 64) {}

  bool contains(char32_t c) const { return ((bits_[c / 64] >> (c % 64)) & 1U) != 0; }
  void add(char32_t first, char32_t last);
  void add(const CharacterSet& other) {
    for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] |= other.bits_[i];
  }
  /// All characters for which `holds(c)`, which may ask for nothing but UnicodeTable's properties.
  template <class Predicate>
  void add_if(Predicate&& holds) {
    UnicodeTable::for_each_run([&](char32_t first, char32_t last) {
      if (holds(first)) add(first, last);
    });
  }
  void invert() {
    for (std::uint64_t& word : bits_) word = ~word;
  }
  /// The set as runs [first, last] in ascending order.
  std::vector<std::pair<char32_t, char32_t>> runs() const;

 private:
  std::vector<std::uint64_t> bits_;
};

/// Reads the parts of a regular expression that stand for one character, with the tables of
/// unicode_classes.hpp: `\p{Lu}`, `\P{L}`, `\s`, `\S`, `\d`, `\D`, escapes, `[...]`.
class CharacterClassReader {
 public:
  explicit CharacterClassReader(std::string_view expression) : rest_(expression) {}

  std::string_view rest() const { return rest_; }
  bool take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }

  /// The class that begins here, a single character included; nothing if it is none that is known,
  /// and then rest() is where it failed.
  std::optional<CharacterSet> read();

 private:
  std::optional<CharacterSet> read_atom();

  bool read_item(CharacterSet& set);

  /// \p{..}, \P{..}, \s, \S, \d, \D.
  std::optional<CharacterSet> read_shorthand();

  /// A literal character or an escape that means one.
  std::optional<char32_t> read_character();

  /// \x{H..}, \xHH, \uHHHH.
  std::optional<char32_t> read_hex();

  std::string_view rest_;
};

/// Expressions of one form: at most one character of a class, then a run of another:
/// `\s?[A-Za-z]+`, `[\r\n]`, `\p{N}{1,3}`. Time is linear in the match.
class ClassRun {
 public:
  ClassRun(CharacterSet run, std::size_t most) : run_(std::move(run)), most_(most) {}

  /// Nothing for expressions of another form.
  static std::optional<ClassRun> parse(std::string_view expression);

  /// As a Scanner: where the match that begins at `at` ends, or null.
  const char* operator()(const char* at, const char* end) const {
    const CharacterAt first = character_at(at, end);
    if (before_ && before_->contains(first.code_point) && first.next != end)
      if (const char* found = run_from(first.next, end); found != first.next) return found;
    const char* found = run_from(at, end);
    return found != at ? found : nullptr;
  }

  /// Whether the run can hold the character; any such character is in a match.
  bool contains(char32_t c) const { return run_.contains(c); }
  /// Whether a match can hold the two characters, one behind the other.
  bool joins(char32_t first, char32_t second) const {
    return run_.contains(second) && (run_.contains(first) || (before_ && before_->contains(first)));
  }

 private:
  const char* run_from(const char* at, const char* end) const;

  std::optional<CharacterSet> before_;
  CharacterSet run_;
  std::size_t most_;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/character_class.inl"
#endif
