#include "dualagent/train/model_group.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/collective/threads.hpp"
#include "dualagent/core/crc64.hpp"
#include "dualagent/trace/rollout_codec.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using guessing::five_tasks;

namespace {

constexpr MeshShape kTwoByTwo{.data = 2, .model = 2};
std::size_t place(const ThreadCollective& data, const ThreadCollective& model) {
  return 2 * data.rank() + model.rank();
}

template <class Model, class C>
auto make_trainer(Model& model, C collective, std::uint64_t seed = 8) {
  return Trainer{SharedWeights{model},
                 guessing::protocol(),
                 ExactMatch{},
                 Recipe{Dapo{}},
                 collective,
                 {.group_size = 4,
                  .update = {.optimizer = {.learning_rate = 0.05}, .max_gradient_norm = 1e9},
                  .seed = seed}};
}

/// What a rank has after three steps.
struct Outcome {
  std::vector<double> weights;
  std::vector<double> metrics;  // of the last step, that do not measure time
  std::uint64_t rollouts = 0;   // checksum of the last step's
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

template <class Model, class C>
Outcome outcome_of(Model& model, C collective) {
  auto trainer = make_trainer(model, collective);
  Outcome outcome;
  for (int step = 0; step < 3; ++step) {
    const StepMetrics metrics = trainer.step(five_tasks(10));
    outcome.metrics = {metrics.reward_mean, metrics.rollouts, metrics.gradient_norm,
                       metrics.trained_tokens};
  }
  outcome.weights = guessing::weights(model);
  outcome.rollouts = rollout_checksum(trainer.rollouts());
  return outcome;
}

/// [2] of two data ranks without a model axis.
std::vector<Outcome> two_data_ranks() {
  std::vector<Outcome> outcomes(2);
  run_ranks(2, [&](ThreadCollective threads) {
    BigramModel model = guessing::model();
    outcomes[threads.rank()] = outcome_of(model, threads);
  });
  return outcomes;
}

/// One model on several ranks: each computes the gradients of its share of the columns, and the
/// model axis sums them.
struct SplitModel : BigramModel {
  ThreadCollective model_axis;
  SplitModel(const BigramModel& whole, ThreadCollective axis)
      : BigramModel(whole), model_axis(std::move(axis)) {}

  template <class Objective>
  void backward(const BatchColumns& batch, const Objective& objective,
                const OutputColumns& outputs) {
    BigramModel::backward(batch, objective, outputs);
    for (std::size_t i = 0; i < gradients().size(); ++i)
      if (i % model_axis.size() != model_axis.rank()) gradients()[i] = 0;  // another rank's
    model_axis.all_reduce_sum(gradients());
  }
};

Rollout rollout_of(std::vector<Token> tokens, double reward) {
  Rollout rollout;
  rollout.reward = reward;
  rollout.segments.emplace_back();
  rollout.segments[0].context.append(Provenance::prompt, tokens);
  return rollout;
}

}  // namespace

TEST_CASE("a checksum sees each token and reward of each rollout", "[train][collective]") {
  const std::vector<Rollout> rollouts{rollout_of({1, 2, 3}, 1.0), rollout_of({4}, 0.0)};
  const std::uint64_t checksum = rollout_checksum(rollouts);
  CHECK(rollout_checksum(std::vector<Rollout>(rollouts)) == checksum);
  CHECK(rollout_checksum({}) != checksum);
  CHECK(rollout_checksum(std::vector{rollouts[1], rollouts[0]}) != checksum);
  CHECK(rollout_checksum(std::vector{rollouts[0], rollout_of({5}, 0.0)}) != checksum);
  CHECK(rollout_checksum(std::vector{rollout_of({1, 2, 3}, 0.5), rollouts[1]}) != checksum);
}

TEST_CASE("a checksum leaves out the one that ends each encoded rollout", "[train][collective]") {
  // A CRC over a message and its own CRC is one constant, whatever the message says.
  const Rollout one = rollout_of({1, 2, 3}, 1.0), other = rollout_of({4}, 0.0);
  CHECK(crc64(encode_rollout(one)) == crc64(encode_rollout(other)));
  CHECK(rollout_checksum(std::vector{one}) != rollout_checksum(std::vector{other}));
}

TEST_CASE("two data ranks by two model ranks have the bits of two data ranks",
          "[train][collective]") {
  const std::vector<Outcome> expected = two_data_ranks();
  CHECK(expected[0].weights == expected[1].weights);
  CHECK(expected[0].rollouts != expected[1].rollouts);
  std::vector<Outcome> replicated(4), sharded(4);
  run_ranks(kTwoByTwo, [&](ThreadCollective data, ThreadCollective model) {
    BigramModel one = guessing::model(), other = one;
    replicated[place(data, model)] = outcome_of(one, Mesh{data, model});
    sharded[place(data, model)] = outcome_of(other, Mesh{Sharded{data}, model});
  });
  for (std::size_t d = 0; d < 2; ++d)
    for (std::size_t m = 0; m < 2; ++m) {
      CHECK(replicated[2 * d + m] == expected[d]);
      CHECK(sharded[2 * d + m] == expected[d]);
    }
}

TEST_CASE("a learner sums over the model axis what its ranks compute together",
          "[train][collective]") {
  const std::vector<Outcome> expected = two_data_ranks();
  std::vector<Outcome> split(4);
  run_ranks(kTwoByTwo, [&](ThreadCollective data, ThreadCollective model) {
    Mesh mesh{data, model};
    SplitModel learner(guessing::model(), mesh.model_axis());
    split[place(data, model)] = outcome_of(learner, mesh);
  });
  for (std::size_t rank = 0; rank < 4; ++rank) CHECK(split[rank] == expected[rank / 2]);
}

TEST_CASE("ranks of a model group that play different rollouts stop before any weight changes",
          "[train][collective]") {
  std::vector<std::string> errors(4);
  std::vector<std::vector<double>> weights(4);
  run_ranks(kTwoByTwo, [&](ThreadCollective data, ThreadCollective model) {
    BigramModel learner = guessing::model();
    auto trainer = make_trainer(learner, Mesh{data, model}, 8 + model.rank());  // another seed
    errors[place(data, model)] = error_of([&] { trainer.step(five_tasks(10)); });
    weights[place(data, model)] = guessing::weights(learner);
  });
  for (std::size_t rank = 0; rank < 4; ++rank) {
    CHECK_THAT(
        errors[rank],
        ContainsSubstring("ranks 0 and 1 of the model axis have played different rollouts") &&
            ContainsSubstring("rank " + std::to_string(rank / 2) + " of the data axis"));
    BigramModel untrained = guessing::model();
    CHECK(weights[rank] == guessing::weights(untrained));
  }
}

TEST_CASE("one rank of a mesh writes the checkpoint that all load", "[train][collective]") {
  TemporaryFolder folder;
  std::vector<int> writes(4);
  std::vector<std::vector<double>> at_save(4), loaded(4);
  run_ranks(kTwoByTwo, [&](ThreadCollective data, ThreadCollective model) {
    const std::size_t rank = place(data, model);
    Mesh mesh{Sharded{data}, model};
    BigramModel learner = guessing::model(), again = learner;
    auto trainer = make_trainer(learner, mesh);
    trainer.step(five_tasks(10));
    Checkpoint checkpoint{.step = trainer.steps_done()};
    trainer.save(checkpoint);  // on all ranks: moments are gathered
    if (is_first_rank(mesh)) {
      write_checkpoint(folder / "run", checkpoint);
      ++writes[rank];
    }
    gather_numbers(data, 0), gather_numbers(model, 0);  // nobody goes on before it is written
    auto resumed = make_trainer(again, mesh);
    resumed.load(*latest_checkpoint(folder / "run", {}).checkpoint);
    trainer.step(five_tasks(10));
    resumed.step(five_tasks(10));
    at_save[rank] = guessing::weights(learner);
    loaded[rank] = guessing::weights(again);
  });
  CHECK(writes == std::vector<int>{1, 0, 0, 0});
  for (std::size_t rank = 0; rank < 4; ++rank) {
    CHECK(loaded[rank] == at_save[rank]);
    CHECK(loaded[rank] == loaded[0]);
  }
}

TEST_CASE("without a mesh there is nothing to compare", "[train][collective]") {
  LocalCollective alone;
  require_same_rollouts(alone, std::vector<Rollout>{rollout_of({1}, 0.0)});
  SUCCEED("no error");
}
