#include "objective_sweep/entry.hpp"

#include <set>

#include "objective_sweep/entries.hpp"
#include "support/catch.hpp"

using namespace objective_sweep;

namespace {

struct Two {
  using List = std::tuple<Entry<"Dr. GRPO, Answerer only", Recipe<DrGrpo, AnswererOnly>>,
                          Entry<"++ K2 ++", Recipe<Grpo>>>;
};

}  // namespace

TEST_CASE("names are labels in small letters that suit files", "[objective_sweep]") {
  CHECK(entry_names<Two>() == std::vector<std::string>{"dr_grpo_answerer_only", "k2"});
  using First = std::tuple_element_t<0, Two::List>;
  CHECK(First::label == "Dr. GRPO, Answerer only");
}

TEST_CASE("the experiments have names of their own and legal recipes", "[objective_sweep]") {
  const std::vector<std::string> names = entry_names<Experiments>();
  std::set<std::string> others{"warm_start", "warm_start_shared", ""};  // files of the same folder
  for (const std::string& name : names) CHECK(others.insert(name).second);
  std::size_t visited = 0;
  for_each_entry<Experiments>([&]<class E>(E) {
    using Objective = decltype(E::Recipe::objective);
    static_assert(check_recipe<typename E::Recipe>() && check_objective<Objective>());
    static_assert(check_training_view<decltype(E::Recipe::view)>());
    CHECK(E::name() == names[visited++]);
  });
  CHECK(visited == std::tuple_size_v<Experiments::List>);
}
