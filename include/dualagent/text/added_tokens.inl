#pragma once

/// Definitions of added_tokens.hpp; see core/compiled.hpp.

#include "dualagent/text/added_tokens.hpp"

namespace dualagent {

DUALAGENT_INLINE void AddedTokenFinder::add(const AddedToken& token, const std::string& spelling) {
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

DUALAGENT_INLINE std::pair<std::uint32_t, std::size_t> AddedTokenFinder::longest_at(
    std::string_view text, std::size_t begin) const {
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

DUALAGENT_INLINE CharacterAt AddedTokenFinder::last_character(std::string_view text) {
  const char* at = text.data() + text.size() - 1;
  for (int i = 0; i < 3 && at != text.data() && (static_cast<unsigned char>(*at) & 0xC0U) == 0x80U;
       ++i)
    --at;
  return {character_at(at, text.data() + text.size()).code_point, at};
}

DUALAGENT_INLINE bool AddedTokenFinder::begins_with_word(std::string_view text) {
  return !text.empty() &&
         UnicodeTable::get().is_in(character_at(text.data(), text.data() + text.size()).code_point,
                                   kWordCategories);
}

DUALAGENT_INLINE std::size_t AddedTokenFinder::space_begin(std::string_view text) {
  while (!text.empty()) {
    const CharacterAt last = last_character(text);
    if (!UnicodeTable::get().is_space(last.code_point)) break;
    text = text.substr(0, static_cast<std::size_t>(last.next - text.data()));
  }
  return text.size();
}

DUALAGENT_INLINE std::size_t AddedTokenFinder::space_size(std::string_view text) {
  const char *at = text.data(), *end = at + text.size();
  while (at != end && UnicodeTable::get().is_space(character_at(at, end).code_point))
    at = character_at(at, end).next;
  return static_cast<std::size_t>(at - text.data());
}

}  // namespace dualagent
