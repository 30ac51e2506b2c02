#include "ledger_smollm2/debt_calls.hpp"

#include <variant>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace ledger_smollm2;
using dualagent::Answer;
using dualagent::MalformedTurn;
using dualagent::ToolCall;

TEST_CASE("a turn is a lookup, a sum, or malformed", "[ledger_smollm2]") {
  const DebtCalls format;
  const auto calls = std::get<std::vector<ToolCall>>(format.parse("lookup David."));
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].tool == "lookup");
  CHECK(calls[0].arguments == R"({"name":"David"})");
  CHECK(std::get<Answer>(format.parse("Total 58+6=64.")).text == "64");
  CHECK(std::get<Answer>(format.parse("Total 58+6=63.")).text == "63");  // wrong, and read
  CHECK(std::get<Answer>(format.parse("Total 64.")).text == "64");
  for (const char* said :
       {"", "David", "lookup .", "lookup David", "lookup David. And Luke.", "lookup D4vid.",
        "Total 58+6=64. Next is John.", "64", " lookup David."}) {
    INFO(said);
    CHECK(std::holds_alternative<MalformedTurn>(format.parse(said)));
  }
}

TEST_CASE("a call ends with its full stop, a sum never is a call", "[ledger_smollm2]") {
  const DebtCalls format;
  CHECK(format.call_end("lookup David.") == 13);
  CHECK(format.call_end("lookup David. And") == 13);
  CHECK_FALSE(format.call_end("lookup David"));
  CHECK_FALSE(format.call_end("Total 64."));
}

TEST_CASE("calls are written as they are read; others are refused", "[ledger_smollm2]") {
  const DebtCalls format;
  const std::vector<ToolCall> one{{"lookup", R"({"name": "Luke"})"}};
  CHECK(format.render_calls(one) == "lookup Luke.");
  const auto refusal = [&](std::vector<ToolCall> calls) {
    return error_of([&] { format.render_calls(calls); });
  };
  CHECK_THAT(refusal({}), ContainsSubstring("only one call"));
  CHECK_THAT(refusal({one[0], one[0]}), ContainsSubstring("only one call"));
  CHECK_THAT(refusal({{"python", R"({"name": "Luke"})"}}), ContainsSubstring("only one call"));
  CHECK_THAT(refusal({{"lookup", R"({"name": "L. uke"})"}}), ContainsSubstring("only one call"));
  CHECK_THAT(refusal({{"lookup", R"({"page": "Luke"})"}}), ContainsSubstring("only one call"));
}
