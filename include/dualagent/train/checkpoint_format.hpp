#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/version.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/io/safetensors_writer.hpp"

namespace dualagent {

/// Options that a resumed run must share with the run that wrote its checkpoint: name to value.
///
/// Put in what changes the numbers (seed, learning rate, task files...), leave out what may change
/// (threads, number of steps, folders).
using RunFingerprint = std::map<std::string, std::string>;

/// State of a run to be written; arrays are not copied and must stay valid meanwhile.
///
/// Example: Checkpoint{.step = 7, .fingerprint = {{"seed", "3"}},
///                     .texts = {{"data_position", "112"}},
///                     .arrays = {{"weights", std::span<const float>(weights)}}}
struct Checkpoint {
  std::uint64_t step = 0;
  RunFingerprint fingerprint = {};
  std::map<std::string, std::string> texts = {};  ///< UTF-8, e.g. JSON; together below 100 MB
  std::map<std::string, TensorValues> arrays = {};
  /// Whether this rank has all arrays. Of a model on several ranks only the rank that
  /// `is_first_rank(mesh)` has; the checkpoint of another is not written.
  bool whole = true;

  /// Adds a text or an array. Errors: Error for a name that is taken, e.g. by a second trainer.
  void add(const std::string& name, std::string text) {
    if (!texts.emplace(name, std::move(text)).second) refuse("text", name);
  }
  template <TensorScalar T>
  void add(const std::string& name, std::span<const T> values) {
    if (!arrays.emplace(name, values).second) refuse("array", name);
  }

 private:
  [[noreturn]] static void refuse(const std::string& kind, const std::string& name) {
    throw Error("the checkpoint has the " + kind + " \"" + name + "\" already", "Checkpoint",
                "Save each trainer under a name of its own, and every step into a new Checkpoint");
  }
};

/// "NAME was VALUE and is VALUE, ..." for every option in which two runs differ; empty if in none.
inline std::string fingerprint_differences(const RunFingerprint& before,
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

namespace detail {

inline constexpr std::string_view kCheckpointFormat = "1";
inline constexpr std::string_view kFormatKey = "dualagent.checkpoint_format";
inline constexpr std::string_view kLibraryKey = "dualagent.version";
inline constexpr std::string_view kStepKey = "dualagent.step";
inline constexpr std::string_view kOptionPrefix = "option.";
inline constexpr std::string_view kTextPrefix = "text.";
inline constexpr std::string_view kCrcTensor = "dualagent.crc64";

/// Why a file is not a whole checkpoint as it was written; nothing when its checksum is right.
inline std::optional<std::string> find_damage(std::span<const std::byte> file) {
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

}  // namespace detail

/// One checkpoint file, opened and verified.
///
/// Format: a safetensors file (any tool can open it) whose last tensor, `dualagent.crc64`, is the
/// CRC-64/XZ of all bytes before it. `__metadata__` holds format, library version, step,
/// `option.NAME` (the fingerprint) and `text.NAME`. Arrays are one-dimensional.
class StoredCheckpoint {
 public:
  /// Errors: Error when the file cannot be read, is damaged, or has another format version.
  static StoredCheckpoint open(const std::filesystem::path& path) {
    MappedFile file(path);
    require_undamaged(file.bytes(), path.string());
    return StoredCheckpoint(SafeTensors::own(std::move(file), path.string()));
  }

  /// The same from memory that outlives the object; `where` names it in errors.
  static StoredCheckpoint view(std::span<const std::byte> bytes, const std::string& where) {
    require_undamaged(bytes, where);
    return StoredCheckpoint(SafeTensors::view(bytes, where));
  }

  /// The same; for a damaged file nothing, with the reason in `damage`.
  static std::optional<StoredCheckpoint> open_undamaged(const std::filesystem::path& path,
                                                        std::string& damage) {
    MappedFile file(path);
    if (std::optional<std::string> found = detail::find_damage(file.bytes())) {
      damage = *std::move(found);
      return std::nullopt;
    }
    return StoredCheckpoint(SafeTensors::own(std::move(file), path.string()));
  }

  const std::string& where() const { return file_.where(); }
  std::uint64_t step() const { return step_; }
  const RunFingerprint& fingerprint() const { return fingerprint_; }
  const std::map<std::string, std::string>& texts() const { return texts_; }

  /// Errors: Error when there is no such text.
  const std::string& text(const std::string& name) const {
    const auto found = texts_.find(name);
    if (found == texts_.end()) missing("text", name);
    return found->second;
  }

  /// A text that holds a whole number. Errors: Error when there is none.
  std::uint64_t number(const std::string& name) const {
    const std::optional<std::uint64_t> value = parse_number<std::uint64_t>(text(name));
    if (!value)
      throw Error("the checkpoint's \"" + name + "\" is not a whole number", where(),
                  "Resume from an earlier one");
    return *value;
  }

  /// A text that holds a number as `shortest_text` writes it, whatever the locale.
  /// Errors: Error when there is none.
  double real(const std::string& name) const {
    const std::optional<double> value = parse_number<double>(text(name));
    if (!value)
      throw Error("the checkpoint's \"" + name + "\" is not a number", where(),
                  "Resume from an earlier one");
    return *value;
  }

  /// Errors: Error for no such array, another type or another size.
  template <TensorScalar T>
  void require_array(std::string_view name, std::size_t size) const {
    check_type(name, dtype_of<T>());
    const std::size_t bytes = file_.find(name)->bytes.size();
    if (bytes != size * sizeof(T))
      throw Error("array \"" + std::string(name) + "\" has " + std::to_string(bytes / sizeof(T)) +
                      " elements, expected " + std::to_string(size),
                  where(), "Resume with the model that the run was started with");
  }

  /// Copies an array, bit by bit. Errors: Error for no such array, another type or another size.
  template <TensorScalar T>
  void copy_to(std::string_view name, std::span<T> out) const {
    check_type(name, dtype_of<T>());
    file_.copy_to<T>(name, out);
  }
  /// The same of the elements from `first` on.
  template <TensorScalar T>
  void copy_part_to(std::string_view name, std::size_t first, std::span<T> out) const {
    check_type(name, dtype_of<T>());
    file_.copy_part_to<T>(name, first, out);
  }
  template <TensorScalar T>
  std::vector<T> values(std::string_view name) const {
    check_type(name, dtype_of<T>());
    return file_.values<T>(name);
  }

  /// Throws Error that names every option in which `current` differs from the run that wrote this.
  void require_fingerprint(const RunFingerprint& current) const {
    const std::string differences = fingerprint_differences(fingerprint_, current);
    if (!differences.empty())
      throw Error("the checkpoint was written with other options: " + differences, where(),
                  "Resume with the same options, or start a new run in another folder");
  }

 private:
  static void require_undamaged(std::span<const std::byte> bytes, const std::string& where) {
    if (const std::optional<std::string> damage = detail::find_damage(bytes))
      throw Error("checkpoint is damaged: " + *damage, where,
                  "Remove it and resume from an earlier one");
  }

  explicit StoredCheckpoint(SafeTensors file) : file_(std::move(file)) {
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
    const std::optional<std::uint64_t> step =
        parse_number<std::uint64_t>(metadata(detail::kStepKey));
    if (!step)
      throw Error("checkpoint has no valid step number", where(), "Resume from an earlier one");
    step_ = *step;
  }

  const std::string& metadata(std::string_view key) const {
    const auto found = file_.metadata().find(std::string(key));
    if (found == file_.metadata().end()) missing("metadata", key);
    return found->second;
  }

  void check_type(std::string_view name, DType expected) const {
    const TensorView* tensor = file_.find(name);
    if (tensor == nullptr) missing("array", name);
    if (tensor->dtype != expected)
      throw Error("array \"" + std::string(name) + "\" is of type " +
                      std::string(to_string(tensor->dtype)) + ", expected " +
                      std::string(to_string(expected)),
                  where(), "The run that wrote it used another type or another library version");
  }

  [[noreturn]] void missing(const std::string& kind, std::string_view name) const {
    throw Error("checkpoint has no " + kind + " \"" + std::string(name) + "\"", where(),
                "The run that wrote it had other parts or another library version (" +
                    library_version_ + ")");
  }

  SafeTensors file_;
  std::uint64_t step_ = 0;
  std::string library_version_;
  RunFingerprint fingerprint_;
  std::map<std::string, std::string> texts_;
};

/// Errors: Error for the checkpoint of a rank that does not have all arrays.
inline void require_whole(const Checkpoint& checkpoint) {
  if (!checkpoint.whole)
    throw Error("this rank does not have all of the checkpoint of a model on several ranks",
                "Checkpoint of step " + std::to_string(checkpoint.step),
                "Let the rank write it that is_first_rank(mesh)");
}

/// Writes one checkpoint file atomically; equal checkpoints give equal bytes. The checkpoint's
/// arrays are not copied. Errors: as `AtomicFile`, `stream_safetensors` and `require_whole`; an
/// earlier file of that name stays.
inline void write_checkpoint_file(const std::filesystem::path& path, const Checkpoint& checkpoint) {
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
