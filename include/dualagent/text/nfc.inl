#pragma once

/// Definitions of nfc.hpp; see core/compiled.hpp.

#include "dualagent/text/nfc.hpp"

namespace dualagent::detail {

class NfcTable {
 public:
  static const NfcTable& get() {
    static const NfcTable table;
    return table;
  }

  std::uint8_t combining_class(char32_t c) const {
    const auto found = classes_.find(c);
    return found == classes_.end() ? std::uint8_t{0} : found->second;
  }

  /// Appends the full canonical decomposition.
  void decompose(char32_t c, std::u32string& text) const {
    if (c >= kSyllables && c < kSyllables + kSyllableCount) {
      const char32_t index = c - kSyllables, tail = index % kTailCount;
      text += kLeads + index / (kVowelCount * kTailCount);
      text += kVowels + index / kTailCount % kVowelCount;
      if (tail != 0) text += kTails + tail;
      return;
    }
    const auto found = parts_.find(c);
    if (found == parts_.end()) {
      text += c;
      return;
    }
    decompose(found->second.first, text);
    if (found->second.second != 0) decompose(found->second.second, text);
  }

  /// The character that a pair composes to; 0 if none.
  char32_t compose(char32_t first, char32_t second) const {
    if (first >= kLeads && first < kLeads + 19 && second >= kVowels &&
        second < kVowels + kVowelCount)
      return kSyllables + ((first - kLeads) * kVowelCount + second - kVowels) * kTailCount;
    if (first >= kSyllables && first < kSyllables + kSyllableCount &&
        (first - kSyllables) % kTailCount == 0 && second > kTails && second < kTails + kTailCount)
      return first + second - kTails;
    const auto found = pairs_.find(key(first, second));
    return found == pairs_.end() ? 0 : found->second;
  }

 private:
  NfcTable() {
    for (const auto& [first, length, own] : kCombiningRuns)
      for (std::uint32_t i = 0; i < length; ++i)
        classes_[first + i] = static_cast<std::uint8_t>(own);
    for (const auto& [c, first, second, composes] : kDecompositions) {
      parts_[c] = {first, second};
      if (composes != 0) pairs_[key(first, second)] = c;
    }
  }

  static std::uint64_t key(char32_t first, char32_t second) {
    return std::uint64_t{first} << 32U | second;
  }

  std::unordered_map<char32_t, std::uint8_t> classes_;
  std::unordered_map<char32_t, std::pair<char32_t, char32_t>> parts_;
  std::unordered_map<std::uint64_t, char32_t> pairs_;
};

/// Canonical order: marks between two starters are sorted by class, stably.
inline void order_marks(std::u32string& text, const NfcTable& table) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && table.combining_class(text[end]) != 0) ++end;
    const auto at = [&](std::size_t index) {
      return text.begin() + static_cast<std::ptrdiff_t>(index);
    };
    std::stable_sort(at(i), at(end), [&](char32_t a, char32_t b) {
      return table.combining_class(a) < table.combining_class(b);
    });
    i = end + 1;
  }
}

/// Composes in place what canonical order has put together.
inline void compose_marks(std::u32string& text, const NfcTable& table) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t starter = kNone, size = 0;
  std::uint8_t last = 0;  // class of the character before, 0 right after the starter
  for (const char32_t c : text) {
    const std::uint8_t own = table.combining_class(c);
    const bool adjacent = starter != kNone && size == starter + 1;
    if (starter != kNone && (adjacent || (last != 0 && last < own))) {
      if (const char32_t composed = table.compose(text[starter], c)) {
        text[starter] = composed;
        continue;
      }
    }
    if (own == 0) starter = size;
    last = own;
    text[size++] = c;
  }
  text.resize(size);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE bool is_surely_nfc(std::string_view text) {
  const UnicodeTable& table = UnicodeTable::get();
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    if (std::uint64_t eight = 0; end - at >= 8) {
      std::memcpy(&eight, at, 8);
      if ((eight & 0x8080808080808080U) == 0) {  // ASCII never changes
        at += 8;
        continue;
      }
    }
    const auto [c, next] = character_at(at, end);
    if (table.is_normalized(c)) return false;
    at = next;
  }
  return true;
}

DUALAGENT_INLINE void append_nfc(std::string_view text, std::string& normalized) {
  const UnicodeTable& table = UnicodeTable::get();
  const detail::NfcTable& nfc = detail::NfcTable::get();
  const char* const end = text.data() + text.size();
  const char* kept = text.data();  // all before it is appended
  const char* previous = kept;     // the character before `at`
  std::u32string active;
  for (const char* at = kept; at != end;) {
    const CharacterAt character = character_at(at, end);
    if (!table.is_normalized(character.code_point)) {
      previous = at;
      at = character.next;
      continue;
    }
    // From the starter before to the next character that cannot change: a piece of its own.
    const char* begin = at == kept ? at : previous;
    active.clear();
    if (begin != at) {
      const char32_t starter = character_at(begin, end).code_point;
      if (starter == 0x10FFFF)
        begin = at;
      else
        nfc.decompose(starter, active);
    }
    normalized.append(kept, begin);
    for (kept = at; kept != end;) {
      const auto [c, next] = character_at(kept, end);
      if (!table.is_normalized(c)) break;
      nfc.decompose(c, active);
      kept = next;
    }
    detail::order_marks(active, nfc);
    detail::compose_marks(active, nfc);
    for (const char32_t c : active) append_utf8(normalized, c);
    at = previous = kept;
  }
  normalized.append(kept, end);
}

}  // namespace dualagent
