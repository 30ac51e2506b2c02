#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/text/tokenizer.hpp"

namespace dualagent {

/// A run of bytes of a prompt, and how it becomes tokens.
struct Piece {
  enum class Kind : std::uint8_t {
    text,     ///< encoded; never gives a special token
    special,  ///< the special token of that name, which the tokenizer must have
    marker    ///< the special token of that name where the tokenizer has it, else text
  };
  Kind kind = Kind::text;
  std::string bytes;
};

/// A prompt as a template writes it: text from outside, and special tokens that only the template
/// can write. Whatever a task, a tool or a user says, it says in `text`.
/// Example: Pieces{}.special("<|im_start|>").text("user\n").text(question).
class Pieces {
 public:
  Pieces& text(std::string_view bytes) { return add(Piece::Kind::text, bytes); }
  Pieces& special(std::string_view name) { return add(Piece::Kind::special, name); }
  Pieces& marker(std::string_view name) { return add(Piece::Kind::marker, name); }

  /// Text in which each occurrence of a marker's name is that marker. For text of the protocol
  /// itself, never for text from outside. Linear in the text for a fixed number of markers.
  Pieces& marked_text(std::string_view bytes, std::span<const std::string_view> markers);

  std::span<const Piece> all() const { return pieces_; }

  /// All bytes, special tokens by their names.
  std::string str() const {
    std::string bytes;
    for (const Piece& piece : pieces_) bytes += piece.bytes;
    return bytes;
  }

 private:
  Pieces& add(Piece::Kind kind, std::string_view bytes);

  std::vector<Piece> pieces_;
};

/// The tokens of a prompt; text between two special tokens is encoded as a whole.
/// Errors: Error if the tokenizer lacks a special token.
template <Tokenizer T>
std::vector<Token> encode(const T& tokenizer, const Pieces& pieces) {
  std::vector<Token> tokens;
  std::string text;
  for (const Piece& piece : pieces.all()) {
    const auto token =
        piece.kind == Piece::Kind::text ? std::nullopt : tokenizer.special(piece.bytes);
    if (!token && piece.kind == Piece::Kind::special)
      throw Error("the tokenizer has no special token '" + piece.bytes + "'", "chat template",
                  "Use the template that belongs to the model, or add the token");
    if (!token) {
      text += piece.bytes;
      continue;
    }
    tokenizer.encode(text, tokens);
    text.clear();
    tokens.push_back(*token);
  }
  tokenizer.encode(text, tokens);
  return tokens;
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/pieces.inl"
#endif
