#pragma once

/// Definitions of text_cuts.hpp; see core/compiled.hpp.

#include "dualagent/text/text_cuts.hpp"

namespace dualagent {

DUALAGENT_INLINE TextCuts::TextCuts(std::span<const SplitStep> steps) {
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

DUALAGENT_INLINE void TextCuts::keep(const AddedToken& token, std::string_view spelling) {
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

DUALAGENT_INLINE bool TextCuts::is_simple(const SplitStep& step) {
  return (step.behavior == SplitBehavior::isolated || step.behavior == SplitBehavior::removed) &&
         !std::holds_alternative<std::shared_ptr<const Expression>>(step.matcher);
}

DUALAGENT_INLINE bool TextCuts::is_cut(std::span<const SplitStep> steps, char32_t first,
                                       char32_t second) const {
  bool cut = finds_words_;
  for (const SplitStep& step : steps) {
    const auto* run = std::get_if<ClassRunPointer>(&step.matcher);
    if (run == nullptr) continue;
    if ((*run)->joins(first, second)) return false;
    cut = cut || (*run)->contains(first) || (*run)->contains(second);
  }
  return cut;
}

DUALAGENT_INLINE bool TextCuts::is_cut(std::string_view text, std::size_t at) const {
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

DUALAGENT_INLINE char32_t TextCuts::last_character(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && text.size() - begin < 4 &&
         (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U)
    --begin;
  return character_at(text.data() + begin, text.data() + text.size()).code_point;
}

}  // namespace dualagent
