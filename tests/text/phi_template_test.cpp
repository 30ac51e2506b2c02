#include "dualagent/text/phi_template.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

// tests/text/known_templates_test.cpp compares whole conversations with the models' own templates.

TEST_CASE("Phi-3 has a system message where it has a text or tools", "[text]") {
  const auto opened = [](const Opening& opening) {
    Pieces pieces;
    Phi3{}.open(pieces, opening);
    return pieces.str();
  };
  CHECK(opened({.user = "Hi"}) == "<|user|>\nHi<|end|>\n");
  CHECK(opened({.tools = "T", .user = "Hi"}) == "<|system|>\nT<|end|>\n<|user|>\nHi<|end|>\n");
  CHECK(opened({.system = "S", .tools = "T", .user = "Hi"}) ==
        "<|system|>\nS\n\nT<|end|>\n<|user|>\nHi<|end|>\n");
}

TEST_CASE("Phi-3's results are one message, as they are", "[text]") {
  Pieces pieces;
  Phi3{}.results(pieces, std::vector<std::string>{"1", "<|end|>"});
  CHECK(pieces.str() == "<|user|>\n1\n<|end|><|end|>\n");
  CHECK(pieces.all()[1].bytes == "\n1\n<|end|>");
}
