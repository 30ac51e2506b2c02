#include "dualagent/text/added_tokens.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// The parts of a text, tokens as their ids in brackets.
std::string parts(const std::vector<AddedToken>& tokens, std::string_view text,
                  bool special = true) {
  AddedTokenFinder finder;
  for (const AddedToken& token : tokens) finder.add(token, token.content);
  std::string shown;
  finder.for_each_part(text, special, [&](const AddedPart& part) {
    shown += part.token ? "[" + std::to_string(*part.token) + ":" + std::string(part.text) + "]"
                        : "'" + std::string(part.text) + "'";
  });
  return shown;
}

}  // namespace

TEST_CASE("the leftmost, longest token is found", "[text]") {
  const std::vector<AddedToken> tokens = {{"<a>", 1}, {"<a>b", 2}, {"b", 3}, {"é", 4}};
  CHECK(parts(tokens, "x<a>bb<a>é") == "'x'[2:<a>b][3:b][1:<a>][4:é]");
  CHECK(parts(tokens, "<a<a>") == "'<a'[1:<a>]");
  CHECK(parts(tokens, "") == "");
  CHECK(parts({}, "text") == "'text'");
}

TEST_CASE("a special token's text stays text, and hides what is in it", "[text]") {
  const std::vector<AddedToken> tokens = {{.content = "<|b|>", .id = 1, .special = true}, {"b", 2}};
  CHECK(parts(tokens, "b<|b|>b") == "[2:b][1:<|b|>][2:b]");
  CHECK(parts(tokens, "b<|b|>b", false) == "[2:b]'<|b|>'[2:b]");
  CHECK(parts({tokens[0]}, "<|b|>", false) == "'<|b|>'");
}

TEST_CASE("tokens take white space and want to be words as their flags say", "[text]") {
  CHECK(parts({{.content = "L", .id = 1, .lstrip = true}}, "a \t\u3000L b") ==
        "'a'[1: \t\u3000L]' b'");
  CHECK(parts({{.content = "R", .id = 1, .rstrip = true}}, "a R \n b") == "'a '[1:R \n ]'b'");
  CHECK(parts({{.content = "R", .id = 1, .lstrip = true, .rstrip = true}}, "R R") == "[1:R ][1:R]");
  const std::vector<AddedToken> word = {{.content = "w", .id = 1, .single_word = true}};
  CHECK(parts(word, "w aw wa w1 w_ éw w. -w") == "[1:w]' aw wa w1 w_ éw '[1:w]'. -'[1:w]");
}
