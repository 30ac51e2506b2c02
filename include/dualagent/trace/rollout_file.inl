#pragma once

/// Definitions of rollout_file.hpp; see core/compiled.hpp.

#include "dualagent/trace/rollout_file.hpp"

namespace dualagent {

DUALAGENT_INLINE Rollout parse_rollout_line(std::string_view line, const std::string& where) {
  const std::string remedy = "Give a file that write_rollouts made";
  const nlohmann::json json = parse_json(line, where, remedy);
  if (!json.is_object() || !json.contains("codec") || !json["codec"].is_string())
    throw Error("a line of rollouts has no text \"codec\"", where, remedy);
  return decode_rollout(from_base64(json["codec"].get_ref<const std::string&>(), where), where);
}

DUALAGENT_INLINE std::vector<Rollout> read_rollouts(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<Rollout> rollouts;
  for_each_row(text, path.string(),
               [&](std::string_view row, std::size_t, const std::string& where) {
                 rollouts.push_back(parse_rollout_line(row, where));
               });
  return rollouts;
}

}  // namespace dualagent
