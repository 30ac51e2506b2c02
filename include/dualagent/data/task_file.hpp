#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/user_code.hpp"
#include "dualagent/data/task.hpp"
#include "dualagent/data/task_format.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/json_lines.hpp"

namespace dualagent {

/// Called with every task and its place, "FILE:LINE"; throws Error if the task cannot be used.
using TaskCheck = std::function<void(Task& task, const std::string& where)>;

namespace detail {

/// Calls visit(task, line, row, where) for every row of a JSON-lines text; blank lines are skipped.
/// Errors: Error for a bad row, an id that occurs twice, a text without rows.
template <class Format, class Visitor>
void for_each_task(std::string_view text, const std::string& path, const Format& format,
                   Visitor&& visit) {
  std::set<std::string, std::less<>> ids;
  for_each_row(text, path, [&](std::string_view row, std::size_t line, const std::string& where) {
    const auto place = [&] { return where; };
    Task task =
        call_user_code("a task format", place, [&] { return format.read(row, line, where); });
    if (!ids.insert(task.id).second)
      throw Error("the id \"" + task.id + "\" occurs twice", where,
                  "Give every task an id of its own");
    visit(std::move(task), line, row, where);
  });
  if (ids.empty()) throw Error("there are no tasks", path, "Write one JSON object per line");
}

}  // namespace detail

/// Reads training tasks from JSON lines; blank lines are skipped.
///
/// Errors: Error with file and line for a bad row, a row that `check` refuses or an id that occurs
/// twice; for a file without tasks.
/// Example: std::vector<Task> tasks = read_tasks("train.jsonl", Gsm8kRows{});
template <class Format = TaskRows>
std::vector<Task> read_tasks(const std::filesystem::path& path, const Format& format = {},
                             const TaskCheck& check = {}) {
  static_assert(check_task_format<Format>());
  const std::string text = read_file(path);
  std::vector<Task> tasks;
  detail::for_each_task(text, path.string(), format,
                        [&](Task&& task, std::size_t, std::string_view, const std::string& where) {
                          const auto place = [&] { return where; };
                          if (check)
                            call_user_code("a check of tasks", place, [&] { check(task, where); });
                          tasks.push_back(std::move(task));
                        });
  return tasks;
}

/// The same for tasks to measure with, which no trainer takes.
template <class Format = TaskRows>
std::vector<EvaluationTask> read_evaluation_tasks(const std::filesystem::path& path,
                                                  const Format& format = {},
                                                  const TaskCheck& check = {}) {
  std::vector<EvaluationTask> held_out;
  for (Task& task : read_tasks(path, format, check)) held_out.emplace_back(std::move(task));
  return held_out;
}

/// Writes tasks as TaskRows reads them, the whole file or nothing.
/// Errors: Error when a text is not valid UTF-8, or as `AtomicFile`.
void write_tasks(const std::filesystem::path& path, std::span<const Task> tasks);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/data/task_file.inl"
#endif
