#include "dualagent/tools/tool_box.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

/// Says which call of which task it answers; has a setting of its own.
struct Echo {
  static constexpr std::string_view name = "echo";
  std::string prefix;
  struct Arguments {
    std::string text;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    json.at("text").get_to(arguments.text);
  }
  std::string operator()(const Arguments& arguments, const CallInfo& info) const {
    return prefix + arguments.text + "@" + info.task->id + "#" + std::to_string(info.call);
  }
};

/// Reading its arguments throws what no JSON library throws.
struct OddArguments {
  static constexpr std::string_view name = "odd";
  struct Arguments {};
  friend void from_json(const nlohmann::json&, Arguments&) {
    throw Error("x must be even", "argument x");
  }
  std::string operator()(const Arguments&, const CallInfo&) const { return "never"; }
};

const ToolBox kBox{toy::Successor<Execution::immediate>{}, Echo{.prefix = ">"}, OddArguments{}};
const Task kTask{.id = "t7"};

ToolResult call(const std::string& tool, const std::string& arguments, std::size_t number = 0) {
  return kBox.call({tool, arguments}, {&kTask, number});
}

}  // namespace

TEST_CASE("a call reaches the tool it names with typed arguments, task and number", "[tools]") {
  const ToolResult sum = call("successor", R"({"x":4})");
  CHECK(sum.status == ToolStatus::ok);
  CHECK(sum.text == "5");
  CHECK(call("echo", R"({"text":"hello"})", 3).text == ">hello@t7#3");
}

TEST_CASE("an unknown tool is answered with the names of the known ones", "[tools]") {
  const ToolResult result = call("successo", "{}");
  CHECK(result.status == ToolStatus::unknown_tool);
  CHECK(result.text == "unknown tool 'successo'; the tools are: successor, echo, odd");
  CHECK(call("", "{}").status == ToolStatus::unknown_tool);
  CHECK(ToolBox<>{}.call({"x", "{}"}, {&kTask, 0}).text ==
        "unknown tool 'x'; the tools are: (none)");
}

TEST_CASE("arguments that cannot be read are answered with the reason", "[tools]") {
  const auto reason = [](const std::string& tool, const std::string& arguments) {
    const ToolResult result = call(tool, arguments);
    CHECK(result.status == ToolStatus::bad_arguments);
    return result.text;
  };
  CHECK_THAT(reason("successor", "{\"x\":"), ContainsSubstring("bad arguments for 'successor'"));
  CHECK_THAT(reason("successor", R"({"y":1})"), ContainsSubstring("'x' is missing"));
  CHECK_THAT(reason("successor", R"({"x":"four"})"),
             ContainsSubstring("'x' is not a whole number"));
  CHECK_THAT(reason("successor", R"([4])"), ContainsSubstring("bad arguments"));
  CHECK_THAT(reason("successor", R"({"x":4} {"x":5})"), ContainsSubstring("bad arguments"));
  CHECK_THAT(reason("successor", R"({"x":4, "x":5})"),
             ContainsSubstring("the key 'x' twice (the arguments)"));
  CHECK_THAT(reason("successor", std::string("{\"x\":4}\0{\"x\":5}", 15)),
             ContainsSubstring("byte 7 is NUL (the arguments). Write one JSON object"));
  CHECK_THAT(reason("odd", "{}"), ContainsSubstring("x must be even (argument x)"));
}

TEST_CASE("a throwing tool is a failed result, a broken environment passes through", "[tools]") {
  const ToolResult failed = call("successor", R"({"x":8})");
  CHECK(failed.status == ToolStatus::failed);
  CHECK(failed.text == "'successor' failed: no page 8");
  CHECK_THROWS_AS(call("successor", R"({"x":7})"), AbortRollout);
}

TEST_CASE("a tool box knows where each of its tools runs", "[tools]") {
  CHECK(kBox.execution({"successor", ""}) == Execution::immediate);
  CHECK(kBox.execution({"echo", ""}) == Execution::worker);
  CHECK(kBox.execution({"unknown", ""}) == Execution::immediate);  // answered at once
}

TEST_CASE("calls may run on several threads at once", "[tools]") {
  std::vector<std::string> texts(64);
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < 4; ++thread)
      threads.emplace_back([&texts, thread] {
        for (std::size_t i = thread; i < texts.size(); i += 4)
          texts[i] = call("successor", "{\"x\":" + std::to_string(i % 7) + "}").text;
      });
  }
  for (std::size_t i = 0; i < texts.size(); ++i) CHECK(texts[i] == std::to_string(i % 7 + 1));
}

namespace {

struct NotAnException {};

/// Throws what is not a std::exception, in its arguments or in its call.
struct Hostile {
  static constexpr std::string_view name = "hostile";
  struct Arguments {
    bool in_call = false;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    json.at("in_call").get_to(arguments.in_call);
    if (!arguments.in_call) throw 7;
  }
  std::string operator()(const Arguments&, const CallInfo&) const { throw NotAnException{}; }
};

/// Has an argument that no number fits.
struct Impossible {
  static constexpr std::string_view name = "impossible";
  struct Arguments {
    int x = 0;
    template <class Visitor>
    void describe(Visitor&& visit) {
      visit("x", x, {.minimum = 2, .maximum = 1});
    }
  };
  std::string operator()(const Arguments&, const CallInfo&) const { return ""; }
};

}  // namespace

TEST_CASE("a tool that throws what is not a std::exception fails like any other", "[tools]") {
  const ToolBox box{Hostile{}};
  const ToolResult arguments = box.call({"hostile", R"({"in_call":false})"}, {&kTask, 0});
  CHECK(arguments.status == ToolStatus::bad_arguments);
  CHECK(arguments.text == "bad arguments for 'hostile': an exception of type int");
  const ToolResult call = box.call({"hostile", R"({"in_call":true})"}, {&kTask, 0});
  CHECK(call.status == ToolStatus::failed);
  CHECK_THAT(call.text,
             ContainsSubstring("'hostile' failed") && ContainsSubstring("NotAnException"));
}

TEST_CASE("two tools of one name are refused", "[tools]") {
  CHECK_THAT(error_of([] {
               ToolBox{Echo{}, OddArguments{}, Echo{}};
             }),
             ContainsSubstring("two tools have the name 'echo'"));
}

TEST_CASE("bounds that no number fits are refused where a tool is described", "[tools]") {
  CHECK_THAT(error_of([] { ToolBox{Impossible{}}.specs(); }),
             ContainsSubstring("'x' has to be at least 2.0 and at most 1.0"));
}
