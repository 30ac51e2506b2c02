#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/crc64.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/data/task_file.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "ledger.hpp"
#include "options.hpp"

namespace quickstart {

/// Independent random streams of one run.
enum class Use : std::uint64_t {
  training_tasks,
  held_out_tasks,
  initial_weights,
  demonstrations,
  order,
  rollouts,
  evaluation,
  copying
};

inline RandomStream stream_for(const Options& options, Use use) {
  return RandomStream::from_seed(options.seed).child(static_cast<std::uint64_t>(use));
}

/// The files a run works with. Training and held-out tasks have no id in common.
struct Data {
  std::shared_ptr<const Ledger> ledger;
  std::vector<dualagent::Task> training;
  std::vector<dualagent::EvaluationTask> held_out;
  std::vector<Trail> held_out_trails;  ///< for counting failures by kind, never shown to a model
  std::string fingerprint;             ///< changes with the contents of the files
};

inline constexpr std::size_t kGeneratedTrainingTasks = 1200;  // 75 steps of 16

/// Writes tasks.jsonl, held_out.jsonl and ledger.csv; equal options give equal bytes.
inline void generate_files(Options& options) {
  Ledger ledger;
  const auto generate = [&](const char* name, Use use, std::size_t count) {
    std::vector<dualagent::Task> tasks;
    const RandomStream random = stream_for(options, use);
    for (std::size_t i = 0; i < count; ++i) {
      const Trail trail = make_trail(Difficulty{}, random.child(i));
      std::string number = std::to_string(i);
      number.insert(0, 6 - std::min<std::size_t>(6, number.size()), '0');
      tasks.push_back(make_task(trail, std::string(name) + "-" + number, random.bits(i)));
      for (const Entry& entry : trail.entries) ledger.add(tasks.back().id, entry, "generator");
    }
    return tasks;
  };
  options.tasks = options.out / "tasks.jsonl";
  options.held_out = options.out / "held_out.jsonl";
  options.ledger = options.out / "ledger.csv";
  dualagent::write_tasks(options.tasks,
                         generate("train", Use::training_tasks, kGeneratedTrainingTasks));
  dualagent::write_tasks(options.held_out,
                         generate("held-out", Use::held_out_tasks, options.eval_tasks));
  ledger.write(options.ledger);
}

/// Reads and checks the three files, after generating them where the user named none.
/// Errors: Error with file and line.
inline Data load_data(Options options) {
  if (options.tasks.empty()) generate_files(options);
  Data data;
  data.ledger = Ledger::read(options.ledger);
  std::set<std::string> training_ids;
  data.training = dualagent::read_tasks(options.tasks, dualagent::TaskRows{},
                                        [&](dualagent::Task& task, const std::string& where) {
                                          check_task(*data.ledger, task, where);
                                          training_ids.insert(task.id);
                                        });
  data.held_out = dualagent::read_evaluation_tasks(
      options.held_out, dualagent::TaskRows{},
      [&](dualagent::Task& task, const std::string& where) {
        data.held_out_trails.push_back(check_task(*data.ledger, task, where));
        if (training_ids.contains(task.id))
          throw dualagent::Error("the task \"" + task.id + "\" is also a training task", where,
                                 "Held-out tasks must not be trained on");
      });
  for (const auto& path : {options.tasks, options.ledger}) {
    const std::string bytes = dualagent::read_file(path);
    data.fingerprint += std::to_string(dualagent::crc64(std::as_bytes(std::span(bytes)))) + " ";
  }
  return data;
}

}  // namespace quickstart
