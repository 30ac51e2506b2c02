#pragma once

/// Definitions of checkpoint_format.hpp; see core/compiled.hpp.

#include "dualagent/train/checkpoint_format.hpp"

namespace dualagent {

DUALAGENT_INLINE void Checkpoint::refuse(const std::string& kind, const std::string& name) {
  throw Error("the checkpoint has the " + kind + " \"" + name + "\" already", "Checkpoint",
              "Save each trainer under a name of its own, and every step into a new Checkpoint");
}

DUALAGENT_INLINE std::string fingerprint_differences(const RunFingerprint& before,
                                                     const RunFingerprint& now) {
  std::string differences;
  const auto note = [&](const std::string& name, const std::string& was, const std::string& is) {
    differences += (differences.empty() ? "" : ", ") + name + " was " + was + " and is " + is;
  };
  for (const auto& [name, was] : before) {
    const auto found = now.find(name);
    if (found == now.end())
      note(name, was, "not set");
    else if (found->second != was)
      note(name, was, found->second);
  }
  for (const auto& [name, is] : now)
    if (before.find(name) == before.end()) note(name, "not set", is);
  return differences;
}

}  // namespace dualagent

namespace dualagent::detail {

inline constexpr std::string_view kCheckpointFormat = "1";

inline constexpr std::string_view kFormatKey = "dualagent.checkpoint_format";

inline constexpr std::string_view kLibraryKey = "dualagent.version";

inline constexpr std::string_view kStepKey = "dualagent.step";

inline constexpr std::string_view kOptionPrefix = "option.";

inline constexpr std::string_view kTextPrefix = "text.";

inline constexpr std::string_view kCrcTensor = "dualagent.crc64";

DUALAGENT_INLINE std::optional<std::string> find_damage(std::span<const std::byte> file) {
  std::uint64_t stored = 0;
  if (file.size() < 2 * sizeof stored)
    return "it has only " + std::to_string(file.size()) + " bytes";
  const std::span<const std::byte> tail = file.last(sizeof stored);
  std::memcpy(&stored, tail.data(), sizeof stored);
  if (crc64(file.first(file.size() - sizeof stored)) != stored)
    return "its checksum does not fit its " + std::to_string(file.size()) +
           " bytes: the file is truncated, changed or not a checkpoint";
  return std::nullopt;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE StoredCheckpoint StoredCheckpoint::open(const std::filesystem::path& path) {
  MappedFile file(path);
  require_undamaged(file.bytes(), path.string());
  return StoredCheckpoint(SafeTensors::own(std::move(file), path.string()));
}

DUALAGENT_INLINE std::optional<StoredCheckpoint> StoredCheckpoint::open_undamaged(
    const std::filesystem::path& path, std::string& damage) {
  MappedFile file(path);
  if (std::optional<std::string> found = detail::find_damage(file.bytes())) {
    damage = *std::move(found);
    return std::nullopt;
  }
  return StoredCheckpoint(SafeTensors::own(std::move(file), path.string()));
}

DUALAGENT_INLINE std::uint64_t StoredCheckpoint::number(const std::string& name) const {
  const std::optional<std::uint64_t> value = parse_number<std::uint64_t>(text(name));
  if (!value)
    throw Error("the checkpoint's \"" + name + "\" is not a whole number", where(),
                "Resume from an earlier one");
  return *value;
}

DUALAGENT_INLINE double StoredCheckpoint::real(const std::string& name) const {
  const std::optional<double> value = parse_number<double>(text(name));
  if (!value)
    throw Error("the checkpoint's \"" + name + "\" is not a number", where(),
                "Resume from an earlier one");
  return *value;
}

DUALAGENT_INLINE void StoredCheckpoint::require_fingerprint(const RunFingerprint& current) const {
  const std::string differences = fingerprint_differences(fingerprint_, current);
  if (!differences.empty())
    throw Error("the checkpoint was written with other options: " + differences, where(),
                "Resume with the same options, or start a new run in another folder");
}

DUALAGENT_INLINE void StoredCheckpoint::require_undamaged(std::span<const std::byte> bytes,
                                                          const std::string& where) {
  if (const std::optional<std::string> damage = detail::find_damage(bytes))
    throw Error("checkpoint is damaged: " + *damage, where,
                "Remove it and resume from an earlier one");
}

DUALAGENT_INLINE StoredCheckpoint::StoredCheckpoint(SafeTensors file) : file_(std::move(file)) {
  for (const auto& [key, value] : file_.metadata()) {
    if (key.rfind(detail::kOptionPrefix, 0) == 0)
      fingerprint_.emplace(key.substr(detail::kOptionPrefix.size()), value);
    if (key.rfind(detail::kTextPrefix, 0) == 0)
      texts_.emplace(key.substr(detail::kTextPrefix.size()), value);
  }
  const std::string& format = metadata(detail::kFormatKey);
  if (format != detail::kCheckpointFormat)
    throw Error("checkpoint has format " + format + ", this library reads format " +
                    std::string(detail::kCheckpointFormat),
                where(), "Use the library version that wrote it");
  library_version_ = metadata(detail::kLibraryKey);
  const std::optional<std::uint64_t> step = parse_number<std::uint64_t>(metadata(detail::kStepKey));
  if (!step)
    throw Error("checkpoint has no valid step number", where(), "Resume from an earlier one");
  step_ = *step;
}

DUALAGENT_INLINE const std::string& StoredCheckpoint::metadata(std::string_view key) const {
  const auto found = file_.metadata().find(std::string(key));
  if (found == file_.metadata().end()) missing("metadata", key);
  return found->second;
}

DUALAGENT_INLINE void StoredCheckpoint::check_type(std::string_view name, DType expected) const {
  const TensorView* tensor = file_.find(name);
  if (tensor == nullptr) missing("array", name);
  if (tensor->dtype != expected)
    throw Error("array \"" + std::string(name) + "\" is of type " +
                    std::string(to_string(tensor->dtype)) + ", expected " +
                    std::string(to_string(expected)),
                where(), "The run that wrote it used another type or another library version");
}

DUALAGENT_INLINE void StoredCheckpoint::missing(const std::string& kind,
                                                std::string_view name) const {
  throw Error("checkpoint has no " + kind + " \"" + std::string(name) + "\"", where(),
              "The run that wrote it had other parts or another library version (" +
                  library_version_ + ")");
}

DUALAGENT_INLINE void require_whole(const Checkpoint& checkpoint) {
  if (!checkpoint.whole)
    throw Error("this rank does not have all of the checkpoint of a model on several ranks",
                "Checkpoint of step " + std::to_string(checkpoint.step),
                "Let the rank write it that is_first_rank(mesh)");
}

DUALAGENT_INLINE void write_checkpoint_file(const std::filesystem::path& path,
                                            const Checkpoint& checkpoint) {
  require_whole(checkpoint);
  SafeTensorsMetadata metadata{
      {std::string(detail::kFormatKey), std::string(detail::kCheckpointFormat)},
      {std::string(detail::kLibraryKey), std::string(kVersion)},
      {std::string(detail::kStepKey), std::to_string(checkpoint.step)}};
  for (const auto& [name, value] : checkpoint.fingerprint)
    metadata.emplace(std::string(detail::kOptionPrefix) + name, value);
  for (const auto& [name, value] : checkpoint.texts)
    metadata.emplace(std::string(detail::kTextPrefix) + name, value);
  std::vector<TensorSource> arrays;
  for (const auto& [name, values] : checkpoint.arrays)
    arrays.push_back({name, {std::visit([](auto v) { return v.size(); }, values)}, values, {}});
  sort_tensors(arrays);

  std::uint64_t checksum = 0;
  const std::span<const std::uint64_t> checksum_values(&checksum, 1);
  arrays.push_back({std::string(detail::kCrcTensor), {1}, checksum_values, {}});
  AtomicFile file(path);
  Crc64 crc;
  const ByteSink write = [&](std::span<const std::byte> bytes) {
    crc.update(bytes);
    file.write(bytes);
  };
  const std::string header = detail::safetensors_header(arrays, metadata, path.string());
  write(std::as_bytes(std::span(header)));
  arrays.pop_back();
  for (const TensorSource& array : arrays) detail::stream_values(write, array, path.string());
  checksum = crc.value();
  file.write(std::as_bytes(checksum_values));
  file.commit();
}

}  // namespace dualagent
