#pragma once

/// Definitions of save_model.hpp; see core/compiled.hpp.

#include "dualagent/model/save_model.hpp"

namespace dualagent::detail {

/// Files beside config.json and the weights that belong to a model.
inline constexpr std::array<std::string_view, 17> kCarriedFiles = {"LICENSE",
                                                                   "LICENSE.md",
                                                                   "LICENSE.txt",
                                                                   "NOTICE",
                                                                   "NOTICE.txt",
                                                                   "USE_POLICY.md",
                                                                   "added_tokens.json",
                                                                   "chat_template.jinja",
                                                                   "chat_template.json",
                                                                   "generation_config.json",
                                                                   "merges.txt",
                                                                   "special_tokens_map.json",
                                                                   "tokenizer.json",
                                                                   "tokenizer.model",
                                                                   "tokenizer_config.json",
                                                                   "vocab.json",
                                                                   "vocab.txt"};

/// A folder of more templates, which transformers 5 writes.
inline constexpr std::string_view kMoreTemplates = "additional_chat_templates";

DUALAGENT_INLINE bool is_model_file(const std::string& name) {
  const bool weights =
      name.starts_with(kWeightsStem) && (name.ends_with(".safetensors") || name == kIndexFileName);
  return weights || name == kConfigFileName || name == kMoreTemplates ||
         std::find(kCarriedFiles.begin(), kCarriedFiles.end(), name) != kCarriedFiles.end();
}

DUALAGENT_INLINE void require_replaceable(const std::filesystem::path& directory,
                                          bool (*is_part)(const std::string& name),
                                          const std::string& what) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error))
    if (const std::string name = entry->path().filename().string(); !is_part(name))
      throw Error("the folder holds " + printable(name) + ", which is not part of " + what,
                  directory.string(), "Save into a folder of its own, or a new one");
  if (error && error.value() != ENOENT)
    throw_file_error("list the folder", directory, error.value());
}

inline void copy_file_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  write_file_atomically(to, read_file(from));
}

DUALAGENT_INLINE void carry_over(const std::filesystem::path& from,
                                 const std::filesystem::path& to) {
  for (const std::string_view name : kCarriedFiles)
    if (is_there(from / name)) copy_file_durably(from / name, to / name);
  if (!is_there(from / kMoreTemplates)) return;
  ensure_directory(to / kMoreTemplates);
  for (const auto& entry : std::filesystem::directory_iterator(from / kMoreTemplates))
    if (entry.is_regular_file())
      copy_file_durably(entry.path(), to / kMoreTemplates / entry.path().filename());
}

}  // namespace dualagent::detail
