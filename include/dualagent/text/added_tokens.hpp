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

#include "dualagent/core/compiled.hpp"
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
  void add(const AddedToken& token, const std::string& spelling);

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

  std::pair<std::uint32_t, std::size_t> longest_at(std::string_view text, std::size_t begin) const;

  static CharacterAt last_character(std::string_view text);
  static bool ends_with_word(std::string_view text) {
    return !text.empty() &&
           UnicodeTable::get().is_in(last_character(text).code_point, kWordCategories);
  }
  static bool begins_with_word(std::string_view text);
  /// Where the white space at the end of the text begins.
  static std::size_t space_begin(std::string_view text);
  static std::size_t space_size(std::string_view text);

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;
  std::vector<std::uint32_t> ends_ = {kNone};  // per node: the token that ends there
  std::array<bool, 256> begins_{};
  bool any_ordinary_ = false;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/added_tokens.inl"
#endif
