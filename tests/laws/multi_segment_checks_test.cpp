#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "laws/multi_segment_laws.hpp"
#include "laws/varied_rollouts.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;
using namespace varied;
using laws::Violations;

TEST_CASE("each check finds the fault that it is for", "[laws]") {
  WitnessModel model{toy::vocab, speak};
  const std::vector<Rollout> rollouts = play(SharedWeights{model});
  const std::vector<const WitnessModel*> models{&model};
  const PackedBatch good = laws::pack(rollouts, AllSegments{});
  const auto letters = [](const Violations& found) {
    std::set<char> all;
    for (const std::string& violation : found) all.insert(violation[0]);
    return all;
  };
  const auto of_changed_batch = [&](auto change) {
    PackedBatch batch = good;
    change(batch);
    std::map<std::size_t, std::size_t> times;
    return letters(laws::of_rows(std::span(&batch, 1), models, times));
  };
  std::size_t trained = 0;
  while (good.loss_weight[trained] == 0.0F) ++trained;

  CHECK(of_changed_batch([&](PackedBatch& b) { b.advantage[trained] += 1; }) ==
        std::set<char>{'a'});
  CHECK(of_changed_batch([&](PackedBatch& b) { b.loss_weight[trained - 1] = 1; }).count('b') == 1);
  CHECK(of_changed_batch([&](PackedBatch& b) { b.tokens[0] = toy::sorry; }) == std::set<char>{'c'});
  CHECK(of_changed_batch([&](PackedBatch& b) { b.loss_weight[0] = 1; }).count('c') == 1);
  CHECK(of_changed_batch([&](PackedBatch& b) { b.old_log_prob.pop_back(); }) ==
        std::set<char>{'g'});
  CHECK(of_changed_batch([&](PackedBatch& b) {
          const Tokens row(b.tokens.begin(), b.tokens.begin() + static_cast<long>(b.row_begin[1]));
          const std::size_t size = row.size();
          const std::size_t begin = b.append_row(row, 0);
          for (std::size_t t = 0; t < size; ++t) {
            b.loss_weight[begin + t] = b.loss_weight[t];
            b.old_log_prob[begin + t] = b.old_log_prob[t];
            b.advantage[begin + t] = b.advantage[t];
          }
        }) == std::set<char>{'b'});

  PackedBatch part = good;
  part.loss_weight[trained] = 0;
  CHECK(letters(laws::of_assignment(part, rollouts)) == std::set<char>{'h'});
  std::vector<Rollout> twice = rollouts;
  twice[1] = twice[0];
  CHECK(letters(laws::of_rollouts(twice, kGroupSize)) == std::set<char>{'a', 'e'});
  CHECK(letters(laws::of_protocol(rollouts, TokenBudget{.max_tokens = 14}, kLimits)) ==
        std::set<char>{'i'});
  CHECK(letters(laws::of_protocol(rollouts, kTrigger, {.max_turns = 3})).count('i') == 1);
}
