#pragma once

/// Definitions of token_f1.hpp; see core/compiled.hpp.

#include "dualagent/reward/token_f1.hpp"

namespace dualagent::detail {

inline bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

/// Words in small letters without punctuation and articles.
inline std::vector<std::string> normalized_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto close = [&] {
    if (!word.empty() && word != "a" && word != "an" && word != "the") words.push_back(word);
    word.clear();
  };
  for (const char c : text) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
    if (space)
      close();
    else if (!is_ascii_punctuation(c))
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  close();
  return words;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE double token_f1(std::string_view right, std::string_view said) {
  const std::vector<std::string> expected = detail::normalized_words(right);
  const std::vector<std::string> found = detail::normalized_words(said);
  if (expected.empty() || found.empty()) return expected.empty() == found.empty() ? 1.0 : 0.0;
  std::map<std::string_view, std::size_t> left;
  for (const std::string& word : expected) ++left[word];
  std::size_t common = 0;
  for (const std::string& word : found) {
    const auto at = left.find(word);
    if (at == left.end() || at->second == 0) continue;
    --at->second;
    ++common;
  }
  return 2.0 * static_cast<double>(common) / static_cast<double>(expected.size() + found.size());
}

}  // namespace dualagent
