#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/sort_by_index.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/train/checkpoint_format.hpp"

/// The checkpoints of a run in its folder: which are kept, which is the newest that is whole.
namespace dualagent {

/// How many checkpoints a folder keeps.
struct CheckpointRetention {
  /// Undamaged checkpoints to keep, the new one included; room for one more is needed on disk.
  std::size_t keep_last = 2;
};

/// "checkpoint-000000000042.safetensors": sorts by step (up to 10^12 steps).
std::string checkpoint_file_name(std::uint64_t step);

namespace detail {

struct CheckpointFile {
  std::uint64_t step;
  std::filesystem::path path;
};

/// Checkpoints of a folder by increasing step; none when there is no such folder.
std::vector<CheckpointFile> list_checkpoints(const std::filesystem::path& directory);

bool is_damaged(const CheckpointFile& file);

}  // namespace detail

/// Writes `directory`/checkpoint-STEP.safetensors atomically and prunes old ones; returns its path.
///
/// The folder is created if needed; only one process writes to it. Temporaries that a killed
/// process left are removed. Older checkpoints go only when `keep_last` newer ones have right
/// checksums (each kept file is read once for that). A damaged file of a later step is renamed to
/// "NAME.damaged". Deterministic: equal checkpoints give equal bytes.
/// Errors: Error when writing fails (all earlier checkpoints stay), when an undamaged checkpoint of
/// a later step exists, or when pruning fails (the new checkpoint is in place); before anything is
/// touched, as `require_whole`.
std::filesystem::path write_checkpoint(const std::filesystem::path& directory,
                                       const Checkpoint& checkpoint,
                                       CheckpointRetention retention = {});

/// Removes the checkpoints of steps after `step`. Errors: Error for one that cannot be removed.
void remove_checkpoints_after(const std::filesystem::path& directory, std::uint64_t step);

/// What `latest_checkpoint` found.
struct LatestCheckpoint {
  /// Empty when the folder has none: start from the beginning.
  std::optional<StoredCheckpoint> checkpoint;
  /// One message per newer file that was damaged and therefore skipped; show them to the user.
  std::vector<std::string> skipped;
};

/// Opens the newest undamaged checkpoint of a folder, for a run with these options.
///
/// Errors: Error when files exist but all are damaged, when the fingerprints differ (naming every
/// option), when the format version is unknown, or when a file cannot be read.
/// Example: if (auto latest = latest_checkpoint(directory, options); latest.checkpoint) ...
LatestCheckpoint latest_checkpoint(const std::filesystem::path& directory,
                                   const RunFingerprint& current);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/train/checkpoint.inl"
#endif
