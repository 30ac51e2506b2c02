#pragma once

#include <cstddef>
#include <string>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/train/trainer_options.hpp"

namespace dualagent {

/// Which of a step's groups one of several workers plays: those whose number leaves `index` when
/// divided by `of`. Workers of one run have one `of` and an index each, below AsyncOptions::tasks:
/// a worker without groups is refused when it sees the learner's weights.
struct WorkerPart {
  std::size_t index = 0;
  std::size_t of = 1;
};

/// How a rollout worker samples, and as whom it commits.
struct WorkerOptions {
  std::string writer = "sampler";  ///< its name in the store, which it keeps when it starts again
  WorkerPart part{};
  /// Those of the learner's trainer: seed, group size (8 if not set), forks and sampling must be
  /// equal; of the others only `scheduler` is used.
  TrainerOptions trainer{};

  void validate() const {
    if (writer.empty())
      throw Error(
          "writer is empty", "WorkerOptions",
          "Name the worker, and no two of a run alike: the store tells rollouts apart by it");
    require_option(part.of, kAtLeastOne, "part.of", "WorkerOptions");
    if (part.index >= part.of)
      throw Error("part " + std::to_string(part.index) + " of " + std::to_string(part.of),
                  "WorkerOptions", "Parts are numbered from 0");
  }
};

/// What a rollout worker has done since it was made.
struct WorkerMetrics {
  double groups = 0;  ///< committed
  double rollouts = 0;
  double sampled_tokens = 0;
  double refits = 0;          ///< how often newer weights were taken over
  double weight_seconds = 0;  ///< in which nothing could be played until weights were published
  double room_seconds = 0;    ///< in which nothing could be played until the store had room

  /// Calls `visit(name, value)` for every number, in the order above.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    visit("worker_groups", groups);
    visit("worker_rollouts", rollouts);
    visit("worker_sampled_tokens", sampled_tokens);
    visit("worker_refits", refits);
    visit("worker_weight_seconds", weight_seconds);
    visit("worker_room_seconds", room_seconds);
  }
};

}  // namespace dualagent
