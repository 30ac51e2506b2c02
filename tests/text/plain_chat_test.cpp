#include "dualagent/text/plain_chat.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
std::string opened(const Opening& opening) {
  Pieces pieces;
  PlainChat{}.open(pieces, opening);
  return pieces.str();
}
}  // namespace

TEST_CASE("a plain chat begins with the system message where there is one", "[text]") {
  CHECK(opened({.user = "Hi"}) == "User:\nHi\n\n");
  CHECK(opened({.system = "Be brief.", .user = "Hi"}) == "System:\nBe brief.\n\nUser:\nHi\n\n");
  CHECK(opened({.tools = "Tools: add", .user = "Hi"}) == "System:\nTools: add\n\nUser:\nHi\n\n");
  CHECK(opened({.system = "Be brief.", .tools = "Tools: add", .user = "Hi"}) ==
        "System:\nBe brief.\n\nTools: add\n\nUser:\nHi\n\n");
}

TEST_CASE("messages of a plain chat follow one another as text alone", "[text]") {
  const PlainChat chat{.user_header = "U:", .result_header = "R:", .assistant_header = "A:"};
  Pieces pieces;
  chat.assistant(pieces);
  chat.after_turn(pieces);
  chat.results(pieces, std::vector<std::string>{"1", "2"});
  chat.begin_user(pieces);
  pieces.text("go on");
  chat.end_user(pieces);
  CHECK(pieces.str() == "A:\n\nR:1\n\nR:2\n\nU:go on\n\n");
  REQUIRE(pieces.all().size() == 1);
  CHECK(pieces.all()[0].kind == Piece::Kind::text);
}
