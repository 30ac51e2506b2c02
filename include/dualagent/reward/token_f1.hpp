#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/reward/reward.hpp"

namespace dualagent {

namespace detail {

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

}  // namespace detail

/// How far two texts hold the same words, in [0, 1]: the harmonic mean of precision and recall over
/// words, each as often as it occurs. Case, punctuation and the articles a, an, the do not count;
/// two texts without words are equal.
///
/// Takes any bytes; case, punctuation and space are those of ASCII, other characters are parts of
/// words. Source: Rajpurkar et al., "SQuAD", 2016, section 6.1, normalisation of its evaluation.
/// Example: token_f1("the cat sat", "A cat!") == 2 / 3.
inline double token_f1(std::string_view right, std::string_view said) {
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

/// token_f1 of the answer with the task's; 0 without an answer.
struct TokenF1 {
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return rollout.answer ? token_f1(task.answer, *rollout.answer) : 0.0;
  }
};

}  // namespace dualagent
