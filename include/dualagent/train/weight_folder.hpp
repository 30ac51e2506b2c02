#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/train/checkpoint.hpp"

namespace dualagent {

/// The weights that a learner has published to those who sample for it in other threads or
/// processes: one checkpoint file for each step, whole or not there, of which the newest two stay.
///
/// One learner writes; any number of samplers read, meanwhile too. A folder in memory, e.g. below
/// /dev/shm, spares the disk: what is published need not survive the machine.
/// Example: WeightFolder weights{"out/weights"};
class WeightFolder {
 public:
  /// Errors: Error for an empty path.
  explicit WeightFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
    if (folder_.empty())
      throw Error("a folder of weights has no name", "WeightFolder", "Name one; it is made");
    require_no_nul(folder_.native(), "path", "WeightFolder");
  }

  const std::filesystem::path& path() const { return folder_; }

  /// Errors: as `write_checkpoint`.
  void publish(const Checkpoint& weights) const {
    write_checkpoint(folder_, weights, {.keep_last = 2});
  }

  /// Takes back what was published after this step.
  void go_back_to(std::uint64_t step) const { remove_checkpoints_after(folder_, step); }

  /// The step of the newest weights, which is the number of steps that made them. Lists the folder
  /// and opens nothing.
  std::optional<std::uint64_t> newest_step() const {
    const std::vector<detail::CheckpointFile> files = detail::list_checkpoints(folder_);
    if (files.empty()) return std::nullopt;
    return files.back().step;
  }

  /// The newest weights; nothing if none were published. Errors: Error for a file that is damaged
  /// or cannot be read.
  std::optional<StoredCheckpoint> newest() const {
    while (const std::optional<std::uint64_t> step = newest_step()) {
      const std::filesystem::path path = folder_ / checkpoint_file_name(*step);
      try {
        return StoredCheckpoint::open(path);
      } catch (const Error&) {
        std::error_code error;
        if (std::filesystem::exists(path, error)) throw;  // else newer ones have taken its place
      }
    }
    return std::nullopt;
  }

 private:
  std::filesystem::path folder_;
};

/// What samplers and learner of one run exchange: rollouts one way, weights the other. Holds a
/// reference to the store, which must outlive it.
/// Example: Exchange{store, WeightFolder{"out/weights"}}
template <class Store>
struct Exchange {
  Store& store;
  WeightFolder weights;
};
template <class Store>
Exchange(Store&, WeightFolder) -> Exchange<Store>;

/// What samplers exchange with learners that train a pair in runs of their own: each learner has
/// its run in the store, its models and a folder in which it publishes them. Holds a reference to
/// the store. Example: SharedExchange{store, {WeightFolder{"a/weights"},
/// WeightFolder{"b/weights"}}}
template <class Store>
struct SharedExchange {
  Store& store;
  std::vector<WeightFolder> weights;
};
template <class Store>
SharedExchange(Store&, std::vector<WeightFolder>) -> SharedExchange<Store>;

}  // namespace dualagent
