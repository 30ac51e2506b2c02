#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/mesh.hpp"
#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/rollout_codec.hpp"

namespace dualagent {

/// Of all that the rollouts say: tokens, log-probabilities, weight versions, rewards, endings.
inline std::uint64_t rollout_checksum(std::span<const Rollout> rollouts) {
  Crc64 crc;
  for (const Rollout& rollout : rollouts) {
    const std::vector<std::byte> bytes = encode_rollout(rollout);
    // They end with their own checksum; with that, all messages have one and the same.
    crc.update(std::span<const std::byte>(bytes).first(bytes.size() - sizeof(std::uint64_t)));
  }
  return crc.value();
}

/// Whether the ranks of a model group have played the same rollouts, bit by bit: they train one
/// model together, so they must. Without a Mesh there is nothing to compare. All ranks must call
/// it. Errors: Error on every rank of a group whose rollouts differ.
template <class C>
void require_same_rollouts(C& collective, std::span<const Rollout> rollouts) {
  if constexpr (is_mesh<C>) {
    auto& axis = collective.model_axis();
    const std::size_t other = first_other_bits(axis, rollout_checksum(rollouts));
    if (other < axis.size())
      throw Error("ranks 0 and " + std::to_string(other) +
                      " of the model axis have played different rollouts",
                  "rank " + std::to_string(collective.rank()) + " of the data axis",
                  "Give the ranks of a model group equal weights, tasks and options, and tools "
                  "and rewards that answer alike");
  }
}

/// Whether the ranks of a model have equal bits of the parameters that each of them has whole
/// (norms, value head), and those that divide rows of all that they have; of a model on one rank
/// there is nothing to compare. All its ranks must call it. Errors: Error on every rank of the
/// model where they differ.
template <class Model>
void require_same_copies(Model& model) {
  if constexpr (OnModelAxis<Model>) {
    const auto parameters = model.parameters();
    auto& axis = model.model_axis();
    const auto require = [&](std::uint64_t digest, std::size_t parts, const std::string& what) {
      const std::size_t other = first_other_bits(axis, digest, parts);
      if (other < axis.size())
        throw Error("ranks " + std::to_string(other % parts) + " and " + std::to_string(other) +
                        " of the model axis have different " + what,
                    "rank " + std::to_string(axis.rank()) + " of the model axis",
                    "Give the ranks of a model equal files, options and learning rates, and go on "
                    "from the last checkpoint");
    };
    Crc64 crc;
    for (const TensorSlices::Run& run : model.slices().runs())
      if (run.split == TensorSplit::none)
        crc.update(std::as_bytes(parameters.subspan(run.mine, run.size)));
    require(crc.value(), 1, "norms or value heads");
    if (model.slices().copies() > 1)
      require(crc64(std::as_bytes(parameters)), model.slices().parts(), "weights");
  }
}

}  // namespace dualagent
