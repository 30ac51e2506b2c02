#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dualagent/core/types.hpp"
#include "dualagent/text/unicode_classes.hpp"

namespace dualagent {

/// A token outside the merges, as tokenizer.json lists it.
struct AddedToken {
  std::string content;
  Token id = 0;
  bool special = false;      ///< only templates write it
  bool normalized = false;   ///< looked for in the normalised text
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space behind it
  bool single_word = false;  ///< not beside a letter, mark, number or underscore
};

/// A part of a text: an added token, or what lies between two.
struct AddedPart {
  std::optional<Token> token;
  std::string_view text;
};

/// Finds added tokens in texts, as the tokenizers package does: the leftmost, of those the longest,
/// without overlap. Time is the text's length times, at worst, the longest token's.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  /// `spelling` of a token is what it is looked for by, e.g. its content in NFC; the first of two
  /// tokens of one spelling counts.
  void add(const AddedToken& token, const std::string& spelling) {
    if (spelling.empty()) return;
    std::uint32_t node = 0;
    for (const char c : spelling) {
      const auto [found, is_new] =
          edges_.try_emplace(edge(node, c), static_cast<std::uint32_t>(ends_.size()));
      if (is_new) ends_.push_back(kNone);
      node = found->second;
    }
    if (ends_[node] != kNone) return;
    ends_[node] = static_cast<std::uint32_t>(tokens_.size());
    tokens_.push_back(token);
    begins_[static_cast<unsigned char>(spelling[0])] = true;
    any_ordinary_ = any_ordinary_ || !token.special;
  }

  /// Calls emit(part) for the parts of a text in order. With `special` false, a special token's
  /// text stays text, and what begins inside it is not looked for, as with `encode_special_tokens`.
  template <class Emit>
  void for_each_part(std::string_view text, bool special, Emit&& emit) const {
    std::size_t done = 0;
    if (!tokens_.empty() && (special || any_ordinary_)) {
      for (std::size_t at = next_begin(text, 0); at < text.size();) {
        const auto [which, size] = longest_at(text, at);
        if (which == kNone) {
          at = next_begin(text, at + 1);
          continue;
        }
        const AddedToken& token = tokens_[which];
        std::size_t begin = at, end = at + size;
        at = next_begin(text, end);
        if (!special && token.special) continue;
        if (token.single_word &&
            (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end))))
          continue;
        if (token.lstrip) begin = std::max(space_begin(text.substr(0, begin)), done);
        if (token.rstrip) end += space_size(text.substr(end));
        if (done < begin) emit(AddedPart{std::nullopt, text.substr(done, begin - done)});
        emit(AddedPart{token.id, text.substr(begin, end - begin)});
        done = end;
      }
    }
    if (done < text.size()) emit(AddedPart{std::nullopt, text.substr(done)});
  }

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr CategorySet kWordCategories =
      kLetters | kMarks | set_of(Category::Nd) | set_of(Category::Nl) | set_of(Category::Pc);

  static std::uint64_t edge(std::uint32_t node, char c) {
    return std::uint64_t{node} << 8U | static_cast<unsigned char>(c);
  }

  std::size_t next_begin(std::string_view text, std::size_t at) const {
    while (at < text.size() && !begins_[static_cast<unsigned char>(text[at])]) ++at;
    return at;
  }

  std::pair<std::uint32_t, std::size_t> longest_at(std::string_view text, std::size_t begin) const {
    std::pair<std::uint32_t, std::size_t> longest{kNone, 0};
    std::uint32_t node = 0;
    for (std::size_t at = begin; at < text.size(); ++at) {
      const auto found = edges_.find(edge(node, text[at]));
      if (found == edges_.end()) break;
      node = found->second;
      if (ends_[node] != kNone) longest = {ends_[node], at + 1 - begin};
    }
    return longest;
  }

  static CharacterAt last_character(std::string_view text) {
    const char* at = text.data() + text.size() - 1;
    for (int i = 0;
         i < 3 && at != text.data() && (static_cast<unsigned char>(*at) & 0xC0U) == 0x80U; ++i)
      --at;
    return {character_at(at, text.data() + text.size()).code_point, at};
  }
  static bool ends_with_word(std::string_view text) {
    return !text.empty() &&
           UnicodeTable::get().is_in(last_character(text).code_point, kWordCategories);
  }
  static bool begins_with_word(std::string_view text) {
    return !text.empty() &&
           UnicodeTable::get().is_in(
               character_at(text.data(), text.data() + text.size()).code_point, kWordCategories);
  }
  /// Where the white space at the end of the text begins.
  static std::size_t space_begin(std::string_view text) {
    while (!text.empty()) {
      const CharacterAt last = last_character(text);
      if (!UnicodeTable::get().is_space(last.code_point)) break;
      text = text.substr(0, static_cast<std::size_t>(last.next - text.data()));
    }
    return text.size();
  }
  static std::size_t space_size(std::string_view text) {
    const char *at = text.data(), *end = at + text.size();
    while (at != end && UnicodeTable::get().is_space(character_at(at, end).code_point))
      at = character_at(at, end).next;
    return static_cast<std::size_t>(at - text.data());
  }

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;
  std::vector<std::uint32_t> ends_ = {kNone};  // per node: the token that ends there
  std::array<bool, 256> begins_{};
  bool any_ordinary_ = false;
};

}  // namespace dualagent
