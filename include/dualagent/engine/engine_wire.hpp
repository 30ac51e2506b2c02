#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/engine/engine_options.hpp"
#include "dualagent/trace/span.hpp"

namespace dualagent {

/// What an engine is asked to continue, in the words of no engine in particular.
struct EngineCall {
  std::vector<Token> tokens = {};         ///< the context
  float temperature = 1.0F;               ///< 0: the most probable token
  std::size_t max_new_tokens = 1;         ///< >= 1
  std::vector<Token> stop_tokens = {};    ///< end it, and are part of the reply
  std::vector<std::string> strings = {};  ///< end it where the text holds one of them
  std::uint64_t seed = 0;                 ///< below 2^63
};

/// Why an engine stopped.
enum class EngineEnd : std::uint8_t {
  stop,    ///< a stop token, a string, or an end-of-sequence token that nobody asked for
  length,  ///< max_new_tokens, or its own limit
  aborted
};

/// Output tokens [begin, end) were sampled from weights of this label.
struct LabelSpan {
  std::string label;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// What an engine replied: as many log-probabilities as tokens, and spans without a gap.
struct EngineReply {
  std::vector<Token> tokens = {};
  std::vector<float> log_probs = {};  ///< nats, at the call's temperature, of the whole vocabulary
  std::vector<LabelSpan> labels = {};
  EngineEnd end = EngineEnd::stop;
};

/// What an engine says about itself.
struct EngineFacts {
  std::string model = {};    ///< its name there
  std::string weights = {};  ///< the folder that they were loaded from, where the engine says so
  std::string label = {};    ///< of the weights that it samples from
  std::size_t max_context_tokens = 0;
};

/// How one engine is asked for a generation, and what it was found to be.
struct EngineWords {
  std::string path;
  std::function<nlohmann::json(const EngineOptions&, const EngineCall&)> write;
  std::function<EngineReply(const EngineOptions&, const EngineCall&, const nlohmann::json&)> read;
  std::string served_label;  ///< of the weights that it was started with: version 0
  std::size_t max_context_tokens = 0;
};

/// What happened to an engine's requests so far.
struct EngineCounts {
  std::size_t sent = 0;       ///< HTTP requests for generations
  std::size_t again = 0;      ///< of them: attempts after the first at the same tokens
  std::size_t refused = 0;    ///< replies that were not taken
  std::size_t recovered = 0;  ///< times that the engine was gone, or had lost its weights
};

namespace detail {

/// Reads a reply with `read(json)`; whatever nlohmann_json throws becomes an Error that shows the
/// reply's beginning.
template <class Read>
auto read_reply(const nlohmann::json& reply, const std::string& what, const std::string& remedy,
                const Read& read) {
  try {
    return read(reply);
  } catch (const nlohmann::json::exception& error) {
    throw Error(
        "this is not " + what + ": " + error.what(),
        printable(
            reply.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 300)),
        remedy);
  }
}

/// A token's id. Errors: Error for anything else.
inline Token read_token(const nlohmann::json& id) {
  if (const std::optional<Token> token = token_id(id)) return *token;
  throw Error("a reply has " + shown_json(id) + " where a token's id is due", "engine's reply",
              "Look into the engine's log");
}

/// A list of them. Errors: the same; what nlohmann_json throws.
inline std::vector<Token> read_tokens(const nlohmann::json& ids) {
  std::vector<Token> tokens;
  for (const nlohmann::json& id : ids.get_ref<const nlohmann::json::array_t&>())
    tokens.push_back(read_token(id));
  return tokens;
}

/// The number of tokens under `key`. Errors: Error for anything else; what nlohmann_json throws.
inline std::size_t read_count(const nlohmann::json& object, const char* key) {
  return require_count(object.at(key), key, "engine's reply", "Look into the engine's log");
}

/// The spans of a list of {version, start, end}. They cover `tokens` tokens, in order and without a
/// gap. Errors: Error where they do not; what nlohmann_json throws.
inline std::vector<LabelSpan> read_labels(const nlohmann::json& spans, std::size_t tokens) {
  std::vector<LabelSpan> labels;
  std::size_t at = 0;
  for (const nlohmann::json& span : spans) {
    const std::size_t begin = read_count(span, "start"), end = read_count(span, "end");
    if (begin != at || end < begin) break;
    if (end > begin) labels.push_back({span.at("version").get<std::string>(), begin, end});
    at = end;
  }
  if (at != tokens)
    throw Error(
        "the weight versions of a reply do not cover its " + std::to_string(tokens) + " tokens",
        printable(spans.dump()), "Use an engine that says which weights sampled each token");
  return labels;
}

/// Errors: Error where tokens, their ids and log-probabilities do not belong together.
inline void require_whole(const EngineReply& reply, std::size_t log_probs,
                          std::size_t max_new_tokens, std::size_t vocab_size) {
  const std::size_t tokens = reply.tokens.size();
  if (log_probs != tokens)
    throw Error("a reply has " + std::to_string(tokens) + " tokens and " +
                    std::to_string(log_probs) + " log-probabilities",
                "engine's reply", "Use an engine that reports one for each token");
  if (tokens > max_new_tokens)
    throw Error("a reply has " + std::to_string(tokens) + " tokens, but " +
                    std::to_string(max_new_tokens) + " were asked for",
                "engine's reply");
  for (const Token token : reply.tokens)
    if (token < 0 || static_cast<std::size_t>(token) >= vocab_size)
      throw Error("a reply has the token " + std::to_string(token) + ", but the model has " +
                      std::to_string(vocab_size),
                  "engine's reply", "Serve the model that the learner trains");
  for (const float log_prob : reply.log_probs)
    if (!is_log_prob(log_prob))
      throw Error("a reply has the log-probability " + std::to_string(log_prob), "engine's reply",
                  "Look into the engine's log: its weights may be broken");
}

}  // namespace detail
}  // namespace dualagent
