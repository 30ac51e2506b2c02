#pragma once

/// Needs libcurl, as net/http_client.hpp.

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/engine/engine_control.hpp"
#include "dualagent/engine/engine_options.hpp"
#include "dualagent/engine/engine_wire.hpp"

namespace dualagent {

/// How SGLang is spoken to: its native HTTP interface. Source: SGLang 0.5.23, read and recorded
/// (tests/golden/engines); docs/engines.md has the options that it is started with.
struct SglangWire {
  static constexpr const char* kName = "SGLang";
  static constexpr const char* kGenerate = "/generate";
  static constexpr const char* kHealth = "/health";

  /// Every parameter is sent: what is not said would be the engine's or the checkpoint's. Its own
  /// end-of-sequence tokens cannot be turned off without the stop tokens (`ignore_eos` drops both);
  /// a generation that they end is continued.
  static nlohmann::json write(const EngineOptions&, const EngineCall& call) {
    return {{"input_ids", call.tokens},
            {"return_logprob", true},
            {"logprob_start_len", -1},
            {"top_logprobs_num", 0},
            {"stream", false},
            {"sampling_params",
             {{"max_new_tokens", call.max_new_tokens},
              {"min_new_tokens", 0},
              {"temperature", call.temperature},
              {"top_p", 1.0},
              {"top_k", -1},
              {"min_p", 0.0},
              {"frequency_penalty", 0.0},
              {"presence_penalty", 0.0},
              {"repetition_penalty", 1.0},
              {"n", 1},
              {"stop", call.strings},
              {"stop_token_ids", call.stop_tokens},
              {"ignore_eos", false},
              {"skip_special_tokens", false},
              {"spaces_between_special_tokens", false},
              {"no_stop_trim", true},
              {"sampling_seed", call.seed}}}};
  }

  /// Errors: Error for a reply without log-probabilities, with another number of them, with other
  /// ids beside them, or without a version of the weights for each token.
  static EngineReply read(const EngineOptions& options, const EngineCall& call,
                          const nlohmann::json& json) {
    return detail::read_reply(json, "a generation of SGLang", kRemedy, [&](const auto& reply) {
      const nlohmann::json& meta = reply.at("meta_info");
      EngineReply out{.tokens = detail::read_tokens(reply.at("output_ids"))};
      const nlohmann::json& log_probs = meta.at("output_token_logprobs");
      for (std::size_t i = 0; i < log_probs.size() && i < out.tokens.size(); ++i) {
        if (detail::read_token(log_probs[i].at(1)) != out.tokens[i])
          throw Error("a reply has a log-probability of another token than it sampled",
                      "token " + std::to_string(i) + " of SGLang's reply", kRemedy);
        out.log_probs.push_back(log_probs[i].at(0).template get<float>());
      }
      detail::require_whole(out, log_probs.size(), call.max_new_tokens, options.vocab_size);
      out.labels = detail::read_labels(meta.at("weight_versions"), out.tokens.size());
      const auto type = meta.at("finish_reason").at("type").template get<std::string>();
      out.end = type == "abort"    ? EngineEnd::aborted
                : type == "length" ? EngineEnd::length
                                   : EngineEnd::stop;
      return out;
    });
  }

  static EngineFacts facts(EngineControl& control, const EngineOptions&) {
    const auto info = [&](const char* path, const auto& read) {
      return detail::read_reply(control.get(path), std::string("SGLang's ") + path, kRemedy, read);
    };
    EngineFacts facts = info("/model_info", [](const nlohmann::json& reply) {
      return EngineFacts{.model = reply.at("served_model_name").get<std::string>(),
                         .weights = reply.at("model_path").get<std::string>(),
                         .label = reply.at("weight_version").get<std::string>()};
    });
    facts.max_context_tokens = info("/server_info", [](const nlohmann::json& reply) {
      return detail::read_count(reply, "max_req_input_len");
    });
    return facts;
  }

  /// Running generations are paused, lose what was computed from the old weights, and go on.
  static void load(EngineControl& control, const std::filesystem::path& folder,
                   const std::string& label) {
    control.post("/pause_generation", {{"mode", "retract"}});
    try {
      const nlohmann::json reply =
          control.post("/update_weights_from_disk", {{"model_path", folder.string()},
                                                     {"load_format", "auto"},
                                                     {"flush_cache", true},
                                                     {"abort_all_requests", false},
                                                     {"weight_version", label}});
      if (!reply.value("success", false))
        throw Error("SGLang did not load the weights: " + printable(reply.value("message", "")),
                    folder.string(), "Give a weights_folder that it reads under the same path");
    } catch (const Error&) {
      resume_after_failure(control);
      throw;
    }
    control.post("/continue_generation", nlohmann::json::object());
  }

  /// Log-probabilities of tokens[1], tokens[2], ... given those before, at temperature 1.
  static std::vector<double> score(EngineControl& control, const EngineOptions& options,
                                   std::span<const Token> tokens) {
    nlohmann::json body = write(options, {.tokens = {tokens.begin(), tokens.end()}});
    body["logprob_start_len"] = 0;
    return detail::read_reply(control.post(kGenerate, body), "a score of SGLang", kRemedy,
                              [&](const nlohmann::json& reply) {
                                std::vector<double> scores;
                                const auto& rows = reply.at("meta_info").at("input_token_logprobs");
                                for (std::size_t i = 1; i < tokens.size(); ++i) {
                                  if (detail::read_token(rows.at(i).at(1)) != tokens[i])
                                    throw Error("SGLang scored other tokens than it was given",
                                                control.place(kGenerate));
                                  scores.push_back(rows.at(i).at(0).get<double>());
                                }
                                return scores;
                              });
  }

  static void sleep(EngineControl& control) {
    control.tell("/release_memory_occupation", {{"tags", {"kv_cache", "weights"}}});
  }
  static void wake(EngineControl& control) {
    control.tell("/resume_memory_occupation", {{"tags", {"kv_cache", "weights"}}});
  }

 private:
  static constexpr const char* kRemedy =
      "Use an SGLang that docs/engines.md names, or report what changed";

  static void resume_after_failure(EngineControl& control) {
    try {
      control.post("/continue_generation", nlohmann::json::object());
    } catch (const Error&) {  // the first failure says more
    }
  }
};

}  // namespace dualagent
