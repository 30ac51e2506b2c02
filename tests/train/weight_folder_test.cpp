#include "dualagent/train/weight_folder.hpp"

#include <fstream>
#include <span>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

/// `publish` of weights that are all equal to the step.
void publish(const WeightFolder& folder, std::uint64_t step) {
  const std::vector<double> weights(1000, static_cast<double>(step));
  Checkpoint checkpoint{.step = step};
  checkpoint.add("model0.weights", std::span<const double>(weights));
  folder.publish(checkpoint);
}

}  // namespace

TEST_CASE("the newest weights are found, two versions stay, and a learner can go back", "[train]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  CHECK(!weights.newest_step());
  CHECK(!weights.newest());
  for (std::uint64_t step = 0; step < 4; ++step) publish(weights, step);
  CHECK(weights.newest_step() == 3);
  CHECK(weights.newest()->values<double>("model0.weights") == std::vector<double>(1000, 3.0));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(weights.path()))
    ++files;
  CHECK(files == 2);
  weights.go_back_to(2);
  CHECK(weights.newest()->step() == 2);
  publish(weights, 3);
  CHECK(weights.newest()->step() == 3);
}

TEST_CASE("who reads while others are published gets whole weights, never older ones", "[train]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  publish(weights, 0);
  std::thread learner([&] {
    for (std::uint64_t step = 1; step < 60; ++step) publish(weights, step);
  });
  std::uint64_t step = 0;
  while (step < 59) {
    const auto newest = weights.newest();
    if (!newest || newest->step() < step ||
        newest->values<double>("model0.weights") !=
            std::vector<double>(1000, static_cast<double>(newest->step()))) {
      FAIL_CHECK("after step " << step);
      break;
    }
    step = newest->step();
  }
  learner.join();
  CHECK(step == 59);
}

TEST_CASE("weights that are damaged are an error, not the weights before them", "[train]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  publish(weights, 0);
  publish(weights, 1);
  std::ofstream(weights.path() / checkpoint_file_name(1), std::ios::binary | std::ios::app) << "x";
  CHECK_THROWS_WITH(weights.newest(), ContainsSubstring("damaged"));
}

TEST_CASE("weights without a folder are refused, not waited for", "[train]") {
  CHECK_THROWS_WITH(WeightFolder(""), ContainsSubstring("a folder of weights has no name"));
  CHECK_THROWS_WITH(WeightFolder(std::string("a\0b", 3)),
                    ContainsSubstring("path has a NUL byte at byte 1: a\\x00b (WeightFolder)"));
}
