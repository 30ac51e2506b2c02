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
           const std::vector<bool>& is_special, const std::string& where)
      : bytes_(bytes) {
    const auto special = [&](Token token) { return is_special[static_cast<std::size_t>(token)]; };
    byte_tokens_.fill(-1);
    std::vector<Token> ordinary;
    for (const auto& [spelling, id] : file.vocabulary) {
      if (!bytes_of_spelling(spelling)) continue;
      const std::string_view own = bytes_[static_cast<std::size_t>(id)];
      if (special(id) && own.size() == 1) refuse_byte(static_cast<unsigned char>(own[0]), where);
      if (special(id)) continue;
      if (own.size() == 1)
        byte_tokens_[static_cast<unsigned char>(own[0])] = id;
      else if (!own.empty())
        ordinary.push_back(id);
    }
    if (file.knows_unknown) check_bytes(where);
    std::vector<BpeMerge> merges;
    for (const BpeMerge& merge : file.merges)
      if (!special(merge.merged)) merges.push_back(merge);
    merges_ = BpeMerges(merges);
    std::vector<Token> word;
    if (!file.ignore_merges)
      std::erase_if(ordinary, [&](Token token) { return !merges_to(token, word); });
    make_words(ordinary);
  }

  /// Appends the tokens of one word, which is not empty.
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<Token>& tokens) const {
    if (word.size() == 1)
      if (const Token token = byte_tokens_[static_cast<unsigned char>(word[0])]; token >= 0)
        return tokens.push_back(token);
    if (word.size() > ShortWord::kMostBytes) {
      encode_unseen(word, scratch.word);
      tokens.insert(tokens.end(), scratch.word.begin(), scratch.word.end());
      return;
    }
    const ShortWord key(word);
    const std::uint64_t hash = key.hash();
    if (word.size() <= 8)
      if (const Token token = scratch.cache.find_one(key, hash); token >= 0)
        return tokens.push_back(token);
    std::span<const Token> found = scratch.cache.find(key, hash);
    if (found.empty()) {
      encode_unseen(word, scratch.word);
      scratch.cache.put(key, hash, scratch.word);
      found = scratch.word;
    }
    for (const Token token : found) tokens.push_back(token);
  }

 private:
  static std::uint64_t hash_of(std::string_view word) {
    return std::hash<std::string_view>{}(word);
  }

  static bool is_in_utf8(std::size_t byte) { return byte < 0xC0 || (byte > 0xC1 && byte < 0xF5); }

  void check_bytes(const std::string& where) const {
    for (std::size_t byte = 0; byte < 256; ++byte)
      if (is_in_utf8(byte) && byte_tokens_[byte] < 0) refuse_byte(byte, where);
  }
  [[noreturn]] static void refuse_byte(std::size_t byte, const std::string& where) {
    std::string spelling;
    append_utf8(spelling, detail::kByteCharacters[byte]);
    throw Error("model.vocab has no token '" + spelling + "' for byte " + std::to_string(byte) +
                    " that is not special",
                where, "Only vocabularies with an ordinary token for each byte are read");
  }

  void merge(std::string_view word, std::vector<Token>& tokens) const {
    tokens.clear();
    for (const char c : word) {
      const Token token = byte_tokens_[static_cast<unsigned char>(c)];
      if (token >= 0) tokens.push_back(token);
      if (token >= 0 || is_in_utf8(static_cast<unsigned char>(c))) continue;  // dropped
      for (const std::size_t byte : {0xEFU, 0xBFU, 0xBDU})                    // not UTF-8: U+FFFD
        if (byte_tokens_[byte] >= 0) tokens.push_back(byte_tokens_[byte]);
    }
    merges_.apply(tokens);
  }

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

  void make_words(std::span<const Token> ordinary) {
    std::size_t size = 16;
    while (size < ordinary.size() * 2) size *= 2;
    words_.assign(size, -1);
    for (const Token token : ordinary) {
      std::size_t at = hash_of(bytes_[static_cast<std::size_t>(token)]) & (size - 1);
      while (words_[at] >= 0) at = (at + 1) & (size - 1);
      words_[at] = token;
    }
  }

  /// The token that a whole word is; -1 if there is none.
  Token find_word(std::string_view word) const {
    const std::size_t mask = words_.size() - 1;
    for (std::size_t at = hash_of(word) & mask; words_[at] >= 0; at = (at + 1) & mask)
      if (bytes_[static_cast<std::size_t>(words_[at])] == word) return words_[at];
    return -1;
  }

  std::span<const std::string_view> bytes_;
  std::array<Token, 256> byte_tokens_{};
  BpeMerges merges_;
  std::vector<Token> words_;  // a hash table of ids, -1: empty
};

}  // namespace dualagent
