#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/data/task.hpp"
#include "dualagent/data/task_file.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// Training tasks without end: all of them in a random order, then all in another one, and so on.
///
/// Of a file, only the places of the rows are kept in memory (24 bytes each); a row is read when it
/// is its turn. The file must not be changed meanwhile.
/// Determinism: the order depends on `random`, the number of tasks and the position only; a stream
/// that is restored goes on exactly where the saved one stopped.
/// Example:
///   TaskStream stream("train.jsonl", Gsm8kRows{}, RandomStream::from_seed(7));
///   trainer.step(stream.next(16));
///   checkpoint.texts["tasks"] = stream.save();
class TaskStream {
 public:
  /// Errors: Error if there are no tasks.
  TaskStream(std::vector<Task> tasks, const RandomStream& random)
      : random_(random), size_(tasks.size()), place_("the stream of tasks") {
    if (tasks.empty()) throw Error("there are no tasks", place_, "Give one at least");
    Crc64 crc;
    for (const Task& task : tasks) add_to(crc, task);
    crc_ = crc.value();
    read_ = [kept = std::make_shared<const std::vector<Task>>(std::move(tasks))](std::size_t i) {
      return (*kept)[i];
    };
  }

  /// Reads every row once, to check it. Errors: as `read_tasks`.
  template <class Format>
  TaskStream(const std::filesystem::path& path, Format format, const RandomStream& random)
      : random_(random), place_(path.string()) {
    static_assert(check_task_format<Format>());
    struct Row {
      std::string_view text;
      std::size_t line;
    };
    const auto file = std::make_shared<const MappedFile>(path);
    auto rows = std::make_shared<std::vector<Row>>();
    Crc64 crc;
    detail::for_each_task(
        file->text(), place_, format,
        [&](Task&& task, std::size_t line, std::string_view row, const std::string&) {
          add_to(crc, task);
          rows->push_back({row, line});
        });
    size_ = rows->size();
    crc_ = crc.value();
    read_ = [file, rows, format = std::move(format), place = place_](std::size_t i) {
      const Row& row = (*rows)[i];
      return format.read(row.text, row.line, place + ":" + std::to_string(row.line));
    };
  }

  std::size_t size() const { return size_; }  ///< tasks of one pass
  /// Tasks handed out so far, over all passes.
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }

  std::vector<Task> next(std::size_t count) {
    std::vector<Task> tasks;
    tasks.reserve(count);
    for (std::size_t i = 0; i < count; ++i, ++position_) {
      shuffle_for(position_ / size_);
      tasks.push_back(read_(order_[position_ % size_]));
    }
    return tasks;
  }

  /// The position and what it is a position in, as JSON for a checkpoint.
  std::string save() const {
    return nlohmann::json{
        {"position", position_}, {"tasks", size_}, {"crc64", crc_}, {"random", random_.bits(0)}}
        .dump();
  }
  /// Goes on where `save` was called. Errors: Error if that stream had tasks that differ in
  /// anything, or another order, or the text is not one of `save`.
  void restore(const std::string& saved) {
    const nlohmann::json state =
        parse_json(saved, "saved position of the tasks", "Use the text that TaskStream::save gave");
    for (const char* key : {"position", "tasks", "crc64", "random"})
      if (!state.is_object() || !state.contains(key) || !state[key].is_number_unsigned())
        throw Error("the saved position of the tasks is damaged: " + saved, place_,
                    "Use the text that TaskStream::save gave");
    if (state["tasks"] != size_ || state["crc64"] != crc_)
      throw Error("the tasks are not those of the saved run", place_,
                  "Resume with the same file of tasks, or start a new run");
    if (state["random"] != random_.bits(0))
      throw Error("the saved run took its tasks in another order", place_,
                  "Make the stream with the random numbers of the saved run: the same seed");
    position_ = state["position"].get<std::uint64_t>();
  }

 private:
  /// Every field, so that tasks which differ in anything have another sum.
  static void add_to(Crc64& crc, const Task& task) {
    const auto add = [&](std::string_view text) {
      const std::uint64_t size = text.size();
      crc.update(std::as_bytes(std::span(&size, 1)));
      crc.update(std::as_bytes(std::span(text)));
    };
    for (const std::string* text : {&task.id, &task.prompt, &task.answer}) add(*text);
    add(std::to_string(task.seed));
    add(task.max_calls ? std::to_string(*task.max_calls) : "none");
    add(task.system ? "system " + *task.system : "none");
  }

  void shuffle_for(std::uint64_t pass) {
    if (shuffled_pass_ == pass) return;
    order_.resize(size_);
    for (std::size_t i = 0; i < size_; ++i) order_[i] = i;
    shuffle(std::span<std::size_t>(order_), random_.child(pass));
    shuffled_pass_ = pass;
  }

  RandomStream random_;
  std::size_t size_ = 0;
  std::string place_;
  std::uint64_t crc_ = 0;
  std::function<Task(std::size_t)> read_;
  std::uint64_t position_ = 0;
  std::optional<std::uint64_t> shuffled_pass_;
  std::vector<std::size_t> order_;
};

}  // namespace dualagent
