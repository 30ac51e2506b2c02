#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/text/tokenizer.hpp"

namespace dualagent {

namespace detail {

/// Whether the text, a part of one character, could become a whole one by more bytes.
bool can_be_completed(std::string_view text);

}  // namespace detail

/// The bytes as valid UTF-8: each maximal part of a character that is not whole becomes U+FFFD, as
/// the tokenizers package, Python and browsers do.
std::string valid_utf8(std::string_view bytes);

/// Decodes tokens one at a time, without ever splitting a character of UTF-8: what has no end yet
/// waits for the next token. All that `push` and `finish` return, joined, is `decode` of the
/// tokens. Example: for (Token token : sampled) std::cout << text.push(token);
template <Tokenizer T>
class TokenText {
 public:
  explicit TokenText(T tokenizer) : tokenizer_(std::move(tokenizer)) {}

  /// The characters that are complete with this token; may be empty.
  std::string push(Token token) {
    waiting_ += tokenizer_.bytes_of(token);
    std::size_t end = waiting_.size();
    for (std::size_t back = 1; back <= 3 && back <= waiting_.size(); ++back)
      if (detail::can_be_completed(std::string_view(waiting_).substr(waiting_.size() - back)))
        end = waiting_.size() - back;
    std::string complete = waiting_.substr(0, end);
    waiting_.erase(0, end);
    return complete;
  }

  /// What still waits: the beginning of a character that has no end.
  std::string finish() { return std::exchange(waiting_, {}); }

 private:
  T tokenizer_;
  std::string waiting_;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/token_text.inl"
#endif
