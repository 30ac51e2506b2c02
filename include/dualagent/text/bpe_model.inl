#pragma once

/// Definitions of bpe_model.hpp; see core/compiled.hpp.

#include "dualagent/text/bpe_model.hpp"

namespace dualagent {

DUALAGENT_INLINE BpeModel::BpeModel(const TokenizerDescription& file,
                                    std::span<const std::string_view> bytes,
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

DUALAGENT_INLINE void BpeModel::encode_word(std::string_view word, BpeScratch& scratch,
                                            std::vector<Token>& tokens) const {
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

DUALAGENT_INLINE void BpeModel::refuse_byte(std::size_t byte, const std::string& where) {
  std::string spelling;
  append_utf8(spelling, detail::kByteCharacters[byte]);
  throw Error("model.vocab has no token '" + spelling + "' for byte " + std::to_string(byte) +
                  " that is not special",
              where, "Only vocabularies with an ordinary token for each byte are read");
}

DUALAGENT_INLINE void BpeModel::merge(std::string_view word, std::vector<Token>& tokens) const {
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

DUALAGENT_INLINE void BpeModel::make_words(std::span<const Token> ordinary) {
  std::size_t size = 16;
  while (size < ordinary.size() * 2) size *= 2;
  words_.assign(size, -1);
  for (const Token token : ordinary) {
    std::size_t at = hash_of(bytes_[static_cast<std::size_t>(token)]) & (size - 1);
    while (words_[at] >= 0) at = (at + 1) & (size - 1);
    words_[at] = token;
  }
}

DUALAGENT_INLINE Token BpeModel::find_word(std::string_view word) const {
  const std::size_t mask = words_.size() - 1;
  for (std::size_t at = hash_of(word) & mask; words_[at] >= 0; at = (at + 1) & mask)
    if (bytes_[static_cast<std::size_t>(words_[at])] == word) return words_[at];
  return -1;
}

}  // namespace dualagent
