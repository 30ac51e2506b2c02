#include "dualagent/text/deepseek_templates.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

// tests/text/known_templates_test.cpp compares whole conversations with the models' own templates.

namespace {

const std::string kBos = "<｜begin▁of▁sentence｜>";

template <class Template>
std::string header(const Template& chat) {
  Pieces pieces;
  chat.assistant(pieces);
  return pieces.str();
}

}  // namespace

TEST_CASE("DeepSeek's versions differ in what stands before a turn", "[text]") {
  CHECK(header(DeepSeekV3{}) == "<｜Assistant｜>");
  CHECK(header(DeepSeekR1{}) == "<｜Assistant｜><think>\n");
  CHECK(header(DeepSeekR1{false}) == "<｜Assistant｜>");
  CHECK(header(DeepSeekV31{}) == "<｜Assistant｜><think>");
  CHECK(header(DeepSeekV31{Thinking::off}) == "<｜Assistant｜></think>");
  CHECK(DeepSeekR1{}.begins_thinking());
  CHECK(!DeepSeekR1{false}.begins_thinking());
  CHECK(!DeepSeekV31{Thinking::off}.begins_thinking());
}

TEST_CASE("DeepSeek's system text is bare, tools follow it, results are a user message", "[text]") {
  Pieces bare, full, results;
  DeepSeekV3{}.open(bare, {.user = "U"});
  DeepSeekV3{}.open(full, {"S", "T", "U"});
  DeepSeekV3{}.results(results, std::vector<std::string>{"1", "<｜User｜>"});
  CHECK(bare.str() == kBos + "<｜User｜>U");
  CHECK(full.str() == kBos + "S\n\nT<｜User｜>U");
  REQUIRE(results.all().size() == 2);
  CHECK(results.all()[0].kind == Piece::Kind::special);
  CHECK(results.all()[1].kind == Piece::Kind::text);
  CHECK(results.all()[1].bytes == "1\n<｜User｜>");
}

TEST_CASE("a thought ends as DeepSeek's models end it", "[text]") {
  const auto said = [](const auto& chat, std::string_view thoughts) {
    Pieces pieces;
    chat.said(pieces, thoughts, "4");
    return pieces.str();
  };
  CHECK(said(DeepSeekR1{}, "2 + 2") == "2 + 2\n</think>\n\n4");
  CHECK(said(DeepSeekR1{false}, "2 + 2") == "<think>\n2 + 2\n</think>\n\n4");
  CHECK(said(DeepSeekV31{}, "2 + 2") == "2 + 2</think>4");
  CHECK(said(DeepSeekV31{Thinking::off}, "") == "4");
}
