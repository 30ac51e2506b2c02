#pragma once

/// Definitions of shared_memory.hpp; see core/compiled.hpp.

#include "dualagent/collective/shared_memory.hpp"

namespace dualagent {

DUALAGENT_INLINE void SharedMemoryOptions::validate() const {
  require_option(slot_bytes, {65536, 1U << 30U}, "slot_bytes", "SharedMemoryOptions");
  if (slot_bytes % 4096 != 0)
    throw Error("slot_bytes is " + std::to_string(slot_bytes), "SharedMemoryOptions",
                "Take a multiple of 4096");
  if (array_bytes % 4096 != 0 || array_bytes > kMaxArrayBytes)
    throw Error("array_bytes is " + std::to_string(array_bytes), "SharedMemoryOptions",
                "Take a multiple of 4096, at most " + std::to_string(kMaxArrayBytes));
}

DUALAGENT_INLINE SharedMemoryCollective::Member::Member(const std::string& name, std::size_t number,
                                                        std::size_t size,
                                                        const SharedMemoryOptions& options)
    : rank(name, number, size, {options.slot_bytes, options.array_bytes}, options.timeout_seconds),
      background([this] { abort("a sum that was started was not waited for"); }) {}

DUALAGENT_INLINE const std::string& SharedMemoryCollective::name_on_one_host(
    const LaunchedRank& me) {
  if (me.local_size == 0 || me.local_size == me.size) return me.run;
  throw Error(
      std::to_string(me.local_size) + " of " + std::to_string(me.size) + " ranks are on this host",
      "SharedMemoryCollective", "Over several hosts use MpiCollective, or Hierarchical of both");
}

}  // namespace dualagent
