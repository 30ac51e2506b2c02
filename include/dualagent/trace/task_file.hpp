#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/atomic_file.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/trace/task.hpp"

namespace dualagent {

/// One row of a task file: {"id": ..., "prompt": ..., "answer": ..., "seed": 0, "max_calls": 9};
/// `seed` and `max_calls` may be left out. `where` names file and line in errors.
///
/// Errors: Error for a missing, ill-typed or unknown key, an empty id or an empty prompt.
inline Task parse_task(std::string_view row, const std::string& where) {
  const std::string remedy =
      "A row is {\"id\": \"...\", \"prompt\": \"...\", \"answer\": \"...\"}, with \"seed\" and "
      "\"max_calls\" as whole numbers where wanted";
  const nlohmann::json object = parse_json(std::string(row), where);
  if (!object.is_object()) throw Error("a task is not a JSON object", where, remedy);
  Task task;
  for (const char* key : {"id", "prompt", "answer"})
    if (!object.contains(key))
      throw Error("the task has no \"" + std::string(key) + "\"", where, remedy);
  for (const auto& [key, value] : object.items()) {
    const bool text = key == "id" || key == "prompt" || key == "answer";
    if (!text && key != "seed" && key != "max_calls")
      throw Error("the task has an unknown key \"" + key + "\"", where, remedy);
    if (text ? !value.is_string() : !value.is_number_unsigned())
      throw Error("the task's \"" + key + "\" is not a " + (text ? "text" : "whole number"), where,
                  remedy);
    if (key == "id") task.id = value.get<std::string>();
    if (key == "prompt") task.prompt = value.get<std::string>();
    if (key == "answer") task.answer = value.get<std::string>();
    if (key == "seed") task.seed = value.get<std::uint64_t>();
    if (key == "max_calls") task.max_calls = value.get<std::size_t>();
  }
  if (task.id.empty() || task.prompt.empty())
    throw Error("the task's id or prompt is empty", where, remedy);
  return task;
}

/// Called with every task and its place, "FILE:LINE"; throws Error if the task cannot be used.
using TaskCheck = std::function<void(Task& task, const std::string& where)>;

/// Reads tasks from JSON lines; blank lines are skipped.
///
/// Errors: Error with file and line for a bad row, a row that `check` refuses or an id that occurs
/// twice; for a file without tasks.
/// Example: std::vector<Task> tasks = read_tasks("tasks.jsonl");
inline std::vector<Task> read_tasks(const std::filesystem::path& path,
                                    const TaskCheck& check = {}) {
  const std::string text = read_file(path);
  std::vector<Task> tasks;
  std::set<std::string> ids;
  std::size_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = std::string_view(text).substr(begin, end - begin);
    const std::string where = path.string() + ":" + std::to_string(++line);
    begin = end + 1;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    tasks.push_back(parse_task(row, where));
    if (!ids.insert(tasks.back().id).second)
      throw Error("the id \"" + tasks.back().id + "\" occurs twice", where,
                  "Give every task an id of its own");
    if (check) check(tasks.back(), where);
  }
  if (tasks.empty())
    throw Error("there are no tasks", path.string(), "Write one JSON object per line");
  return tasks;
}

/// Writes tasks as `read_tasks` reads them, the whole file or nothing.
/// Errors: Error when a text is not valid UTF-8, or as `AtomicFile`.
inline void write_tasks(const std::filesystem::path& path, std::span<const Task> tasks) {
  std::string text;
  for (const Task& task : tasks) {
    nlohmann::ordered_json row{
        {"id", task.id}, {"prompt", task.prompt}, {"answer", task.answer}, {"seed", task.seed}};
    if (task.max_calls) row["max_calls"] = *task.max_calls;
    try {
      text += row.dump() + '\n';
    } catch (const nlohmann::json::exception& error) {
      throw Error(std::string("a task is not valid UTF-8: ") + error.what(), path.string());
    }
  }
  write_file_atomically(path, text);
}

}  // namespace dualagent
