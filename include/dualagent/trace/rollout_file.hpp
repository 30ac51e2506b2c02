#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/base64.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/json_lines.hpp"
#include "dualagent/trace/render.hpp"
#include "dualagent/trace/rollout_codec.hpp"

namespace dualagent {

namespace detail {

template <class TokenText>
nlohmann::ordered_json span_json(const Context& context, const Span& span,
                                 const TokenText& token_text, std::string_view separator) {
  nlohmann::ordered_json json{{"provenance", to_string(span.provenance)},
                              {"agent", to_string(span.agent)}};
  json["text"] = printable(span_text(context, span, token_text, separator));
  json["tokens"] = context.tokens(span);
  if (!span.is_sampled()) return json;
  const auto log_probs = context.log_probs().subspan(span.begin, span.size);
  const auto drawn = context.drawn_log_probs().subspan(span.begin, span.size);
  json["log_probs"] = log_probs;
  if (!same_bits(log_probs, drawn)) json["drawn_log_probs"] = drawn;
  json["weight_versions"] = nlohmann::ordered_json::array();
  for (const VersionRun& run : version_runs(context.weight_versions(span)))
    json["weight_versions"].push_back({{"version", run.version}, {"tokens", run.tokens}});
  return json;
}

}  // namespace detail

/// A rollout as one line of JSON, without the line's end: fields that people and their tools read,
/// and "codec", the bytes of `encode_rollout` in base64, from which `parse_rollout_line` makes the
/// rollout again.
///
/// `token_text(Token)` returns something string-like; texts go through `printable`.
/// Example: {"task":"a","group":0,"member":1,"status":"finished","ending":"answered","answer":"6",
///           "reward":1.0,...,"segments":[{"owner":"answerer","spans":[{"provenance":"prompt",...}]}],
///           "codec":"RHVhbFJvbGwB..."}
template <class TokenText>
std::string rollout_line(const Rollout& rollout, const TokenText& token_text,
                         RenderOptions options = {}) {
  nlohmann::ordered_json json{{"task", printable(rollout.task_id)},
                              {"group", rollout.group},
                              {"member", rollout.member},
                              {"status", to_string(rollout.status)},
                              {"ending", printable(rollout.ending)}};
  if (rollout.answer) json["answer"] = printable(*rollout.answer);
  json["reward"] = rollout.reward;
  json["turns"] = rollout.turns;
  json["calls"] = rollout.calls;
  json["malformed_turns"] = rollout.malformed_turns;
  json["summaries"] = rollout.summaries;
  if (rollout.fork)
    json["fork"] = {{"member", rollout.fork->member}, {"summary", rollout.fork->summary}};
  json["segments"] = nlohmann::ordered_json::array();
  for (const Segment& segment : rollout.segments) {
    nlohmann::ordered_json entry{{"owner", to_string(segment.owner)}};
    if (segment.parent) entry["parent"] = *segment.parent;
    entry["spans"] = nlohmann::ordered_json::array();
    for (const Span& span : segment.context.spans())
      entry["spans"].push_back(
          detail::span_json(segment.context, span, token_text, options.token_separator));
    json["segments"].push_back(std::move(entry));
  }
  json["codec"] = to_base64(encode_rollout(rollout));
  return json.dump();
}

/// The rollout of a line that `rollout_line` wrote. Only "codec" is read: what was edited by hand
/// in the other fields has no effect. Errors: Error when the line is not JSON, has no such text, or
/// as `decode_rollout`.
Rollout parse_rollout_line(std::string_view line, const std::string& where);

/// Writes rollouts as JSON lines, one each, the whole file or nothing.
///
/// Example: write_rollouts("rollouts/step-000012.jsonl", trainer.rollouts(), token_text);
/// Errors: as `AtomicFile`; the folder must exist.
template <class TokenText>
void write_rollouts(const std::filesystem::path& path, std::span<const Rollout> rollouts,
                    const TokenText& token_text, RenderOptions options = {}) {
  AtomicFile file(path);
  for (const Rollout& rollout : rollouts) {
    const std::string line = rollout_line(rollout, token_text, options) + '\n';
    file.write(std::as_bytes(std::span(line)));
  }
  file.commit();
}

/// The rollouts of a file that `write_rollouts` made, in its order; blank lines are skipped.
/// Errors: Error with file and line, as `parse_rollout_line`; when the file cannot be read.
/// Example: for (const Rollout& rollout : read_rollouts("rollouts/step-000012.jsonl"))
///            std::cout << render(rollout, token_text, AllSegments{});
std::vector<Rollout> read_rollouts(const std::filesystem::path& path);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/trace/rollout_file.inl"
#endif
