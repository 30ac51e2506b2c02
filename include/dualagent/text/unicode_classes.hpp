#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/printable.hpp"

namespace dualagent {

namespace detail {
#include "dualagent/text/unicode_tables.inl"
}  // namespace detail

/// General categories of Unicode 16.0, in the order of the tables; Cn (not assigned) is 0 and also
/// stands for surrogates and for bytes that are not UTF-8.
enum class Category : std::uint8_t {
  Cn,
  Cc,
  Cf,
  Co,
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp
};

/// A set of categories, one bit each.
using CategorySet = std::uint32_t;
constexpr CategorySet set_of(Category category) {
  return CategorySet{1} << static_cast<unsigned>(category);
}
/// The categories from `first` to `last`, both included.
constexpr CategorySet set_of(Category first, Category last) {
  return (set_of(last) << 1U) - set_of(first);
}

inline constexpr CategorySet kLetters = set_of(Category::Lu, Category::Lo);
inline constexpr CategorySet kMarks = set_of(Category::Mn, Category::Me);
inline constexpr CategorySet kNumbers = set_of(Category::Nd, Category::No);
inline constexpr CategorySet kPunctuation = set_of(Category::Pc, Category::Po);
inline constexpr CategorySet kSymbols = set_of(Category::Sm, Category::So);

/// The categories that a name of one or two letters means, e.g. "L" or "Lu"; nothing for others.
std::optional<CategorySet> categories_of(std::string_view name);

/// What is known of each code point below 0x110000, one byte each; made at the first use.
class UnicodeTable {
 public:
  static const UnicodeTable& get() {
    static const UnicodeTable table;
    return table;
  }

  Category category(char32_t c) const { return static_cast<Category>(bytes_[c] & 31U); }
  bool is_in(char32_t c, CategorySet set) const { return ((set >> (bytes_[c] & 31U)) & 1U) != 0; }
  /// White space as `\s` of a regular expression has it: 25 characters.
  bool is_space(char32_t c) const { return (bytes_[c] & 32U) != 0; }
  /// A number as Digits has it: the categories N of Unicode 17.
  bool is_number(char32_t c) const { return (bytes_[c] & 64U) != 0; }
  /// Whether NFC can change the character, or the one before it because of this one.
  bool is_normalized(char32_t c) const { return (bytes_[c] & 128U) != 0; }

  /// Calls take(first, last) for all characters in ascending order, in runs of the same properties.
  template <class Take>
  static void for_each_run(Take&& take) {
    char32_t first = 0;
    for (const std::uint32_t run : detail::kPropertyRuns) {
      const char32_t next = first + (run >> 8U);
      take(first, next - 1);
      first = next;
    }
  }

 private:
  UnicodeTable();

  std::vector<std::uint8_t> bytes_;
};

/// A character of a text: its code point and where the next one begins.
struct CharacterAt {
  char32_t code_point;
  const char* next;
};

/// The character at `at` < `end`; a byte that begins no valid UTF-8 is U+10FFFF, which is not
/// assigned.
CharacterAt character_at(const char* at, const char* end);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/unicode_classes.inl"
#endif
