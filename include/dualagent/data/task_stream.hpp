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

#include "dualagent/core/compiled.hpp"
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
  TaskStream(std::vector<Task> tasks, const RandomStream& random);

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

  std::vector<Task> next(std::size_t count);

  /// The position and what it is a position in, as JSON for a checkpoint.
  std::string save() const;
  /// Goes on where `save` was called. Errors: Error if that stream had tasks that differ in
  /// anything, or another order, or the text is not one of `save`.
  void restore(const std::string& saved);

 private:
  /// Every field, so that tasks which differ in anything have another sum.
  static void add_to(Crc64& crc, const Task& task);

  void shuffle_for(std::uint64_t pass);

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

#ifndef DUALAGENT_COMPILED
#include "dualagent/data/task_stream.inl"
#endif
