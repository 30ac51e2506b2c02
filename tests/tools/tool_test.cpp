#include "dualagent/tools/tool.hpp"

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "laws/tool_laws.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

struct Plain {  // says nothing of where it runs
  static constexpr const char* name = "plain";
  struct Arguments {
    std::string text;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    json.at("text").get_to(arguments.text);
  }
  std::string operator()(const Arguments& arguments, const CallInfo& info) const {
    return arguments.text + "/" + info.task->id + "/" + std::to_string(info.call);
  }
};

struct Nameless {
  struct Arguments {};
  std::string operator()(const Arguments&, const CallInfo&) const { return {}; }
};
struct WithoutArguments {
  static constexpr std::string_view name = "x";
  std::string operator()(int, const CallInfo&) const { return {}; }
};
struct WithoutText {
  static constexpr std::string_view name = "x";
  struct Arguments {};
  int operator()(const Arguments&, const CallInfo&) const { return 1; }
};
struct NotConst {
  static constexpr std::string_view name = "x";
  struct Arguments {};
  std::string operator()(const Arguments&, const CallInfo&) { return {}; }
};

static_assert(Tool<Plain>);
static_assert(Tool<toy::Successor<>>);
static_assert(!Tool<Nameless>);
static_assert(!Tool<WithoutArguments>);
static_assert(!Tool<WithoutText>);
static_assert(!Tool<NotConst>);

/// Breaks the law: remembers how often it was called.
struct Counting {
  static constexpr std::string_view name = "counting";
  std::shared_ptr<std::atomic<int>> calls = std::make_shared<std::atomic<int>>(0);
  struct Arguments {};
  friend void from_json(const nlohmann::json&, Arguments&) {}
  std::string operator()(const Arguments&, const CallInfo&) const {
    return std::to_string(++*calls);
  }
};

}  // namespace

TEST_CASE("a tool runs on a worker unless it says otherwise", "[tools]") {
  CHECK(execution_of<Plain> == Execution::worker);
  CHECK(execution_of<toy::Successor<Execution::immediate>> == Execution::immediate);
  CHECK(execution_of<toy::Successor<Execution::worker>> == Execution::worker);
}

TEST_CASE("AbortRollout is an Error with place and remedy", "[tools]") {
  const AbortRollout error("the server is gone", "port 80", "Start it");
  CHECK(std::string(error.what()) == "the server is gone (port 80). Start it");
  const Error& base = error;
  CHECK(base.where() == "port 80");
}

TEST_CASE("tools obey the laws, and the laws find one that does not", "[tools][laws]") {
  const std::vector<std::string> good{R"({"x":1})", R"({"x":3,"more":true})"};
  CHECK(laws::of_tool(toy::Successor<>{}, good) == laws::Violations{});
  const std::vector<std::string> text{R"({"text":"ü"})"};
  CHECK(laws::of_tool(Plain{}, text, {.id = "t"}) == laws::Violations{});
  const std::vector<std::string> any{"{}"};
  CHECK(!laws::of_tool(Counting{}, any).empty());
  CHECK(!laws::of_tool(Plain{}, any).empty());  // {} is not a good argument for it
}
