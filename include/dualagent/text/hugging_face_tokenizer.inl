#pragma once

/// Definitions of hugging_face_tokenizer.hpp; see core/compiled.hpp.

#include "dualagent/text/hugging_face_tokenizer.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string_view HuggingFaceTokenizer::bytes_of(Token token) const {
  return token >= 0 && static_cast<std::size_t>(token) < vocab_size()
             ? state_->bytes[static_cast<std::size_t>(token)]
             : std::string_view();
}

DUALAGENT_INLINE std::optional<Token> HuggingFaceTokenizer::special(std::string_view name) const {
  const auto found = state_->added.find(std::string(name));
  return found == state_->added.end() ? std::nullopt : std::optional(found->second);
}

DUALAGENT_INLINE bool HuggingFaceTokenizer::is_special(Token token) const {
  return token >= 0 && static_cast<std::size_t>(token) < vocab_size() &&
         state_->is_special[static_cast<std::size_t>(token)];
}

DUALAGENT_INLINE HuggingFaceTokenizer::HuggingFaceTokenizer(TokenizerDescription&& file,
                                                            const std::string& where)
    : state_(std::make_shared<State>()) {
  State& state = *state_;
  state.nfc = file.nfc;
  state.steps = std::move(file.steps);
  state.cuts = TextCuts(state.steps);
  state.before = std::move(file.before);
  state.after = std::move(file.after);
  Token most = 0;
  for (const auto& [spelling, id] : file.vocabulary) most = std::max(most, id);
  for (const AddedToken& token : file.added) most = std::max(most, token.id);
  state.is_special.resize(static_cast<std::size_t>(most) + 1);
  store_bytes(file);
  store_added(file);
  state.model = BpeModel(file, state.bytes, state.is_special, where);
}

DUALAGENT_INLINE void HuggingFaceTokenizer::store_bytes(const TokenizerDescription& file) {
  State& state = *state_;
  std::vector<std::pair<std::size_t, std::size_t>> places(state.is_special.size());
  const auto store = [&](const std::string& spelling, Token id) {
    const std::string bytes = bytes_of_spelling(spelling).value_or(spelling);
    places[static_cast<std::size_t>(id)] = {state.storage.size(), bytes.size()};
    state.storage += bytes;
  };
  for (const auto& [spelling, id] : file.vocabulary) store(spelling, id);
  for (const AddedToken& token : file.added) store(spelling_of(token), token.id);
  for (const auto& [begin, size] : places)
    state.bytes.push_back(std::string_view(state.storage).substr(begin, size));
}

DUALAGENT_INLINE std::string HuggingFaceTokenizer::spelling_of(const AddedToken& token) const {
  if (!token.normalized || !state_->nfc) return token.content;
  std::string spelling;
  append_nfc(token.content, spelling);
  return spelling;
}

DUALAGENT_INLINE void HuggingFaceTokenizer::store_added(const TokenizerDescription& file) {
  State& state = *state_;
  for (const bool special : {true, false})  // of equal spellings a special token counts
    for (const AddedToken& token : file.added) {
      if (token.special != special) continue;
      state.added[token.content] = token.id;
      state.is_special[static_cast<std::size_t>(token.id)] = special;
      (token.normalized ? state.normalized : state.raw).add(token, spelling_of(token));
      state.cuts.keep(token, spelling_of(token));
    }
}

DUALAGENT_INLINE HuggingFaceTokenizer::Borrowed::Borrowed(State& state) : state_(state) {
  const std::lock_guard lock(state_.mutex);
  if (!state_.idle.empty()) {
    scratch_ = std::move(state_.idle.back());
    state_.idle.pop_back();
  }
}

DUALAGENT_INLINE void HuggingFaceTokenizer::encode(std::string_view text, bool special,
                                                   std::vector<Token>& tokens) const {
  Borrowed borrowed(*state_);
  BpeScratch& scratch = *borrowed;
  std::string normal_form;
  state_->raw.for_each_part(text, special, [&](const AddedPart& part) {
    if (part.token) return tokens.push_back(*part.token);
    std::string_view plain = part.text;
    if (state_->nfc && !is_surely_nfc(plain)) {
      normal_form.clear();
      append_nfc(plain, normal_form);
      plain = normal_form;
    }
    state_->normalized.for_each_part(plain, special, [&](const AddedPart& inner) {
      if (inner.token) return tokens.push_back(*inner.token);
      const auto encode_word = [&](std::string_view word) {
        state_->model.encode_word(word, scratch, tokens);
      };
      for_each_word(state_->steps.data(), state_->steps.data() + state_->steps.size(), inner.text,
                    encode_word);
    });
  });
}

}  // namespace dualagent
