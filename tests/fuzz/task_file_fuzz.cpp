#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "dualagent/data/task_file.hpp"
#include "fuzz.hpp"

/// Tasks that are accepted can be named, asked, and written to a file that reads back the same.
FUZZ_TARGET(text) {
  static fuzz::MemoryFile file;
  const std::vector<dualagent::Task> tasks = dualagent::read_tasks(file.put(text));
  fuzz::require(!tasks.empty(), "no tasks and no error");
  std::set<std::string> ids;
  for (const dualagent::Task& task : tasks) {
    fuzz::require(!task.id.empty() && !task.prompt.empty(), "an empty task");
    fuzz::require(ids.insert(task.id).second, "an id occurs twice");
    nlohmann::ordered_json row{
        {"id", task.id}, {"prompt", task.prompt}, {"answer", task.answer}, {"seed", task.seed}};
    if (task.max_calls) row["max_calls"] = *task.max_calls;
    if (task.system) row["system"] = *task.system;
    const dualagent::Task again = dualagent::TaskRows{}.read(row.dump(), 1, "written");
    fuzz::require(again.id == task.id && again.prompt == task.prompt &&
                      again.answer == task.answer && again.seed == task.seed &&
                      again.max_calls == task.max_calls && again.system == task.system,
                  "a task reads back differently");
  }
}
