#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/types.hpp"
#include "dualagent/text/tokenizer.hpp"

namespace dualagent {

/// A Tokenizer that knows where a text can be cut: the tokens of `text` up to
/// `tokenizer.last_cut(text, from)` and those of the rest, joined, are those of the whole, whatever
/// is appended to it. Places before `from` are not looked at; 0: there is no such place.
template <class T>
concept CuttingTokenizer = Tokenizer<T> && requires(const T& tokenizer, std::string_view text) {
  { tokenizer.last_cut(text, std::size_t{0}) } -> std::same_as<std::size_t>;
};

/// Encodes a text that grows, without encoding again what is final.
///
/// After each step, all that `append` has returned, and then `open()`, are the tokens of the whole
/// text so far. Cost: `append` encodes each byte once, when it has become final; `open` encodes
/// what is not final yet, commonly the last word. A text without a place to cut (Base64, Thai, a
/// tokenizer.json with expressions of its own) is final at its end only.
///
/// Example: IncrementalEncoder encoder(tokenizer);
///          for (std::string part; receive(part);) use(encoder.append(part));
///          use(encoder.finish());
template <CuttingTokenizer T>
class IncrementalEncoder {
 public:
  explicit IncrementalEncoder(T tokenizer) : tokenizer_(std::move(tokenizer)) {}

  /// The tokens that are final with this text; may be none. Its end may split a character.
  std::vector<Token> append(std::string_view text) {
    // The last bytes before may have been the beginning of the character behind a cut.
    const std::size_t from = open_.size() < 3 ? 0 : open_.size() - 3;
    open_ += text;
    const std::size_t cut = tokenizer_.last_cut(open_, from);
    std::vector<Token> tokens;
    if (cut == 0) return tokens;
    tokenizer_.encode(std::string_view(open_).substr(0, cut), tokens);
    open_.erase(0, cut);
    return tokens;
  }

  /// The tokens of what is not final, as if the text ended here.
  std::vector<Token> open() const {
    std::vector<Token> tokens;
    tokenizer_.encode(open_, tokens);
    return tokens;
  }

  /// Ends the text: `open()`, once. What is appended then is another text.
  std::vector<Token> finish() {
    std::vector<Token> tokens = open();
    open_.clear();
    return tokens;
  }

 private:
  T tokenizer_;
  std::string open_;  // what is not final
};

}  // namespace dualagent
