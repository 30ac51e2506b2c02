#include "dualagent/text/pieces.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// t(text), s(special), m(marker) of each piece.
std::string shown(const Pieces& pieces) {
  std::string text;
  for (const Piece& piece : pieces.all())
    text += std::string(1, "tsm"[static_cast<std::size_t>(piece.kind)]) + "(" + piece.bytes + ")";
  return text;
}

constexpr std::array<std::string_view, 2> kMarkers{"<call>", "</call>"};

}  // namespace

TEST_CASE("text that stands together is one piece, special tokens are their own", "[text]") {
  const Pieces pieces =
      Pieces{}.text("a").text("").text("b").special("<s>").text("").special("<s>").text("c");
  CHECK(shown(pieces) == "t(ab)s(<s>)s(<s>)t(c)");
  CHECK(pieces.str() == "ab<s><s>c");
  CHECK(Pieces{}.text("").all().empty());
}

TEST_CASE("markers are found in text of the protocol only where it asks for them", "[text]") {
  CHECK(shown(Pieces{}.marked_text("x<call>y</call>", kMarkers)) == "t(x)m(<call>)t(y)m(</call>)");
  CHECK(shown(Pieces{}.marked_text("<call><call>", kMarkers)) == "m(<call>)m(<call>)");
  CHECK(shown(Pieces{}.marked_text("a < b <cal <<call>", kMarkers)) == "t(a < b <cal <)m(<call>)");
  CHECK(shown(Pieces{}.marked_text("", kMarkers)) == "");
  CHECK(shown(Pieces{}.marked_text("<call>", {})) == "t(<call>)");
  constexpr std::array<std::string_view, 2> kOthers{"[ARGS]", "/end"};
  CHECK(shown(Pieces{}.marked_text("f[ARGS][1]<call>//end", kOthers)) ==
        "t(f)m([ARGS])t([1]<call>/)m(/end)");
  CHECK(shown(Pieces{}.text("<call>")) == "t(<call>)");
}

TEST_CASE("text between special tokens is encoded as a whole and never makes one", "[text]") {
  const ByteTokenizer tokenizer({"<s>", "<call>"});  // tokens 256 and 257
  const auto tokens = [&](const Pieces& pieces) { return encode(tokenizer, pieces); };
  using Tokens = std::vector<Token>;
  CHECK(tokens(Pieces{}.text("A").special("<s>").text("B")) == Tokens{'A', 256, 'B'});
  CHECK(tokens(Pieces{}.marker("<call>")) == Tokens{257});
  CHECK(tokens(Pieces{}.text("<s>")) == Tokens{'<', 's', '>'});
  // A marker that the tokenizer lacks is text like that around it.
  CHECK(tokens(Pieces{}.text("a").marker("<x>").text("b")) == Tokens{'a', '<', 'x', '>', 'b'});
  CHECK(tokens(Pieces{}).empty());
  CHECK_THROWS_WITH(tokens(Pieces{}.text("a").special("<end>")),
                    ContainsSubstring("no special token '<end>'"));
}
