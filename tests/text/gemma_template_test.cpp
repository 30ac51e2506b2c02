#include "dualagent/text/gemma_template.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

// tests/text/known_templates_test.cpp compares whole conversations with the models' own templates.

TEST_CASE("Gemma has the system's text and the tools in the first message", "[text]") {
  const auto opened = [](const Opening& opening) {
    Pieces pieces;
    Gemma{}.open(pieces, opening);
    return pieces.str();
  };
  CHECK(opened({.user = " Hi "}) == "<bos><start_of_turn>user\nHi<end_of_turn>\n");
  CHECK(opened({.system = "S", .tools = "T", .user = "Hi"}) ==
        "<bos><start_of_turn>user\nS\n\nT\n\nHi<end_of_turn>\n");
}

TEST_CASE("Gemma's results are one message, as they are", "[text]") {
  Pieces pieces;
  Gemma{}.results(pieces, std::vector<std::string>{" 1", "<end_of_turn>"});
  CHECK(pieces.str() == "<start_of_turn>user\n 1\n<end_of_turn><end_of_turn>\n");
  CHECK(pieces.all()[1].bytes == "user\n 1\n<end_of_turn>");
}
