#pragma once

/// Definitions of task_stream.hpp; see core/compiled.hpp.

#include "dualagent/data/task_stream.hpp"

namespace dualagent {

DUALAGENT_INLINE TaskStream::TaskStream(std::vector<Task> tasks, const RandomStream& random)
    : random_(random), size_(tasks.size()), place_("the stream of tasks") {
  if (tasks.empty()) throw Error("there are no tasks", place_, "Give one at least");
  Crc64 crc;
  for (const Task& task : tasks) add_to(crc, task);
  crc_ = crc.value();
  read_ = [kept = std::make_shared<const std::vector<Task>>(std::move(tasks))](std::size_t i) {
    return (*kept)[i];
  };
}

DUALAGENT_INLINE std::vector<Task> TaskStream::next(std::size_t count) {
  std::vector<Task> tasks;
  tasks.reserve(count);
  for (std::size_t i = 0; i < count; ++i, ++position_) {
    shuffle_for(position_ / size_);
    tasks.push_back(read_(order_[position_ % size_]));
  }
  return tasks;
}

DUALAGENT_INLINE std::string TaskStream::save() const {
  return nlohmann::json{
      {"position", position_}, {"tasks", size_}, {"crc64", crc_}, {"random", random_.bits(0)}}
      .dump();
}

DUALAGENT_INLINE void TaskStream::restore(const std::string& saved) {
  const std::string where = "saved position of the tasks";
  const std::string remedy = "Use the text that TaskStream::save gave";
  const nlohmann::json state = parse_json(saved, where, remedy);
  const auto saved_count = [&](const char* key) {
    return require_count_at(state, key, where, remedy);
  };
  const std::uint64_t position = saved_count("position");
  if (saved_count("tasks") != size_ || saved_count("crc64") != crc_)
    throw Error("the tasks are not those of the saved run", place_,
                "Resume with the same file of tasks, or start a new run");
  if (saved_count("random") != random_.bits(0))
    throw Error("the saved run took its tasks in another order", place_,
                "Make the stream with the random numbers of the saved run: the same seed");
  position_ = position;
}

DUALAGENT_INLINE void TaskStream::add_to(Crc64& crc, const Task& task) {
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

DUALAGENT_INLINE void TaskStream::shuffle_for(std::uint64_t pass) {
  if (shuffled_pass_ == pass) return;
  order_.resize(size_);
  for (std::size_t i = 0; i < size_; ++i) order_[i] = i;
  shuffle(std::span<std::size_t>(order_), random_.child(pass));
  shuffled_pass_ = pass;
}

}  // namespace dualagent
