#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/config_reader.hpp"

namespace dualagent {

/// How the makers of a checkpoint would sample from it: names as in generation_config.json.
///
/// Nothing of it is in force by itself: whoever samples takes what they want, the stop tokens at
/// least.
struct GenerationConfig {
  std::vector<Token> eos_token_ids;  ///< any of them ends a generation
  std::optional<Token> bos_token_id = {};
  std::optional<Token> pad_token_id = {};
  std::optional<bool> do_sample = {};  ///< false or nothing: the most probable token
  std::optional<double> temperature = {}, top_p = {}, min_p = {}, repetition_penalty = {};
  std::optional<std::size_t> top_k = {};  ///< 0 or nothing: all tokens
  std::optional<std::size_t> max_new_tokens = {}, max_length = {};
  std::vector<std::string> unread;  ///< other entries, which may change how others sample
};

/// Reads the text of a generation_config.json, or of the config.json of an old checkpoint without
/// one. Errors: Error naming an entry of a wrong type or value.
GenerationConfig parse_generation_config(const std::string& text, const std::string& where);

/// What a model's folder says of generation: generation_config.json or, without one, the entries of
/// that kind in config.json, as transformers does. Errors: as `parse_generation_config`, or when
/// neither can be read.
/// Example: StopRule{.stop_tokens = load_generation_config("qwen").eos_token_ids}.
GenerationConfig load_generation_config(const std::filesystem::path& directory);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/generation_config.inl"
#endif
