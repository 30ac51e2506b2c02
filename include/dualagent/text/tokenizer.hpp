#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"

namespace dualagent {

/// Bytes to tokens and back.
///
/// Syntactic requirements on a tokenizer t:
/// 1. `t.vocab_size()`: tokens are 0, 1, ... below it.
/// 2. `t.encode(text, tokens)` appends the tokens of the text to a vector.
/// 3. `t.bytes_of(token)` returns the bytes of one token as a std::string_view that lives as long
///    as t; the name of a special token; nothing for a token outside the vocabulary.
/// 4. `t.special(name)` returns the token of that name for a template, e.g. "<|im_end|>", or
/// nothing.
/// 5. `t.is_special(token)` tells whether only a template can write the token.
/// Semantic requirements: pure; the bytes of `encode(text)`, joined, are the text in the
/// tokenizer's normalisation, which it documents (none, or NFC); `encode` takes any bytes and never
/// makes a token for which `is_special`, whatever the text spells. `special` may also return tokens
/// that text makes: the added tokens of some models (laws: tests/laws/tokenizer_laws.hpp).
template <class T>
concept Tokenizer = requires(const T& tokenizer, std::string_view text, Token token,
                             std::vector<Token>& tokens) {
  { tokenizer.vocab_size() } -> std::convertible_to<std::size_t>;
  tokenizer.encode(text, tokens);
  { tokenizer.bytes_of(token) } -> std::same_as<std::string_view>;
  { tokenizer.special(text) } -> std::same_as<std::optional<Token>>;
  { tokenizer.is_special(token) } -> std::convertible_to<bool>;
};

/// One readable sentence if T is not a Tokenizer.
template <class T>
consteval bool check_tokenizer() {
  static_assert(
      Tokenizer<T>,
      "dualagent: a Tokenizer needs vocab_size, encode, bytes_of, special and is_special; "
      "see docs/dialects.md#tokenizers");
  return true;
}

/// Refuses a tokenizer whose tokens a model with `rows` rows of embeddings does not have. A model
/// may have more rows than the tokenizer has tokens: its makers pad them.
template <Tokenizer T>
void check_fits_model(const T& tokenizer, std::size_t rows) {
  if (tokenizer.vocab_size() > rows)
    throw Error("the tokenizer has tokens up to " + std::to_string(tokenizer.vocab_size() - 1) +
                    ", the model only " + std::to_string(rows) + " rows",
                "tokenizer and model", "Use the tokenizer that belongs to the model");
}

/// The tokens as bytes; special tokens are written as their names.
template <Tokenizer T>
std::string decode(const T& tokenizer, std::span<const Token> tokens) {
  std::string text;
  for (const Token token : tokens) text += tokenizer.bytes_of(token);
  return text;
}

/// A tokenizer without a model's vocabulary: token b is the byte b, and 256, 257, ... are the given
/// special tokens. Any text can be written in it, at one token a byte; for tests and first steps.
///
/// Errors: the constructor throws Error for an empty name or one given twice.
/// Example: ByteTokenizer tokenizer({"<|im_start|>", "<|im_end|>"});
class ByteTokenizer {
 public:
  explicit ByteTokenizer(std::vector<std::string> specials = {});

  std::size_t vocab_size() const { return 256 + specials_.size(); }

  void encode(std::string_view text, std::vector<Token>& tokens) const;

  /// Each byte is a token: a text can be cut anywhere (IncrementalEncoder).
  std::size_t last_cut(std::string_view text, std::size_t) const { return text.size(); }

  std::string_view bytes_of(Token token) const;

  std::optional<Token> special(std::string_view name) const;

  bool is_special(Token token) const {
    return token >= 256 && static_cast<std::size_t>(token) < vocab_size();
  }

 private:
  char bytes_[256];
  std::vector<std::string> specials_;
};
static_assert(Tokenizer<ByteTokenizer>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/tokenizer.inl"
#endif
