// A model on several ranks under updates, checkpoints and the trainer.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/split_models.hpp"
#include "support/split_training.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace split_models;
using namespace split_training;
using two_tokens::tasks;

namespace {

template <class Scalar>
void check_updates(double tolerance) {
  for (const Described& described : {descriptions()[1], descriptions()[2], descriptions()[3]}) {
    auto start = odd_model<Scalar>(described.config, with_threads(1, 2));
    auto one = start.copy();
    LocalCollective alone;
    WeightUpdater one_updater(one, kUpdate);
    const std::vector<double> expected = five_updates(one, one_updater, alone);
    for (const std::size_t ranks : {2U, 4U}) {
      INFO(described.name << " on " << ranks << " ranks");
      std::vector<std::vector<double>> told(ranks);
      std::vector<double> weights;
      std::vector<std::size_t> moments_of(ranks), parameters_of(ranks);
      run_ranks(ranks, [&](ThreadCollective axis) {
        Mesh mesh{LocalCollective{}, axis};
        ParallelTransformer<ThreadCollective, Scalar> model(described.config, mesh.model_axis());
        take_weights<ThreadCollective, Scalar>(model, start.parameters());
        WeightUpdater updater(model, kUpdate, mesh);
        told[axis.rank()] = five_updates(model, updater, mesh);
        moments_of[axis.rank()] = moments(updater);
        parameters_of[axis.rank()] = model.parameters().size();
        const auto all = gathered(model, model.parameters());
        if (axis.rank() == 0) weights = all;
      });
      CHECK(difference(weights, one.parameters()) <= tolerance);
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        CHECK(difference(told[rank], expected) <= tolerance);
        CHECK(told[rank] == told[0]);
        CHECK(moments_of[rank] == 2 * parameters_of[rank]);
      }
    }
  }
}

}  // namespace

TEST_CASE("five updates of a model on 2 and 4 ranks are those of one rank, clipping included",
          "[train][collective]") {
  check_updates<double>(1e-10);
}

TEST_CASE("in float they agree to 1e-5 of the largest weight", "[train][collective]") {
  check_updates<float>(1e-5);
}

TEST_CASE("two data ranks by two model ranks have the bits of replicated and sharded updates",
          "[train][collective]") {
  auto start = odd_model<float>(descriptions()[3].config, with_threads(1, 2));
  std::vector<std::vector<double>> replicated(4), sharded(4);
  std::vector<std::size_t> counts(4), parts(4);
  const auto run = [&](auto mesh) {
    ParallelTransformer model(start.config(), mesh.model_axis());
    take_weights<ThreadCollective, float>(model, start.parameters());
    WeightUpdater updater(model, kUpdate, mesh);
    std::vector<double> told = five_updates(model, updater, mesh);
    parts[2 * mesh.rank() + mesh.model_axis().rank()] = model.parameters().size();
    counts[2 * mesh.rank() + mesh.model_axis().rank()] = moments(updater);
    return told;
  };
  run_ranks(MeshShape{.data = 2, .model = 2}, [&](ThreadCollective data, ThreadCollective model) {
    const std::size_t place = 2 * data.rank() + model.rank();
    replicated[place] = run(Mesh{data, model});
    sharded[place] = run(Mesh{Sharded{data}, model});
  });
  const std::vector<std::vector<double>> alone = told_to_two_copies(start);
  for (std::size_t place = 0; place < 4; ++place) {
    CHECK(sharded[place] == replicated[0]);
    CHECK(replicated[place] == replicated[0]);
    CHECK(difference(replicated[place], alone[0]) <= 1e-5);
    CHECK(counts[place] <= parts[place] + 2);  // two moments of half of its part
  }
}

TEST_CASE("a checkpoint of a model on several ranks is that of one, and is loaded by any number",
          "[train][collective]") {
  TemporaryFolder folder;
  auto start = odd_model<float>(descriptions()[3].config, with_threads(1, 2));
  LocalCollective alone;
  {
    auto one = start.copy();
    WeightUpdater updater(one, kUpdate);
    five_updates(one, updater, alone);
    write_updater(folder / "one", updater, alone);
  }
  std::vector<WeightVersion> versions(4);
  run_ranks(MeshShape{.data = 2, .model = 2}, [&](ThreadCollective data, ThreadCollective axis) {
    Mesh mesh{Sharded{data}, axis};
    ParallelTransformer model(start.config(), mesh.model_axis());
    WeightUpdater updater(model, kUpdate, mesh);
    updater.load(read_newest(folder / "one"), "model0");
    versions[2 * data.rank() + axis.rank()] = model.weight_version();
    write_updater(folder / "again", updater, mesh);
  });
  CHECK(versions ==
        std::vector<WeightVersion>(4, read_newest(folder / "one").number("model0.weight_version")));
  for (const char* const array : {"model0.weights", "model0.first_moment", "model0.second_moment"})
    CHECK(read_newest(folder / "again").values<float>(array) ==
          read_newest(folder / "one").values<float>(array));
  std::vector<double> expected;
  {
    auto one = start.copy();
    WeightUpdater updater(one, kUpdate);
    updater.load(read_newest(folder / "again"), "model0");
    expected = five_updates(one, updater, alone);
  }
  std::vector<std::vector<double>> resumed(3);
  run_ranks(3, [&](ThreadCollective axis) {
    Mesh mesh{LocalCollective{}, axis};
    ParallelTransformer model(start.config(), mesh.model_axis());
    WeightUpdater updater(model, kUpdate, mesh);
    updater.load(read_newest(folder / "again"), "model0");
    resumed[axis.rank()] = five_updates(model, updater, mesh);
  });
  for (const auto& told : resumed) CHECK(difference(told, expected) <= 1e-5);
}

TEST_CASE("of a model on several ranks the first rank of the mesh alone may write a checkpoint",
          "[train][collective]") {
  TemporaryFolder folder;
  std::vector<std::string> errors(4);
  run_ranks(MeshShape{.data = 2, .model = 2}, [&](ThreadCollective data, ThreadCollective axis) {
    Mesh mesh{data, axis};
    ParallelTransformer model(ragged_shape(true), mesh.model_axis());
    WeightUpdater updater(model, kUpdate, mesh);
    Checkpoint checkpoint{.step = 5};
    updater.save(checkpoint, "model0", mesh);
    const std::size_t place = 2 * data.rank() + axis.rank();
    errors[place] = error_of([&] { write_checkpoint(folder / std::to_string(place), checkpoint); });
  });
  CHECK(errors[0] == "no error");
  for (const std::size_t place : {1U, 2U, 3U}) {
    CHECK_THAT(errors[place], ContainsSubstring("this rank does not have all of the checkpoint") &&
                                  ContainsSubstring("is_first_rank(mesh)"));
    CHECK(!std::filesystem::exists(folder / std::to_string(place)));
  }
}

TEST_CASE("a weight that is not finite on one rank stops the saving of all",
          "[train][collective]") {
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective axis) {
    Mesh mesh{LocalCollective{}, axis};
    ParallelTransformer model(ragged_shape(true), mesh.model_axis());
    WeightUpdater updater(model, kUpdate, mesh);
    if (axis.rank() == 1) model.parameters()[0] = std::numeric_limits<float>::quiet_NaN();
    Checkpoint checkpoint{.step = 5};
    errors[axis.rank()] = error_of([&] { updater.save(checkpoint, "model0", mesh); });
  });
  CHECK_THAT(errors[0], ContainsSubstring("rank 1 failed"));
  CHECK_THAT(errors[1], ContainsSubstring("a weight is nan") &&
                            ContainsSubstring("element 0 of model.embed_tokens.weight"));
}

TEST_CASE("a trainer over a mesh plays on one rank of a model and trains on all",
          "[train][collective]") {
  TransformerConfig config = descriptions()[3].config;
  auto one = odd_model<float>(config, with_threads(1, 2));
  const auto start = one.copy();
  Asked asked_one;
  Outcome expected;
  auto trainer = trainer_of(one, LocalCollective{}, asked_one);
  train(trainer, expected);
  REQUIRE(asked_one.calls > 20);
  REQUIRE(expected.metrics[2] > 0);
  for (const std::size_t ranks : {2U, 4U}) {
    INFO(ranks << " ranks");
    Asked asked;
    std::vector<Outcome> outcomes(ranks);
    run_ranks(ranks, [&](ThreadCollective axis) {
      Mesh mesh{LocalCollective{}, axis};
      ParallelTransformer model(config, mesh.model_axis());
      take_weights<ThreadCollective, float>(model, start.parameters());
      auto split = trainer_of(model, mesh, asked);
      train(split, outcomes[axis.rank()]);
      outcomes[axis.rank()].weights = gathered(model, model.parameters());
    });
    CHECK(asked.calls == asked_one.calls);
    CHECK(asked.scores == asked_one.scores);
    CHECK(difference(outcomes[0].weights, one.parameters()) <= 1e-4);
    for (const Outcome& outcome : outcomes) {
      CHECK(outcome.log_ratio == 0.0);
      CHECK(difference(outcome.metrics, expected.metrics) <= 1e-5);
      CHECK(outcome.metrics == outcomes[0].metrics);
      CHECK(outcome.rollouts == outcomes[0].rollouts);
      CHECK(outcome.evaluation.reward_mean == expected.evaluation.reward_mean);
      CHECK(outcome.evaluation.rollouts.size() == 1);
    }
  }
}

TEST_CASE("what fails on the rank that plays is an error on all ranks of the model",
          "[train][collective]") {
  std::vector<std::string> errors(2);
  Asked asked;
  run_ranks(2, [&](ThreadCollective axis) {
    Mesh mesh{LocalCollective{}, axis};
    ParallelTransformer model(ragged_shape(true), mesh.model_axis());
    auto trainer = trainer_of(model, mesh, asked, true);
    errors[axis.rank()] = error_of([&] { trainer.step(tasks(1)); });
  });
  CHECK_THAT(errors[0], ContainsSubstring("the judge is gone"));
  CHECK_THAT(errors[1],
             ContainsSubstring("rank 0 failed: ") && ContainsSubstring("the judge is gone"));
}

TEST_CASE("ranks whose norms differ by one bit are refused before they play",
          "[train][collective]") {
  std::vector<std::string> errors(2);
  std::vector<int> kept(2);
  Asked asked;
  run_ranks(2, [&](ThreadCollective axis) {
    Mesh mesh{LocalCollective{}, axis};
    ParallelTransformer model(ragged_shape(true), mesh.model_axis());
    auto trainer = trainer_of(model, mesh, asked);
    float& norm = model.parameters().back();  // the last tensor is the final norm
    if (axis.rank() == 1) norm = std::nextafter(norm, 2.0F);
    const std::vector<float> before(model.parameters().begin(), model.parameters().end());
    errors[axis.rank()] = error_of([&] { trainer.step(tasks(1)); });
    kept[axis.rank()] = std::ranges::equal(before, model.parameters()) ? 1 : 0;
  });
  for (const std::string& text : errors)
    CHECK_THAT(text, ContainsSubstring("ranks 0 and 1 of the model axis have different norms") &&
                         ContainsSubstring("No weight has changed"));
  CHECK(asked.calls + asked.scores == 0);
  CHECK(kept == std::vector<int>{1, 1});
}

TEST_CASE("a model on the data axis of a mesh is refused on all ranks", "[train][collective]") {
  std::vector<std::string> errors(4), fewer(4);
  run_ranks(MeshShape{.data = 2, .model = 2}, [&](ThreadCollective data, ThreadCollective axis) {
    const std::size_t place = 2 * data.rank() + axis.rank();
    Mesh mesh{data, axis};
    ParallelTransformer model(ragged_shape(true), mesh.data_axis());
    errors[place] = error_of([&] { WeightUpdater(model, kUpdate, mesh); });
    ParallelTransformer alone(ragged_shape(true), LocalCollective{});
    fewer[place] = error_of([&] { WeightUpdater(alone, kUpdate, mesh); });
  });
  for (const std::string& text : errors)
    CHECK_THAT(text, ContainsSubstring("size 2 that is not the mesh's model axis") &&
                         ContainsSubstring("Give mesh.model_axis() to the model"));
  for (const std::string& text : fewer)
    CHECK_THAT(text, ContainsSubstring("size 1 that is not the mesh's model axis"));
}
