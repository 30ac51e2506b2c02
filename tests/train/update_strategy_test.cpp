#include "dualagent/train/update_strategy.hpp"

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using guessing::five_tasks;

namespace {

/// The bigram model is in double, in which the norm of several ranks may round otherwise: no clip.
template <class C>
auto make_trainer(BigramModel& model, C collective) {
  return Trainer{SharedWeights{model},
                 guessing::protocol(),
                 ExactMatch{},
                 Recipe{Dapo{}},
                 collective,
                 {.group_size = 4,
                  .update = {.optimizer = {.learning_rate = 0.05, .weight_decay = 0.1},
                             .max_gradient_norm = 1e9},
                  .seed = 8}};
}

/// Weights of all ranks after three steps; `wrap` makes the trainer's collective.
template <class Wrap>
std::vector<std::vector<double>> train(std::size_t ranks, Wrap wrap) {
  std::vector<BigramModel> models(ranks, guessing::model());
  run_ranks(ranks, [&](ThreadCollective collective) {
    auto trainer = make_trainer(models[collective.rank()], wrap(collective));
    for (int step = 0; step < 3; ++step) trainer.step(five_tasks(20));
  });
  std::vector<std::vector<double>> weights;
  for (BigramModel& model : models) weights.push_back(guessing::weights(model));
  return weights;
}

const auto replicated = [](ThreadCollective collective) { return collective; };
const auto sharded = [](ThreadCollective collective) { return Sharded{collective}; };

constexpr auto cross_entropy = [](const loops::TokenColumns&, std::size_t,
                                  const TokenPrediction& now) {
  return TokenLossGradient{-now.log_prob, -1.0, 0.0};
};

/// One row [0, 1] in which token 1 is trained.
PackedBatch one_token() {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{0, 1});
  batch.loss_weight[1] = 1.0F;
  return batch;
}

}  // namespace

TEST_CASE("sharded updates have the bits of replicated ones, on 1 to 4 ranks",
          "[train][collective]") {
  BigramModel untrained = guessing::model();
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    const auto expected = train(ranks, replicated);
    CHECK(expected[0] != guessing::weights(untrained));
    CHECK(train(ranks, sharded) == expected);
  }
}

TEST_CASE("ranks that add up their squares find the norm that one rank finds",
          "[train][collective]") {
  const RandomStream random = RandomStream::from_seed(3);
  std::vector<float> gradients;
  for (std::size_t i = 0; i < 1003; ++i) gradients.push_back(static_cast<float>(random.normal(i)));
  const double expected = global_norm(std::span<const float>(gradients));
  for (std::size_t ranks = 1; ranks <= 4; ++ranks)
    run_ranks(ranks, [&](ThreadCollective collective) {
      std::vector<float> mine = gradients;  // a rank knows its own shard
      const Shard shard = shard_of(mine.size(), collective.rank(), ranks);
      for (std::size_t i = 0; i < mine.size(); ++i)
        if (i < shard.begin || i >= shard.end) mine[i] = 1e9F;
      const double norm = detail::ShardedUpdate::norm(collective, std::span<const float>(mine));
      if (norm != expected) throw Error("another norm", "rank " + std::to_string(ranks));
    });
}

TEST_CASE("a rank keeps the moments of its shard alone", "[train][collective]") {
  // 3 x 3 logits: 9 parameters on 4 ranks are shards of 2, 2, 2 and 3.
  std::vector<BigramModel> models(4, BigramModel(3));
  std::vector<std::vector<double>> first(4);
  std::vector<std::size_t> second_sizes(4);
  run_ranks(4, [&](ThreadCollective collective) {
    Sharded across{collective};
    WeightUpdater updater(models[collective.rank()],
                          {.optimizer = {.learning_rate = 0.1}, .max_gradient_norm = 1e9}, across);
    TokenOutputs outputs;
    updater.update(one_token(), cross_entropy, outputs, across);
    first[collective.rank()].assign(updater.state().first.begin(), updater.state().first.end());
    second_sizes[collective.rank()] = updater.state().second.size();
  });
  // The sum of four ranks' gradients of -log softmax at 0: 4 * (1/3, -2/3, 1/3), then zeros; the
  // first mean is 0.1 of it.
  const std::vector<std::vector<double>> expected{
      {0.4 / 3, -0.8 / 3}, {0.4 / 3, 0.0}, {0.0, 0.0}, {0.0, 0.0, 0.0}};
  for (std::size_t rank = 0; rank < 4; ++rank) {
    REQUIRE(first[rank].size() == expected[rank].size());
    CHECK(second_sizes[rank] == expected[rank].size());
    for (std::size_t i = 0; i < first[rank].size(); ++i)
      CHECK(first[rank][i] == Approx(expected[rank][i]).margin(1e-12));
  }
}

TEST_CASE("a checkpoint of sharded moments is that of replicated ones, for any number of ranks",
          "[train][collective]") {
  const auto run = [](std::size_t ranks, auto wrap, const std::filesystem::path& from,
                      const std::filesystem::path& to) {
    std::vector<BigramModel> models(ranks, guessing::model());
    run_ranks(ranks, [&](ThreadCollective collective) {
      auto trainer = make_trainer(models[collective.rank()], wrap(collective));
      if (!from.empty()) trainer.load(*latest_checkpoint(from, {}).checkpoint);
      trainer.step(five_tasks(20));
      Checkpoint checkpoint{.step = trainer.steps_done()};
      trainer.save(checkpoint);
      if (collective.rank() == 0) write_checkpoint(to, checkpoint);
      collective.broadcast(std::span<double>(), 0);  // nobody ends before it is written
    });
    return latest_checkpoint(to, {}).checkpoint->values<double>("model0.second_moment");
  };
  TemporaryFolder folder;
  const auto first = run(3, sharded, "", folder / "sharded");
  CHECK(first == run(3, replicated, "", folder / "replicated"));
  CHECK(run(2, replicated, folder / "sharded", folder / "a") ==
        run(2, sharded, folder / "replicated", folder / "b"));
}

TEST_CASE("a gradient that is not finite stops all ranks before any weight changes",
          "[train][collective]") {
  std::vector<BigramModel> models(2, BigramModel(3));
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective collective) {
    Sharded across{collective};
    WeightUpdater updater(models[collective.rank()], UpdateOptions{}, across);
    TokenOutputs outputs;
    const auto loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction&) {
      return TokenLossGradient{0.0, std::numeric_limits<double>::quiet_NaN(), 0.0};
    };
    errors[collective.rank()] =
        error_of([&] { updater.update(one_token(), loss, outputs, across); });
  });
  CHECK_THAT(errors[0], ContainsSubstring("element 0 of logits"));
  CHECK_THAT(errors[1], ContainsSubstring("another rank's shard"));
  for (BigramModel& model : models) CHECK(guessing::weights(model) == std::vector<double>(9, 0.0));
}
