#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "books.hpp"
#include "dualagent/core/crc64.hpp"
#include "dualagent/data/task_file.hpp"
#include "quickstart/data.hpp"

namespace two_books {

struct Data {
  quickstart::Data run;           ///< what the training works with; one ledger for all books
  std::vector<Problem> held_out;  ///< for scoring books and totals, never shown to a model
};

inline constexpr std::size_t kTrainingTasks = 800;  // 50 steps of 16

/// Generates all tasks and leaves them in the output folder; equal options give equal bytes.
inline Data generate_data(const quickstart::Options& options) {
  using quickstart::Use;
  Data data;
  quickstart::Ledger ledger;
  const auto generate = [&](const std::string& name, Use use, std::size_t count, auto keep) {
    std::vector<dualagent::Task> tasks;
    const RandomStream random = quickstart::stream_for(options, use);
    for (std::size_t i = 0; i < count; ++i) {
      Problem problem = make_problem(quickstart::Difficulty{}, random.child(i));
      tasks.push_back(make_task(problem, name + "-" + std::to_string(i), random.bits(i)));
      add_books(ledger, tasks.back().id, problem);
      keep(std::move(problem));
    }
    return tasks;
  };
  data.run.training = generate("train", Use::training_tasks, kTrainingTasks, [](Problem&&) {});
  const std::vector<dualagent::Task> held_out =
      generate("held-out", Use::held_out_tasks, options.eval_tasks, [&](Problem&& problem) {
        data.run.held_out_trails.push_back(problem.right());
        data.held_out.push_back(std::move(problem));
      });
  dualagent::write_tasks(options.out / "tasks.jsonl", data.run.training);
  dualagent::write_tasks(options.out / "held_out.jsonl", held_out);
  data.run.held_out = {held_out.begin(), held_out.end()};
  ledger.write(options.out / "ledger.csv");
  for (const char* file : {"tasks.jsonl", "ledger.csv"}) {
    const std::string bytes = dualagent::read_file(options.out / file);
    data.run.fingerprint += std::to_string(dualagent::crc64(std::as_bytes(std::span(bytes)))) + " ";
  }
  data.run.ledger = std::make_shared<const quickstart::Ledger>(std::move(ledger));
  return data;
}

}  // namespace two_books
