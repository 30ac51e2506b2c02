#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "dualagent/text/added_tokens.hpp"
#include "dualagent/text/pre_tokenizer.hpp"
#include "dualagent/text/unicode_classes.hpp"
#include "dualagent/text/word_scanners.hpp"

namespace dualagent {

/// Where a text can be cut so that the tokens of both parts, joined, are those of the whole text,
/// whatever its second part goes on with.
///
/// Three kinds of places come into question: between any character but white space and a space,
/// between an ASCII letter or digit and a line feed, and between a letter beyond ASCII and one of
/// 、。，; no form of normalisation joins what stands there. A place counts if every step of the
/// pre-tokenizer leaves it alone or cuts there, one does, and no added token can reach across.
/// Expressions that no scanner is written for, and parts that are merged, have no such places.
class TextCuts {
 public:
  TextCuts() = default;
  explicit TextCuts(std::span<const SplitStep> steps) {
    if (!std::all_of(steps.begin(), steps.end(), is_simple)) return;
    finds_words_ = std::any_of(steps.begin(), steps.end(), [](const SplitStep& step) {
      const auto* scanner = std::get_if<Scanner>(&step.matcher);
      return scanner != nullptr && *scanner != scan_trailing_space;
    });
    for (char32_t c = '!'; c <= '~'; ++c) {
      const bool word = detail::CharacterKinds::of(c) != 0;  // a letter or a digit
      after_[c] = {is_cut(steps, c, ' '), word && is_cut(steps, c, '\n')};
    }
    for (const SplitStep& step : steps)
      if (const auto* run = std::get_if<ClassRunPointer>(&step.matcher))
        for (const char32_t second : {U' ', U'、', U'。', U'，'})
          finds_words_ = finds_words_ && !(*run)->contains(second);
  }

  /// No cut where this token might be found on both sides, look at the other side or take white
  /// space from it. `spelling` is what it is looked for by.
  void keep(const AddedToken& token, std::string_view spelling) {
    const auto forbid = [&](char first, std::size_t at) {
      forbidden_.set(pair(first, spelling[at]));
      if (token.normalized)  // a character may have become the first by normalisation
        for (int byte = 0x80; byte < 0x100; ++byte)
          forbidden_.set(pair(static_cast<char>(byte), spelling[at]));
    };
    for (std::size_t at = 1; at < spelling.size(); ++at) forbid(spelling[at - 1], at);
    if (token.single_word)
      for (int byte = 0; byte < 0x100; ++byte) forbid(static_cast<char>(byte), 0);
    if (!token.rstrip || spelling.empty()) return;
    for (const char space : {' ', '\n'}) {
      forbidden_.set(pair(spelling.back(), space));
      for (int byte = 0x80; token.normalized && byte < 0x100; ++byte)
        forbidden_.set(pair(static_cast<char>(byte), space));
    }
  }

  /// The last place in the text, at `from` or behind it; 0: there is none. Time: what it passes.
  std::size_t last(std::string_view text, std::size_t from) const {
    for (std::size_t at = text.size(); at-- > from && at > 0;)
      if (is_cut(text, at)) return at;
    return 0;
  }

 private:
  using ClassRunPointer = std::shared_ptr<const ClassRun>;
  struct After {
    bool space = false, line = false;
  };

  static std::size_t pair(char first, char second) {
    return static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8U |
           static_cast<unsigned char>(second);
  }

  /// Whether its matches are those of one of the scanners or of a class, and are not merged.
  static bool is_simple(const SplitStep& step) {
    return (step.behavior == SplitBehavior::isolated || step.behavior == SplitBehavior::removed) &&
           !std::holds_alternative<std::shared_ptr<const Expression>>(step.matcher);
  }

  /// Whether no step's match holds both characters, and one always cuts between them. The scanners
  /// of words always do.
  bool is_cut(std::span<const SplitStep> steps, char32_t first, char32_t second) const {
    bool cut = finds_words_;
    for (const SplitStep& step : steps) {
      const auto* run = std::get_if<ClassRunPointer>(&step.matcher);
      if (run == nullptr) continue;
      if ((*run)->joins(first, second)) return false;
      cut = cut || (*run)->contains(first) || (*run)->contains(second);
    }
    return cut;
  }

  bool is_cut(std::string_view text, std::size_t at) const {
    const char first = text[at - 1], second = text[at];
    const bool beyond_ascii = static_cast<unsigned char>(first) >= 0x80;
    if (forbidden_.test(pair(first, second)) || (beyond_ascii && !finds_words_)) return false;
    if (second == '\n' || second == ' ') {
      if (!beyond_ascii)
        return second == ' ' ? after_[static_cast<unsigned char>(first)].space
                             : after_[static_cast<unsigned char>(first)].line;
      return second == ' ' && !UnicodeTable::get().is_space(last_character(text.substr(0, at)));
    }
    const std::string_view three = text.substr(at, 3);
    return beyond_ascii && (three == "、" || three == "。" || three == "，") &&
           UnicodeTable::get().is_in(last_character(text.substr(0, at)), kLetters);
  }

  static char32_t last_character(std::string_view text) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4 &&
           (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U)
      --begin;
    return character_at(text.data() + begin, text.data() + text.size()).code_point;
  }

  std::array<After, 128> after_{};  // of ASCII characters: whether a cut may follow
  bool finds_words_ = false;        // a scanner of words cuts everywhere said above
  std::bitset<0x10000> forbidden_;  // pairs of bytes around a place that is none
};

}  // namespace dualagent
