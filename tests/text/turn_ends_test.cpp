#include "dualagent/text/turn_ends.hpp"

#include <array>
#include <string>
#include <vector>

#include "dualagent/text/chatml_templates.hpp"
#include "dualagent/text/glm_templates.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

const ByteTokenizer kBytes({"<|im_end|>", "<|endoftext|>", "<|user|>", "<|observation|>"});
const Token kImEnd = *kBytes.special("<|im_end|>"), kText = *kBytes.special("<|endoftext|>"),
            kUser = *kBytes.special("<|user|>"), kResults = *kBytes.special("<|observation|>");

std::vector<Token> said(Token last) { return {'4', '2', last}; }

std::string written(const TurnEnds& ends, NextMessage next) {
  Pieces pieces;
  ends.write(pieces, next);
  return pieces.str();
}
std::string closed(const TurnEnds& ends, const std::vector<Token>& turn) {
  Pieces pieces;
  ends.close(pieces, turn);
  return pieces.str();
}

/// Messages that do not open with a token of `other_ends`.
struct NoOpeners : Glm4 {
  using Glm4::Glm4;
  static constexpr std::array<std::string_view, 1> other_ends{"<|endoftext|>"};
};

}  // namespace

TEST_CASE("a template's own end is the first token that ends a turn", "[text]") {
  const TurnEnds ends(kBytes, ChatMl{});
  CHECK(ends.tokens() == std::vector<Token>{kImEnd, kText});
  for (const Token end : ends.tokens()) {
    CHECK(ends.without_end(said(end)).size() == 2);
    CHECK(closed(ends, said(end)).empty());
    CHECK(!ends.opened(said(end)));
  }
  CHECK(ends.without_end(said(kUser)).size() == 3);
  CHECK(closed(ends, said(kUser)) == "<|im_end|>");
  CHECK(closed(ends, {}) == "<|im_end|>");
  CHECK(written(ends, NextMessage::user) == "<|im_end|>");
  CHECK(written(ends, NextMessage::results) == "<|im_end|>");
}

TEST_CASE("without one, the openers of messages end turns", "[text]") {
  const TurnEnds ends(kBytes, Glm4{});
  CHECK(ends.tokens() == std::vector<Token>{kUser, kResults, kText});
  CHECK(ends.opened(said(kUser)) == NextMessage::user);
  CHECK(ends.opened(said(kResults)) == NextMessage::results);
  CHECK(!ends.opened(said(kText)));
  CHECK(!ends.opened({}));
  CHECK(ends.without_end(said(kResults)).size() == 2);
  CHECK(closed(ends, said('!')).empty());
  CHECK(written(ends, NextMessage::user) == "<|user|>");
  CHECK(written(ends, NextMessage::results) == "<|observation|>");
}

TEST_CASE("ends that are missing are refused", "[text]") {
  const ByteTokenizer none({"<|user|>"});
  CHECK_THROWS_WITH(TurnEnds(none, ChatMl{}), ContainsSubstring("'<|im_end|>'"));
  CHECK_THROWS_WITH(TurnEnds(none, Glm4{}), ContainsSubstring("'<|observation|>'"));
  CHECK_THROWS_WITH(TurnEnds(kBytes, NoOpeners()), ContainsSubstring("no end of their own"));
}
