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

#include "dualagent/core/compiled.hpp"
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
  [[noreturn]] static void refuse(const std::string& kind, const std::string& name);
};

/// "NAME was VALUE and is VALUE, ..." for every option in which two runs differ; empty if in none.
std::string fingerprint_differences(const RunFingerprint& before, const RunFingerprint& now);

namespace detail {

/// Why a file is not a whole checkpoint as it was written; nothing when its checksum is right.
std::optional<std::string> find_damage(std::span<const std::byte> file);

}  // namespace detail

/// One checkpoint file, opened and verified.
///
/// Format: a safetensors file (any tool can open it) whose last tensor, `dualagent.crc64`, is the
/// CRC-64/XZ of all bytes before it. `__metadata__` holds format, library version, step,
/// `option.NAME` (the fingerprint) and `text.NAME`. Arrays are one-dimensional.
class StoredCheckpoint {
 public:
  /// Errors: Error when the file cannot be read, is damaged, or has another format version.
  static StoredCheckpoint open(const std::filesystem::path& path);

  /// The same from memory that outlives the object; `where` names it in errors.
  static StoredCheckpoint view(std::span<const std::byte> bytes, const std::string& where) {
    require_undamaged(bytes, where);
    return StoredCheckpoint(SafeTensors::view(bytes, where));
  }

  /// The same; for a damaged file nothing, with the reason in `damage`.
  static std::optional<StoredCheckpoint> open_undamaged(const std::filesystem::path& path,
                                                        std::string& damage);

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
  std::uint64_t number(const std::string& name) const;

  /// A text that holds a number as `shortest_text` writes it, whatever the locale.
  /// Errors: Error when there is none.
  double real(const std::string& name) const;

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
  void require_fingerprint(const RunFingerprint& current) const;

 private:
  static void require_undamaged(std::span<const std::byte> bytes, const std::string& where);

  explicit StoredCheckpoint(SafeTensors file);

  const std::string& metadata(std::string_view key) const;

  void check_type(std::string_view name, DType expected) const;

  [[noreturn]] void missing(const std::string& kind, std::string_view name) const;

  SafeTensors file_;
  std::uint64_t step_ = 0;
  std::string library_version_;
  RunFingerprint fingerprint_;
  std::map<std::string, std::string> texts_;
};

/// Errors: Error for the checkpoint of a rank that does not have all arrays.
void require_whole(const Checkpoint& checkpoint);

/// Writes one checkpoint file atomically; equal checkpoints give equal bytes. The checkpoint's
/// arrays are not copied. Errors: as `AtomicFile`, `stream_safetensors` and `require_whole`; an
/// earlier file of that name stays.
void write_checkpoint_file(const std::filesystem::path& path, const Checkpoint& checkpoint);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/train/checkpoint_format.inl"
#endif
