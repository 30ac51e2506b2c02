#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/text/chat_template.hpp"
#include "dualagent/text/pieces.hpp"
#include "dualagent/text/tokenizer.hpp"

namespace dualagent {

/// Who speaks in the message that follows a turn of the model.
enum class NextMessage : std::uint8_t { user, results };

/// The tokens with which the turns of a chat template end.
///
/// A template ends its turns with a token of its own, or, where its `end_of_turn` is empty, with
/// the special token that opens the next message. That one is sampled with the turn and belongs to
/// it: the message that follows is of the kind that the turn has opened, and is written without it.
/// Errors: the constructor throws Error if the tokenizer lacks the token, or if turns end with
/// openers and a message opens with something else than one of `other_ends`.
class TurnEnds {
 public:
  template <Tokenizer Text, ChatTemplate Template>
  TurnEnds(const Text& tokenizer, const Template& chat) {
    if (std::string_view(chat.end_of_turn).empty()) {
      Pieces user, results;
      chat.user(user, "");
      chat.results(results, std::array{std::string()});
      names_ = {opener(user, chat), opener(results, chat)};
    } else {
      names_ = {std::string(chat.end_of_turn)};
    }
    for (const std::string& name : names_) tokens_.push_back(encode(tokenizer, only(name)).front());
    for (const std::string_view name : chat.other_ends)
      if (const auto token = tokenizer.special(name); token && !ends(*token))
        tokens_.push_back(*token);
  }

  /// For a StopRule; the first one ends an answer.
  const std::vector<Token>& tokens() const { return tokens_; }

  /// A turn without the token that ends it.
  std::span<const Token> without_end(std::span<const Token> said) const {
    return ended(said) ? said.first(said.size() - 1) : said;
  }

  /// The kind of message that the turn's last token has opened; nothing: none, it is to be opened.
  std::optional<NextMessage> opened(std::span<const Token> said) const {
    if (names_.size() == 1 || said.empty()) return std::nullopt;
    if (said.back() == tokens_[0]) return NextMessage::user;
    if (said.back() == tokens_[1]) return NextMessage::results;
    return std::nullopt;
  }

  /// Ends a turn that is answered by `next`, as the model would.
  void write(Pieces& pieces, NextMessage next) const {
    pieces.special(names_.size() == 1 || next == NextMessage::user ? names_[0] : names_[1]);
  }

  /// Ends what was said where it has no end, unless the next message does.
  void close(Pieces& pieces, std::span<const Token> said) const {
    if (names_.size() == 1 && !ended(said)) pieces.special(names_[0]);
  }

 private:
  template <ChatTemplate Template>
  static std::string opener(const Pieces& message, const Template& chat) {
    const std::span<const Piece> pieces = message.all();
    const std::span<const std::string_view> ends(chat.other_ends);
    if (!pieces.empty() && pieces.front().kind == Piece::Kind::special &&
        std::find(ends.begin(), ends.end(), pieces.front().bytes) != ends.end())
      return pieces.front().bytes;
    throw Error(
        "turns have no end of their own, but messages do not open with a special token of "
        "other_ends",
        "ChatTemplate", "Name the openers of a user's message and of results there");
  }

  static Pieces only(const std::string& name) {
    Pieces pieces;
    pieces.special(name);
    return pieces;
  }

  bool ends(Token token) const {
    return std::find(tokens_.begin(), tokens_.end(), token) != tokens_.end();
  }
  bool ended(std::span<const Token> said) const { return !said.empty() && ends(said.back()); }

  std::vector<std::string> names_;  // the end of turns, or the openers of user and results
  std::vector<Token> tokens_;       // those, then the other ends
};

}  // namespace dualagent
