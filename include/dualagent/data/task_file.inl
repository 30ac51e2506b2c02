#pragma once

/// Definitions of task_file.hpp; see core/compiled.hpp.

#include "dualagent/data/task_file.hpp"

namespace dualagent {

DUALAGENT_INLINE void write_tasks(const std::filesystem::path& path, std::span<const Task> tasks) {
  std::string text;
  for (const Task& task : tasks) {
    nlohmann::ordered_json row{
        {"id", task.id}, {"prompt", task.prompt}, {"answer", task.answer}, {"seed", task.seed}};
    if (task.max_calls) row["max_calls"] = *task.max_calls;
    if (task.system) row["system"] = *task.system;
    try {
      text += row.dump() + '\n';
    } catch (const nlohmann::json::exception& error) {
      throw Error(std::string("a task is not valid UTF-8: ") + error.what(), path.string());
    }
  }
  write_file_atomically(path, text);
}

}  // namespace dualagent
