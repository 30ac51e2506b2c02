#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/tools/tool_box.hpp"
#include "fuzz.hpp"

namespace {

struct AddUp {
  static constexpr std::string_view name = "add_up";
  struct Arguments {
    std::vector<double> numbers;
    std::string unit;
    bool negative = false;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    json.at("numbers").get_to(arguments.numbers);
    arguments.unit = json.value("unit", "");
    arguments.negative = json.value("negative", false);
  }
  std::string operator()(const Arguments& arguments, const dualagent::CallInfo&) const {
    double sum = 0;
    for (const double number : arguments.numbers) sum += arguments.negative ? -number : number;
    return std::to_string(sum) + arguments.unit;
  }
};

struct Repeat {
  static constexpr std::string_view name = "repeat";
  struct Arguments {
    int times = 1;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    const nlohmann::json& times = json.at("times");
    if (!times.is_number_unsigned() || times.get<std::uint64_t>() > 100)
      throw dualagent::Error("times must be a whole number up to 100");  // get() would cast 1e300
    times.get_to(arguments.times);
  }
  std::string operator()(const Arguments& arguments, const dualagent::CallInfo&) const {
    if (arguments.times == 0) throw dualagent::Error("nothing to repeat");
    return std::string(static_cast<std::size_t>(arguments.times), 'x');
  }
};

/// Says what it was given, so that a number that was changed is seen.
struct Seek {
  static constexpr std::string_view name = "seek";
  struct Arguments {
    std::uint64_t offset = 0;
    std::optional<std::int8_t> step;
    std::optional<float> weight;
    template <class Visitor>
    void describe(Visitor&& visit) {
      visit("offset", offset);
      visit("step", step, {.minimum = -100});
      visit("weight", weight);
    }
  };
  std::string operator()(const Arguments& arguments, const dualagent::CallInfo&) const {
    fuzz::require(!arguments.step || *arguments.step >= -100, "an argument is out of range");
    fuzz::require(!arguments.weight || std::isfinite(*arguments.weight), "a number does not fit");
    return std::to_string(arguments.offset);
  }
};

}  // namespace

/// A model may write anything as name and arguments of a call: it always gets an answer.
FUZZ_TARGET(text) {
  static const dualagent::ToolBox box{AddUp{}, Repeat{}, Seek{}};
  static const dualagent::Task task;
  const std::string name(text.substr(0, text.find(' ')));
  const std::string arguments(text.substr(std::min(text.size(), name.size() + 1)));
  for (const std::string& tool :
       {name, std::string("add_up"), std::string("repeat"), std::string("seek")}) {
    const dualagent::ToolResult result = box.call({tool, arguments}, {&task, 0});
    fuzz::require(result.status == dualagent::ToolStatus::ok || !result.text.empty(),
                  "a refused call gets no reason");
  }
}
