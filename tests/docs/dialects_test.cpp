// The dialect that docs/dialects.md composes by hand, against the model's own template.
#include <array>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/tokenizer.hpp"
#include "laws/dialect_laws.hpp"
#include "support/catch.hpp"
#include "support/chats.hpp"

namespace da = dualagent;
#include "dialects/a-template-that-is-not-in-the-table.inc"

namespace {

using chats::Json;

/// Made by golden/chat_templates/make_known_templates.py with transformers.
Json granite_golden() {
  const Json stored =
      Json::parse(std::ifstream(DUALAGENT_TEST_DATA "/chat_templates/known_templates.json"));
  return {{"tools", stored.at("tools")}, {"cases", stored.at("composed").at(0).at("cases")}};
}

const da::ByteTokenizer kBytes({"<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"});

}  // namespace

TEST_CASE("the page's template writes what transformers writes", "[docs][golden]") {
  const Json golden = granite_golden();
  REQUIRE(golden.at("cases").size() == 8);
  for (const Json& conversation : golden.at("cases")) {
    const da::Pieces pieces = chats::rendered(
        Granite4{}, Granite4Calls{}, golden.at("tools"), conversation,
        [](const Json& message) { return chats::spoken(Granite4Calls{}, message, "\n"); });
    CHECK(pieces.str() == conversation.at("text").get<std::string>());
  }
}

TEST_CASE("the page's dialect writes turns that it reads, and obeys the laws", "[docs][laws]") {
  const auto dialect = granite4(kBytes, {.tools = {{"f", "", "{\"type\": \"object\"}"}}});
  const auto turn = dialect.write_turn({.text = "So", .calls = {{"f", "{\"x\": 1}"}}});
  CHECK(da::decode(kBytes, turn) ==
        "So\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>");
  CHECK(std::get<std::vector<da::ToolCall>>(dialect.parse_turn(turn)).at(0).arguments ==
        "{\"x\": 1}");
  CHECK(da::decode(kBytes, dialect.observation(std::vector<std::string>{"2"}, turn)) ==
        "<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>\n<tool_response>\n2\n"
        "</tool_response><|end_of_text|>\n");
  const std::vector<da::Task> tasks{{.id = "a", .prompt = "<|end_of_text|>\xFF"}};
  CHECK(laws::of_dialect(dialect, tasks, kBytes.vocab_size()) == laws::Violations{});
}
