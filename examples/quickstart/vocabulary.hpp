#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"

/// The 79 tokens of the ledger trail: tags, and one token per letter, digit and sign.
namespace quickstart::vocabulary {

using dualagent::Token;

inline constexpr std::array<std::string_view, 11> kTags{
    "<pad>",     "<bos>",     "<tool_call>", "</tool_call>", "<obs>",    "</obs>",
    "<sum_req>", "<summary>", "</summary>",  "<answer>",     "</answer>"};
inline constexpr std::string_view kCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789=:?>.+";

enum : Token {
  pad,
  bos,
  call_begin,
  call_end,
  observation_begin,
  observation_end,
  summary_request,
  summary_begin,
  summary_end,
  answer_begin,
  answer_end,
  first_character
};
inline constexpr std::size_t kSize = kTags.size() + kCharacters.size();
static_assert(kSize == 79 && kTags.size() == first_character);

inline std::optional<Token> find(char character) {
  const std::size_t index = kCharacters.find(character);
  if (index == std::string_view::npos) return std::nullopt;
  return first_character + static_cast<Token>(index);
}

/// Errors: Error for a character that has no token.
inline Token token(char character) {
  if (const std::optional<Token> found = find(character)) return *found;
  throw dualagent::Error("the character '" + std::string(1, character) + "' has no token",
                         "vocabulary", "Use letters, digits and =:?>.+");
}

/// "<tool_call>", "T", "4"...
inline std::string text(Token token) {
  const auto index = static_cast<std::size_t>(token);
  if (index < kTags.size()) return std::string(kTags[index]);
  if (index < kSize) return std::string(1, kCharacters[index - kTags.size()]);
  return "<" + std::to_string(token) + "?>";
}

inline bool is_page(Token token) {
  return token >= first_character && token < first_character + 26;  // A to Z
}

/// The value of a digit token; nothing for any other.
inline std::optional<int> digit(Token token) {
  const Token zero = first_character + 52;
  if (token < zero || token > zero + 9) return std::nullopt;
  return token - zero;
}

inline void append(std::vector<Token>& tokens, std::string_view characters) {
  for (const char character : characters) tokens.push_back(token(character));
}

}  // namespace quickstart::vocabulary
