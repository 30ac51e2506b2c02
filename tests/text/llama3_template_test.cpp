#include "dualagent/text/llama3_template.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

// tests/text/chat_template_test.cpp compares whole conversations with the model's own template.

TEST_CASE("Llama 3 puts its dates first and the tools into the user's message", "[text]") {
  const Llama3 llama{.knowledge_date = "May 2020", .today = "1 Jan 2021"};
  const std::string dates = "Cutting Knowledge Date: May 2020\nToday Date: 1 Jan 2021\n\n";
  const std::string system = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n";
  const std::string user = "<|start_header_id|>user<|end_header_id|>\n\n";
  const auto opened = [&](const Opening& opening) {
    Pieces pieces;
    llama.open(pieces, opening);
    return pieces.str();
  };
  CHECK(opened({.system = " Be brief.\n", .user = " Hi "}) ==
        system + dates + "Be brief.<|eot_id|>" + user + "Hi<|eot_id|>");
  CHECK(opened({.tools = "T\n\n", .user = "Hi"}) ==
        system + "Environment: ipython\n" + dates + "<|eot_id|>" + user + "T\n\nHi<|eot_id|>");
  Pieces undated, bare;
  Llama3{.knowledge_date = ""}.open(undated, {.system = "S", .user = "Hi"});
  Llama3{.knowledge_date = ""}.open(bare, {.user = "Hi"});
  CHECK(undated.str() == system + "S<|eot_id|>" + user + "Hi<|eot_id|>");
  CHECK(bare.str() == "<|begin_of_text|>" + user + "Hi<|eot_id|>");
}

TEST_CASE("each result of Llama 3 is a message of its own, as it is", "[text]") {
  Pieces pieces;
  Llama3{}.results(pieces, std::vector<std::string>{" 1 ", "<|eot_id|>"});
  CHECK(pieces.str() ==
        "<|start_header_id|>ipython<|end_header_id|>\n\n 1 <|eot_id|>"
        "<|start_header_id|>ipython<|end_header_id|>\n\n<|eot_id|><|eot_id|>");
  // What a tool prints ends no turn: the second message holds that text, and one special token.
  CHECK(pieces.all()[pieces.all().size() - 2].kind == Piece::Kind::text);
  CHECK(pieces.all().back().kind == Piece::Kind::special);
}

TEST_CASE("what Llama 3 said is trimmed, as its own template does", "[text]") {
  Pieces pieces;
  Llama3{}.said(pieces, "", " 4\n");
  CHECK(pieces.str() == "4");
}
