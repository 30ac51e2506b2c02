#include <memory>
#include <string>

#include "dualagent/data/task_file.hpp"
#include "dualagent/tools/tool_box.hpp"
#include "fuzz.hpp"
#include "quickstart/ledger.hpp"

namespace {

/// Looks up every page of the task, as a model may.
void look_up_all(const quickstart::Ledger& ledger, const dualagent::Task& task) {
  quickstart::LedgerLookup lookup;
  lookup.ledger = std::shared_ptr<const quickstart::Ledger>(&ledger, [](const auto*) {});
  const dualagent::ToolBox box{lookup};
  for (char page = 'A'; page <= 'Z'; ++page) {
    const std::string arguments = std::string("{\"page\":\"") + page + "\"}";
    const dualagent::ToolResult result = box.call({"lookup", arguments}, {&task, 0});
    fuzz::require(result.status == dualagent::ToolStatus::ok && !result.text.empty(),
                  "a page cannot be looked up");
  }
}

}  // namespace

/// A ledger, and behind a line "---" one task of it as JSON.
FUZZ_TARGET(text) {
  const std::size_t cut = std::min(text.find("---\n"), text.size());
  const auto ledger = quickstart::Ledger::parse(text.substr(0, cut), "input.csv");
  const std::string_view row = text.substr(std::min(cut + 4, text.size()));
  dualagent::Task task = dualagent::TaskRows{}.read(row, 1, "input.jsonl:1");
  look_up_all(ledger, task);
  const quickstart::Trail trail = check_task(ledger, task, "input.jsonl:1");
  fuzz::require(!trail.entries.empty() && trail.entries.size() <= 26, "an endless trail");
  fuzz::require(trail.total() <= 99 && task.answer == quickstart::two_digits(trail.total()),
                "a wrong answer is accepted");
  fuzz::require(task.max_calls.has_value(), "a task without a limit of calls");
}
