// A learner on a device under the trainer that trains on the CPU. On a CUDA device:
//   bash tests/cuda/run.sh
// and on the emulator of tests/cuda/emulator, where `ctest` runs it.

#include <algorithm>
#include <cmath>
#include <vector>

#include "cuda/device_bigram.cuh"
#include "dualagent/train/supervised.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/guessing_pair.hpp"
#include "support/remote_engine.hpp"

using namespace dualagent;

namespace {

/// What five steps of a learner leave: its weights, and what the steps measured.
struct FiveSteps {
  std::vector<double> weights;
  std::vector<StepMetrics> metrics;
};

template <class LearnerModel, class ObjectiveOf>
FiveSteps train(LearnerModel& learner, const ObjectiveOf& objective) {
  RemoteEngine engine(toy::vocab);  // it rounds weights: both learners' samples are the same
  Trainer trainer{SharedWeights{Learning{learner, engine}},
                  guessing::protocol(),
                  ExactMatch{},
                  Recipe{objective},
                  LocalCollective{},
                  {.group_size = 8,
                   .minibatches = 2,
                   .update = {.optimizer = {.learning_rate = 0.05, .epsilon = 1e-3}},
                   .seed = 3}};
  FiveSteps result;
  for (int step = 0; step < 5; ++step)
    result.metrics.push_back(trainer.step(guessing::five_tasks(10)));
  using Scalar = typename decltype(learner.parameters())::value_type;
  AlignedVector<Scalar> room;
  const std::span<const Scalar> weights = on_host(learner, learner.parameters(), room);
  result.weights.assign(weights.begin(), weights.end());
  return result;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

template <class ObjectiveOf>
void check_against_cpu(const char* name, const ObjectiveOf& objective) {
  INFO(name);
  BigramModel on_cpu = guessing::model();
  const std::vector<double> start = guessing::weights(on_cpu);
  DeviceBigram on_device(toy::vocab, start);
  const FiveSteps expected = train(on_cpu, objective);
  const FiveSteps found = train(on_device, objective);
  CHECK(largest_difference(start, expected.weights) > 0.05);
  CHECK(largest_difference(expected.weights, found.weights) < 1e-5);
  for (std::size_t step = 0; step < 5; ++step) {
    const StepMetrics& cpu = expected.metrics[step];
    const StepMetrics& device = found.metrics[step];
    CHECK(device.trained_tokens == cpu.trained_tokens);
    CHECK(device.updates == cpu.updates);
    CHECK(device.loss == Approx(cpu.loss).margin(1e-5));
    CHECK(device.entropy == Approx(cpu.entropy).margin(1e-5));
    CHECK(device.gradient_norm == Approx(cpu.gradient_norm).margin(1e-5));
    CHECK(device.clip_fraction == cpu.clip_fraction);
  }
}

}  // namespace

TEST_CASE("a learner on a device is trained by the same trainer to the same weights", "[cuda]") {
  check_against_cpu("clip loss", Dapo{});
  check_against_cpu("with importance weights and an entropy bonus",
                    Objective{GroupNormalized{}, CispoLoss{}, RolloutMean{},
                              TruncatedIs{.low = 0.5, .high = 1.5}, EntropyBonus{0.01}});
  check_against_cpu("the segment's ratio", Gspo{});
}

TEST_CASE("an update on a device copies the batch and its outputs, never weights or moments",
          "[cuda]") {
  BigramModel start = guessing::model();
  DeviceBigram learner(toy::vocab, guessing::weights(start));
  WeightUpdater updater(learner, UpdateOptions{.max_gradient_norm = 1e-3});
  PackedBatch batch;
  batch.append_row(std::vector<Token>{0, 1});
  batch.loss_weight[1] = 1.0F;
  batch.advantage[1] = 1.0F;
  TokenOutputs outputs;
  LocalCollective alone;
  learner.loops().largest_copy = 0;
  const double norm =
      updater.update(batch, loops::ComposedLoss<ClipLoss, NoRegularizer>{}, outputs, alone);
  CHECK(norm > 1e-3);  // it is clipped, too
  CHECK(updater.state().steps == 1);
  CHECK(learner.weight_version() == 1);
  CHECK(learner.loops().largest_copy == 2);
  CHECK(learner.parameters().size() > 2);
}
