#pragma once

/// Definitions of tokenizer.hpp; see core/compiled.hpp.

#include "dualagent/text/tokenizer.hpp"

namespace dualagent {

DUALAGENT_INLINE ByteTokenizer::ByteTokenizer(std::vector<std::string> specials)
    : specials_(std::move(specials)) {
  for (std::size_t i = 0; i < 256; ++i) bytes_[i] = static_cast<char>(i);
  for (std::size_t i = 0; i < specials_.size(); ++i) {
    if (specials_[i].empty())
      throw Error("a special token has no name", "special token " + std::to_string(i));
    if (special(specials_[i]) != static_cast<Token>(256 + i))
      throw Error("the special token '" + specials_[i] + "' is given twice", "ByteTokenizer",
                  "Give every special token once");
  }
}

DUALAGENT_INLINE void ByteTokenizer::encode(std::string_view text,
                                            std::vector<Token>& tokens) const {
  tokens.reserve(tokens.size() + text.size());
  for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
}

DUALAGENT_INLINE std::string_view ByteTokenizer::bytes_of(Token token) const {
  if (is_special(token)) return specials_[static_cast<std::size_t>(token) - 256];
  if (token < 0 || token >= 256) return {};
  return {bytes_ + token, 1};
}

DUALAGENT_INLINE std::optional<Token> ByteTokenizer::special(std::string_view name) const {
  for (std::size_t i = 0; i < specials_.size(); ++i)
    if (specials_[i] == name) return static_cast<Token>(256 + i);
  return std::nullopt;
}

}  // namespace dualagent
