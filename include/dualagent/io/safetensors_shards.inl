#pragma once

/// Definitions of safetensors_shards.hpp; see core/compiled.hpp.

#include "dualagent/io/safetensors_shards.hpp"

namespace dualagent {

DUALAGENT_INLINE SafeTensorsIndex parse_safetensors_index(const std::string& text,
                                                          const std::string& where) {
  const std::string remedy = "Fetch the index of the model again";
  const auto fail = [&](const std::string& what) { throw Error(what, where, remedy); };
  const nlohmann::json json = parse_json(text, where, remedy, {.max_depth = 8});
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (map == json.end() || !map->is_object() || map->empty())
    fail("the index has no weight_map of tensors");
  SafeTensorsIndex index;
  for (const auto& [tensor, value] : map->items()) {
    const std::string file = value.is_string() ? value.get<std::string>() : std::string();
    if (file.find('/') != std::string::npos || file.find('\0') != std::string::npos ||
        file.starts_with('.') || !file.ends_with(".safetensors"))
      fail("tensor \"" + printable(tensor) +
           "\" is not in a safetensors file of the folder: " + printable(value.dump()));
    index.emplace(tensor, file);
  }
  return index;
}

DUALAGENT_INLINE SafeTensorsShards SafeTensorsShards::open(const std::filesystem::path& path) {
  SafeTensorsShards shards(path.string());
  if (path.extension() != ".json")
    shards.files_.push_back(SafeTensors::open(path));
  else
    shards.open_all(path.parent_path(), parse_safetensors_index(read_file(path), path.string()));
  for (std::size_t f = 0; f < shards.files_.size(); ++f)
    for (const TensorView& tensor : shards.files_[f].tensors())
      shards.file_of_.emplace(tensor.name, f);
  return shards;
}

DUALAGENT_INLINE void SafeTensorsShards::open_all(const std::filesystem::path& folder,
                                                  const SafeTensorsIndex& index) {
  std::set<std::string> names;
  for (const auto& [tensor, file] : index) names.insert(file);
  std::map<std::string, const SafeTensors*> opened;
  files_.reserve(names.size());
  for (const std::string& name : names) {
    if (!detail::is_there(folder / name))
      fail("the file " + printable(name) + " of the index is missing");
    files_.push_back(SafeTensors::open(folder / name));
    opened.emplace(name, &files_.back());
    for (const TensorView& tensor : files_.back().tensors()) {
      const auto entry = index.find(tensor.name);
      if (entry == index.end() || entry->second != name)
        fail("tensor \"" + printable(tensor.name) + "\" is in " + printable(name) +
             ", but not according to the index");
    }
  }
  for (const auto& [tensor, file] : index)
    if (opened.at(file)->find(tensor) == nullptr)
      fail("tensor \"" + printable(tensor) + "\" is not in " + printable(file));
}

DUALAGENT_INLINE void write_safetensors_shards(const std::filesystem::path& folder,
                                               const std::string& stem,
                                               std::vector<TensorSource> tensors,
                                               std::uint64_t max_bytes,
                                               const SafeTensorsMetadata& metadata) {
  std::vector<std::vector<TensorSource>> shards(1);
  std::uint64_t total = 0, elements = 0, filled = 0;
  for (TensorSource& tensor : tensors) {
    const std::uint64_t bytes = detail::source_bytes(tensor, folder.string());
    if (filled > 0 && filled + bytes > max_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    filled += bytes;
    total += bytes;
    elements += bytes / size_bytes(stored_dtype(tensor));
    shards.back().push_back(std::move(tensor));
  }
  if (shards.size() == 1)
    return write_safetensors(folder / (stem + ".safetensors"), std::move(shards[0]), metadata);
  nlohmann::json index{{"metadata", {{"total_parameters", elements}, {"total_size", total}}}};
  for (std::size_t s = 0; s < shards.size(); ++s) {
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "-%05zu-of-%05zu.safetensors", s + 1, shards.size());
    const std::string name = stem + numbers;
    for (const TensorSource& tensor : shards[s]) index["weight_map"][tensor.name] = name;
    write_safetensors(folder / name, std::move(shards[s]), metadata);
  }
  write_file_atomically(folder / (stem + ".safetensors.index.json"), index.dump(2) + "\n");
}

}  // namespace dualagent
