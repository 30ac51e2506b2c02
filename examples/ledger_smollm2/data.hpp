#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/random.hpp"
#include "options.hpp"
#include "play.hpp"
#include "quickstart/data.hpp"

namespace ledger_smollm2 {

using quickstart::Use;

inline constexpr std::size_t kTrainingTasks = 1600;

struct Data {
  std::shared_ptr<const Book> book;  ///< of all tasks
  std::vector<dualagent::Task> training;
  std::vector<dualagent::EvaluationTask> held_out;
  std::vector<Chain> held_out_chains;  ///< for counting failures, never shown to a model
};

/// All that a chain asks and answers, to tell two chains apart.
inline std::string story_of(const Chain& chain) {
  std::string story = two_digits(chain.opening);
  for (const Debt& debt : chain.debts) story += " " + debt.text;
  return story;
}

/// Generates all tasks; a function of the seed and the number of held-out tasks. No chain is both
/// trained on and held out.
inline Data make_data(const quickstart::Options& options) {
  Data data;
  Book book;
  std::set<std::string> trained;
  const RandomStream training = quickstart::stream_for(options, Use::training_tasks);
  for (std::size_t i = 0; i < kTrainingTasks; ++i) {
    Chain chain = make_chain(training.child(i));
    trained.insert(story_of(chain));
    data.training.push_back(make_task(chain, "train-" + std::to_string(i)));
    book.emplace(data.training.back().id, std::move(chain));
  }
  const RandomStream held_out = quickstart::stream_for(options, Use::held_out_tasks);
  for (std::size_t i = 0; data.held_out.size() < options.eval_tasks; ++i) {
    Chain chain = make_chain(held_out.child(i));
    if (trained.contains(story_of(chain))) continue;
    const std::string id = "held-out-" + std::to_string(data.held_out.size());
    data.held_out.emplace_back(make_task(chain, id));
    data.held_out_chains.push_back(chain);
    book.emplace(id, std::move(chain));
  }
  data.book = std::make_shared<const Book>(std::move(book));
  return data;
}

}  // namespace ledger_smollm2
