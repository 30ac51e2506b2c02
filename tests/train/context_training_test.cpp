// A model whose ranks divide the rows, under updates, checkpoints and the trainer.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "dualagent/model/parallel_files.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/context_models.hpp"
#include "support/error_of.hpp"
#include "support/split_models.hpp"
#include "support/split_training.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace split_models;
using namespace split_training;
using context_models::kShapes;
using context_models::run_context_ranks;

namespace {

/// What every rank was told by five updates; weights on rank 0.
struct Updated {
  std::vector<std::vector<double>> told;
  std::vector<double> weights;
};

template <class Scalar>
Updated updated_on(const MeshShape& shape, const Transformer<Scalar>& start, Recompute recompute) {
  Updated updated{std::vector<std::vector<double>>(shape.data * shape.model), {}};
  run_context_ranks(shape, [&](auto axis) {
    Mesh mesh{LocalCollective{}, axis};
    ParallelTransformer<decltype(axis), Scalar> model(start.config(), mesh.model_axis(),
                                                      {.recompute = recompute});
    take_weights<decltype(axis), Scalar>(model, start.parameters());
    WeightUpdater updater(model, kUpdate, mesh);
    updated.told[axis.rank()] = five_updates(model, updater, mesh);
    const auto all = gathered(model, model.parameters());
    if (axis.rank() == 0) updated.weights = all;
  });
  return updated;
}

template <class Scalar>
void check_updates(const Described& described, double tolerance) {
  const auto start = odd_model<Scalar>(described.config, with_threads(1, 2));
  auto one = start.copy();
  LocalCollective alone;
  WeightUpdater updater(one, kUpdate);
  const std::vector<double> expected = five_updates(one, updater, alone);
  for (const MeshShape& shape : kShapes) {
    INFO(described.name << " on " << shape.data << " x " << shape.model << " ranks");
    const Updated updated = updated_on(shape, start, Recompute::large);
    CHECK(difference(updated.weights, one.parameters()) <= tolerance);
    for (const auto& told : updated.told) {
      CHECK(difference(told, expected) <= tolerance);
      CHECK(told == updated.told[0]);
    }
    if (shape.data == 2 && shape.model == 2)
      CHECK(updated_on(shape, start, Recompute::always).weights == updated.weights);
  }
}

}  // namespace

TEST_CASE("five updates from divided rows are those of one rank, clipping included",
          "[train][collective]") {
  Described all = descriptions()[1];  // untied, with a critic
  all.config.qk_norm = true;
  check_updates<double>(all, 1e-10);
}

TEST_CASE("in float updates from divided rows agree to 1e-5 of the largest weight",
          "[train][collective]") {
  check_updates<float>(descriptions()[2], 1e-5);
}

TEST_CASE("two data ranks by two context ranks have the bits of replicated and sharded updates",
          "[train][collective]") {
  const auto start = odd_model<float>(descriptions()[3].config, with_threads(1, 2));
  std::vector<std::vector<double>> replicated(4), sharded(4);
  const auto run = [&](auto mesh) {
    ParallelTransformer model(start.config(), mesh.model_axis());
    take_weights<std::remove_cvref_t<decltype(mesh.model_axis())>, float>(model,
                                                                          start.parameters());
    WeightUpdater updater(model, kUpdate, mesh);
    return five_updates(model, updater, mesh);
  };
  run_ranks(MeshShape{.data = 2, .model = 2}, [&](ThreadCollective data, ThreadCollective context) {
    const std::size_t place = 2 * data.rank() + context.rank();
    replicated[place] = run(Mesh{data, ContextParallel{context}});
    sharded[place] = run(Mesh{Sharded{data}, ContextParallel{context}});
  });
  const std::vector<std::vector<double>> alone = told_to_two_copies(start);
  for (std::size_t place = 0; place < 4; ++place) {
    CHECK(sharded[place] == replicated[0]);
    CHECK(replicated[place] == replicated[0]);
    CHECK(difference(replicated[place], alone[0]) <= 1e-5);
  }
}

TEST_CASE("a checkpoint and a directory of ranks that divide rows are those of one rank",
          "[train][collective]") {
  TemporaryFolder folder;
  const auto start = odd_model<float>(descriptions()[3].config, with_threads(1, 2));
  LocalCollective alone;
  auto one = start.copy();
  WeightUpdater one_updater(one, kUpdate);
  five_updates(one, one_updater, alone);
  write_updater(folder / "one", one_updater, alone);
  save_model(folder / "model", one);
  for (const MeshShape& shape : {MeshShape{2, 1}, MeshShape{2, 2}}) {
    const std::string name = "again" + std::to_string(shape.model);
    run_context_ranks(shape, [&](auto axis) {
      Mesh mesh{LocalCollective{}, axis};
      ParallelTransformer model(start.config(), mesh.model_axis());
      WeightUpdater updater(model, kUpdate, mesh);
      updater.load(read_newest(folder / "one"), "model0");
      write_updater(folder / name, updater, mesh);
      auto loaded = load_parallel_model(folder / "model", axis);
      save_model(folder / (name + " model"), loaded);
    });
    for (const char* const array :
         {"model0.weights", "model0.first_moment", "model0.second_moment"})
      CHECK(read_newest(folder / name).values<float>(array) ==
            read_newest(folder / "one").values<float>(array));
    auto again = load_model(folder / (name + " model"));
    CHECK(std::ranges::equal(again.parameters(), one.parameters()));
  }
  const std::vector<double> expected = five_updates(one, one_updater, alone);
  std::vector<std::vector<double>> resumed(3);
  run_ranks(3, [&](ThreadCollective context) {  // what 2 x 2 have written
    Mesh mesh{LocalCollective{}, ContextParallel{context}};
    ParallelTransformer model(start.config(), mesh.model_axis());
    WeightUpdater updater(model, kUpdate, mesh);
    updater.load(read_newest(folder / "again2"), "model0");
    resumed[context.rank()] = five_updates(model, updater, mesh);
  });
  for (const auto& told : resumed) CHECK(difference(told, expected) <= 1e-5);
}

TEST_CASE("a trainer plays on one rank of those that divide rows, and trains on all",
          "[train][collective]") {
  const TransformerConfig config = descriptions()[3].config;
  auto one = odd_model<float>(config, with_threads(1, 2));
  const auto start = one.copy();
  Asked asked_one;
  Outcome expected;
  auto trainer = trainer_of(one, LocalCollective{}, asked_one);
  train(trainer, expected);
  REQUIRE(asked_one.calls > 20);
  REQUIRE(expected.metrics[2] > 0);
  for (const MeshShape& shape : {MeshShape{2, 1}, MeshShape{2, 2}}) {
    INFO(shape.data << " x " << shape.model << " ranks");
    Asked asked;
    std::vector<Outcome> outcomes(shape.data * shape.model);
    std::vector<std::uint64_t> positions(outcomes.size());
    run_context_ranks(shape, [&](auto axis) {
      Mesh mesh{LocalCollective{}, axis};
      ParallelTransformer<decltype(axis)> model(config, mesh.model_axis());
      take_weights<decltype(axis), float>(model, start.parameters());
      auto divided = trainer_of(model, mesh, asked);
      train(divided, outcomes[axis.rank()]);
      outcomes[axis.rank()].weights = gathered(model, model.parameters());
      positions[axis.rank()] = model.position_counts().computed;
    });
    CHECK(asked.calls == asked_one.calls);
    CHECK(asked.scores == asked_one.scores);
    CHECK(difference(outcomes[0].weights, one.parameters()) <= 1e-4);
    for (std::size_t rank = 0; rank < outcomes.size(); ++rank) {
      const Outcome& outcome = outcomes[rank];
      CHECK(outcome.log_ratio == 0.0);
      CHECK(difference(outcome.metrics, expected.metrics) <= 1e-5);
      CHECK(outcome.metrics == outcomes[0].metrics);
      CHECK(outcome.rollouts == outcomes[0].rollouts);
      CHECK(outcome.evaluation.reward_mean == expected.evaluation.reward_mean);
      // The second copy of the model does not sample.
      CHECK(positions[rank] == (rank < shape.model ? positions[0] : 0));
    }
  }
}

TEST_CASE("ranks that divide rows are refused before they play if one weight differs by one bit",
          "[train][collective]") {
  std::vector<std::string> errors(4);
  Asked asked;
  run_ranks(MeshShape{2, 2}, [&](ThreadCollective context, ThreadCollective tensor) {
    Mesh mesh{LocalCollective{}, ContextParallel{context, tensor}};
    ParallelTransformer model(ragged_shape(true), mesh.model_axis());
    auto trainer = trainer_of(model, mesh, asked);
    const std::size_t rank = mesh.model_axis().rank();
    float& weight = model.parameters()[0];  // of a token of this rank
    if (rank == 3) weight = std::nextafter(weight, 2.0F);
    errors[rank] = error_of([&] { trainer.step(two_tokens::tasks(1)); });
  });
  for (const std::string& text : errors)
    CHECK_THAT(text, ContainsSubstring("ranks 1 and 3 of the model axis have different weights") &&
                         ContainsSubstring("No weight has changed"));
  CHECK(asked.calls + asked.scores == 0);
}
