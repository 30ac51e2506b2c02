#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/engine/engine_wire.hpp"
#include "dualagent/service/generate_request.hpp"
#include "dualagent/text/token_text.hpp"
#include "dualagent/text/tokenizer.hpp"

namespace dualagent {

/// What a service knows of its tokens' text; thread-safe. Empty: nothing, and replies have no text.
struct ServedText {
  std::function<std::string_view(Token)> bytes = {};  ///< of a token; the name of a special one
  std::function<bool(Token)> is_special = {};

  explicit operator bool() const { return static_cast<bool>(bytes); }
  /// Errors: Error for bytes without is_special.
  void validate() const {
    if (bytes) require_function(is_special, "is_special", "ServedText");
  }
  /// Of a tokenizer, which is copied.
  template <Tokenizer T>
  static ServedText of(T tokenizer) {
    const auto shared = std::make_shared<const T>(std::move(tokenizer));
    return {[shared](Token token) { return shared->bytes_of(token); },
            [shared](Token token) { return shared->is_special(token); }};
  }
};

/// Why a served generation ended.
struct ServedEnd {
  enum class Kind : std::uint8_t { stop_token, stop_string, length, aborted, failed };
  Kind kind = Kind::length;
  std::string said = {};  ///< the stop string, or why it was aborted or failed, for people
};

/// As ServiceMetrics counts it.
inline std::string_view reason_of(ServedEnd::Kind kind) {
  switch (kind) {
    case ServedEnd::Kind::length:
      return "length";
    case ServedEnd::Kind::aborted:
      return "abort";
    case ServedEnd::Kind::failed:
      return "failed";
    default:
      return "stop";
  }
}

/// A generation that has ended, or what there is of one that runs.
struct ServedGeneration {
  std::vector<Token> tokens = {};
  std::vector<float> log_probs = {};   ///< [tokens] nats, at the temperature; empty while it runs
  std::vector<LabelSpan> labels = {};  ///< the weights of the tokens; empty while it runs
  std::optional<ServedEnd> end = {};   ///< nothing: it runs
  std::vector<double> prompt_log_probs = {};  ///< of the prompt but its first token, temperature 1
  std::string newest_label = {};              ///< of the weights now
  double seconds = 0;                         ///< since the request was taken
};

namespace detail {

inline nlohmann::json finish_json(const ServedGeneration& done) {
  if (!done.end) return nullptr;
  switch (done.end->kind) {
    case ServedEnd::Kind::stop_token:
      return {{"type", "stop"}, {"matched", done.tokens.back()}};
    case ServedEnd::Kind::stop_string:
      return {{"type", "stop"}, {"matched", done.end->said}};
    case ServedEnd::Kind::length:
      return {{"type", "length"}, {"length", done.tokens.size()}};
    default:
      return {{"type", "abort"},
              {"message", done.end->said},
              {"status_code", nullptr},
              {"err_type", nullptr}};
  }
}

/// The text of new tokens as the request wants it: with special tokens or without, and with or
/// without what ended it.
inline std::string served_text(const ServedText& text, const GenerateItem& item,
                               const ServedGeneration& done) {
  std::string bytes;
  std::span<const Token> shown(done.tokens);
  const bool cut = done.end && !item.keeps_stop;
  if (cut && done.end->kind == ServedEnd::Kind::stop_token) shown = shown.first(shown.size() - 1);
  for (const Token token : shown)
    if (!item.skips_special || !text.is_special(token)) bytes += text.bytes(token);
  if (cut && done.end->kind == ServedEnd::Kind::stop_string)
    bytes.erase(std::min(bytes.size(), bytes.find(done.end->said)));
  return valid_utf8(bytes);
}

inline nlohmann::json log_prob_row(double log_prob, Token token) {
  return nlohmann::json::array({log_prob, token, nullptr});
}

}  // namespace detail

/// The reply to one prompt of POST /generate, or one event of a streamed one, as SGLang writes it.
///
/// Of a generation that runs there are its tokens and text; log-probabilities and the labels of
/// the weights come with its end. `text` is there where the service has a tokenizer. Log-
/// probabilities are written so that they read back with the same bits. Not said, because not
/// known: cached_tokens.
/// Source: tests/golden/engines/sglang.json.
inline nlohmann::json generate_reply(const GenerateItem& item, const ServedGeneration& done,
                                     const ServedText& text) {
  nlohmann::json meta{{"id", item.rid},
                      {"finish_reason", detail::finish_json(done)},
                      {"prompt_tokens", item.prompt.size()},
                      {"completion_tokens", done.tokens.size()},
                      {"weight_version", done.newest_label},
                      {"e2e_latency", done.seconds}};
  if (done.end) {
    meta["weight_versions"] = nlohmann::json::array();
    for (const LabelSpan& span : done.labels)
      meta["weight_versions"].push_back(
          {{"version", span.label}, {"start", span.begin}, {"end", span.end}});
  }
  if (done.end && item.log_probs) {
    nlohmann::json rows = nlohmann::json::array(), prompt = nlohmann::json::array();
    for (std::size_t i = 0; i < done.tokens.size(); ++i)
      rows.push_back(detail::log_prob_row(static_cast<double>(done.log_probs[i]), done.tokens[i]));
    if (item.scores_prompt) prompt.push_back({nullptr, item.prompt[0], nullptr});
    for (std::size_t i = 0; i < done.prompt_log_probs.size(); ++i)
      prompt.push_back(detail::log_prob_row(done.prompt_log_probs[i], item.prompt[i + 1]));
    meta["input_token_logprobs"] = std::move(prompt);
    meta["output_token_logprobs"] = std::move(rows);
    meta["output_token_logprobs_length"] = done.tokens.size();
  }
  nlohmann::json reply{{"output_ids", done.tokens}, {"meta_info", std::move(meta)}};
  if (text) reply["text"] = detail::served_text(text, item, done);
  return reply;
}

}  // namespace dualagent
