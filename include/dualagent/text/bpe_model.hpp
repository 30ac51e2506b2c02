#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/text/bpe_merges.hpp"
#include "dualagent/text/byte_alphabet.hpp"
#include "dualagent/text/tokenizer_json.hpp"
#include "dualagent/text/word_cache.hpp"

namespace dualagent {

/// What the encoding of words keeps between them; for one thread at a time.
struct BpeScratch {
  explicit BpeScratch(std::size_t vocab_size) : cache(vocab_size) {}
  WordCache cache;
  std::vector<Token> word;
};

/// The vocabulary and merges of a byte-level BPE: words to tokens.
class BpeModel {
 public:
  BpeModel() = default;
  /// `bytes` by id must outlive the model. Special tokens take no part: nothing merges to one.
  /// A byte of UTF-8 without a token is left out, as the tokenizers package does.
  /// Errors: Error if a byte's token is special, or a byte without one would become another token.
  BpeModel(const TokenizerDescription& file, std::span<const std::string_view> bytes,
           const std::vector<bool>& is_special, const std::string& where);

  /// Appends the tokens of one word, which is not empty.
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<Token>& tokens) const;

 private:
  static std::uint64_t hash_of(std::string_view word) {
    return std::hash<std::string_view>{}(word);
  }

  static bool is_in_utf8(std::size_t byte) { return byte < 0xC0 || (byte > 0xC1 && byte < 0xF5); }

  void check_bytes(const std::string& where) const {
    for (std::size_t byte = 0; byte < 256; ++byte)
      if (is_in_utf8(byte) && byte_tokens_[byte] < 0) refuse_byte(byte, where);
  }
  [[noreturn]] static void refuse_byte(std::size_t byte, const std::string& where);

  void merge(std::string_view word, std::vector<Token>& tokens) const;

  [[gnu::noinline]] void encode_unseen(std::string_view word, std::vector<Token>& tokens) const {
    if (const Token whole = find_word(word); whole >= 0)
      tokens.assign(1, whole);
    else
      merge(word, tokens);
  }

  /// Whether the merges make this token of its own bytes.
  bool merges_to(Token token, std::vector<Token>& word) const {
    merge(bytes_[static_cast<std::size_t>(token)], word);
    return word.size() == 1 && word[0] == token;
  }

  void make_words(std::span<const Token> ordinary);

  /// The token that a whole word is; -1 if there is none.
  Token find_word(std::string_view word) const;

  std::span<const std::string_view> bytes_;
  std::array<Token, 256> byte_tokens_{};
  BpeMerges merges_;
  std::vector<Token> words_;  // a hash table of ids, -1: empty
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/bpe_model.inl"
#endif
