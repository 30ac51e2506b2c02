#pragma once

/// Definitions of checkpoint.hpp; see core/compiled.hpp.

#include "dualagent/train/checkpoint.hpp"

namespace dualagent::detail {

inline constexpr std::string_view kCheckpointStem = "checkpoint-";

inline constexpr std::string_view kCheckpointSuffix = ".safetensors";

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string checkpoint_file_name(std::uint64_t step) {
  return std::string(detail::kCheckpointStem) + zero_padded(step, 12) +
         std::string(detail::kCheckpointSuffix);
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE std::vector<CheckpointFile> list_checkpoints(
    const std::filesystem::path& directory) {
  require_whole_path(directory);
  std::vector<CheckpointFile> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  if (error == std::errc::no_such_file_or_directory) return files;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::size_t around = kCheckpointStem.size() + kCheckpointSuffix.size();
    if (name.size() <= around) continue;
    const std::optional<std::uint64_t> step = parse_number<std::uint64_t>(
        std::string_view(name).substr(kCheckpointStem.size(), name.size() - around));
    if (step && name == checkpoint_file_name(*step)) files.push_back({*step, entry->path()});
  }
  if (error) throw_file_error("list the folder", directory, error.value());
  sort_by_index(files, [&](std::size_t i, std::size_t j) { return files[i].step < files[j].step; });
  return files;
}

DUALAGENT_INLINE bool is_damaged(const CheckpointFile& file) {
  return find_damage(MappedFile(file.path).bytes()).has_value();
}

inline void remove_checkpoint(const CheckpointFile& file) {
  std::error_code error;
  if (!std::filesystem::remove(file.path, error) && error)
    throw_file_error("remove a checkpoint", file.path, error.value());
}

/// A folder belongs to one run, whose steps grow: a later good checkpoint is another run's work.
inline void set_aside_later(const std::vector<CheckpointFile>& files, std::uint64_t step) {
  for (const CheckpointFile& file : files) {
    if (file.step <= step) continue;
    if (!is_damaged(file))
      throw Error("there is already a checkpoint of the later step " + std::to_string(file.step) +
                      ", so step " + std::to_string(step) + " is not written",
                  file.path.string(), "Resume that run, or use another folder for a new one");
    std::error_code error;
    std::filesystem::path aside = file.path;
    aside += ".damaged";
    std::filesystem::rename(file.path, aside, error);
    if (error) throw_file_error("rename the damaged checkpoint", file.path, error.value());
  }
}

/// Removes what is older than the newest `keep_last` undamaged checkpoints up to `step`.
inline void prune_checkpoints(std::vector<CheckpointFile> files, std::uint64_t step,
                              std::size_t keep_last) {
  std::size_t good = 0;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (good < keep_last) {
      if (file->step == step || !is_damaged(*file)) ++good;
      continue;
    }
    remove_checkpoint(*file);
  }
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::filesystem::path write_checkpoint(const std::filesystem::path& directory,
                                                        const Checkpoint& checkpoint,
                                                        CheckpointRetention retention) {
  if (retention.keep_last == 0)
    throw Error("keep_last is 0", "CheckpointRetention", "Keep at least 1 checkpoint");
  require_whole(checkpoint);
  ensure_directory(directory);
  remove_abandoned_temporaries(directory, detail::kCheckpointStem);
  detail::set_aside_later(detail::list_checkpoints(directory), checkpoint.step);
  const std::filesystem::path path = directory / checkpoint_file_name(checkpoint.step);
  write_checkpoint_file(path, checkpoint);
  detail::prune_checkpoints(detail::list_checkpoints(directory), checkpoint.step,
                            retention.keep_last);
  return path;
}

DUALAGENT_INLINE void remove_checkpoints_after(const std::filesystem::path& directory,
                                               std::uint64_t step) {
  for (const detail::CheckpointFile& file : detail::list_checkpoints(directory))
    if (file.step > step) detail::remove_checkpoint(file);
}

DUALAGENT_INLINE LatestCheckpoint latest_checkpoint(const std::filesystem::path& directory,
                                                    const RunFingerprint& current) {
  LatestCheckpoint result;
  std::vector<detail::CheckpointFile> files = detail::list_checkpoints(directory);
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    std::string damage;
    result.checkpoint = StoredCheckpoint::open_undamaged(file->path, damage);
    if (!result.checkpoint) {
      result.skipped.push_back("skipped " + file->path.string() + ": " + damage);
      continue;
    }
    result.checkpoint->require_fingerprint(current);
    return result;
  }
  if (result.skipped.empty()) return result;
  std::string reasons;
  for (const std::string& reason : result.skipped) reasons += "; " + reason;
  throw Error("every checkpoint is damaged" + reasons, directory.string(),
              "Restore one from a backup, or remove the folder to start again");
}

}  // namespace dualagent
