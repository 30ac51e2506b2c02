#include "ledger_smollm2/data.hpp"

#include <set>

#include "support/catch.hpp"

using namespace ledger_smollm2;

TEST_CASE("no chain is trained on and held out, every task is in the book", "[ledger_smollm2]") {
  Options options;
  options.eval_tasks = 200;
  const Data data = make_data(options);
  std::set<std::string> trained, ids;
  for (const dualagent::Task& task : data.training) {
    trained.insert(story_of(data.book->at(task.id)));
    ids.insert(task.id);
    CHECK(task.answer == two_digits(data.book->at(task.id).total()));
  }
  CHECK(data.training.size() == kTrainingTasks);
  REQUIRE(data.held_out.size() == 200);
  for (std::size_t i = 0; i < data.held_out.size(); ++i) {
    const dualagent::Task& task = data.held_out[i].task();
    CHECK(ids.insert(task.id).second);
    CHECK(story_of(data.book->at(task.id)) == story_of(data.held_out_chains[i]));
    CHECK_FALSE(trained.contains(story_of(data.held_out_chains[i])));
  }
}

TEST_CASE("the same seed gives the same tasks, another one others", "[ledger_smollm2]") {
  Options options;
  const Data one = make_data(options), same = make_data(options);
  options.seed = 1;
  const Data other = make_data(options);
  const auto story = [](const Data& data) { return story_of(data.held_out_chains.front()); };
  CHECK(story(one) == story(same));
  CHECK(story(one) != story(other));
}
