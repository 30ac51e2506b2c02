#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/mesh.hpp"
#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
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

}  // namespace dualagent
