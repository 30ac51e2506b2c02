#include <string_view>

#include "dualagent/data/task_format.hpp"
#include "fuzz.hpp"

namespace {

/// Reads the row; a refusal is fine.
template <class Format>
void read(const Format& format, std::string_view row) {
  try {
    const dualagent::Task task = format.read(row, 1, "input.jsonl:1");
    fuzz::require(!task.id.empty() && !task.prompt.empty() && !task.answer.empty(),
                  "a task without a part");
  } catch (const dualagent::Error&) {
  }
}

}  // namespace

/// Rows of foreign files are read or refused by each format.
FUZZ_TARGET(text) {
  read(dualagent::Gsm8kRows{}, text);
  read(dualagent::MessageRows{}, text);
  read(dualagent::MessageRows{.messages_key = "messages", .answer_key = ""}, text);
}
