#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace dualagent {

/// One problem that the Answerer is asked to solve.
struct Task {
  std::string id = {};      ///< unique among the tasks of a file
  std::string prompt = {};  ///< what the dialect renders as the first tokens
  std::string answer = {};  ///< the reference answer, for rewards
  std::uint64_t seed = 0;   ///< of environments that draw random numbers, e.g. for noise
  std::optional<std::size_t> max_calls = {};  ///< tighter than the protocol's limit where set
  std::optional<std::string> system = {};     ///< the system message, in place of the dialect's
};

/// A task to measure with. No trainer takes one, so that held-out data cannot be trained on.
class EvaluationTask {
 public:
  explicit EvaluationTask(Task task) : task_(std::move(task)) {}
  const Task& task() const { return task_; }

 private:
  Task task_;
};

}  // namespace dualagent
