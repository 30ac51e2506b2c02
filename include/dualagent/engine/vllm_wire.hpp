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

/// How vLLM is spoken to: tokens in, tokens out, and the paths of its development mode. Source:
/// vLLM 0.32, read and recorded (tests/golden/engines); docs/engines.md has the options that it is
/// started with.
struct VllmWire {
  static constexpr const char* kName = "vLLM";
  static constexpr const char* kGenerate = "/inference/v1/generate";
  static constexpr const char* kHealth = "/health";

  /// Every parameter is sent: what is not said would be the engine's or the checkpoint's.
  static nlohmann::json write(const EngineOptions& options, const EngineCall& call) {
    nlohmann::json body{{"token_ids", call.tokens},
                        {"stream", false},
                        {"sampling_params",
                         {{"max_tokens", call.max_new_tokens},
                          {"min_tokens", 0},
                          {"temperature", call.temperature},
                          {"top_p", 1.0},
                          {"top_k", 0},
                          {"min_p", 0.0},
                          {"frequency_penalty", 0.0},
                          {"presence_penalty", 0.0},
                          {"repetition_penalty", 1.0},
                          {"n", 1},
                          {"stop", call.strings},
                          {"stop_token_ids", call.stop_tokens},
                          {"ignore_eos", true},
                          {"include_stop_str_in_output", true},
                          {"skip_special_tokens", false},
                          {"spaces_between_special_tokens", false},
                          {"seed", call.seed},
                          {"logprobs", 0}}}};
    if (!options.model.empty()) body["model"] = options.model;
    return body;
  }

  /// Errors: Error for a reply of another model, without log-probabilities, with another number of
  /// them, with other ids beside them, or without a version of the weights for each token.
  static EngineReply read(const EngineOptions& options, const EngineCall& call,
                          const nlohmann::json& json) {
    return detail::read_reply(json, "a generation of vLLM", kRemedy, [&](const auto& reply) {
      if (const auto model = reply.at("model").template get<std::string>();
          !options.model.empty() && model != options.model)
        throw Error(
            "a reply is of the model '" + printable(model) + "', not of '" + options.model + "'",
            "vLLM's reply", "Give the name that the server gives to the learner's model");
      if (reply.at("choices").size() != 1)
        throw Error("a reply has " + std::to_string(reply.at("choices").size()) + " choices",
                    "vLLM's reply", kRemedy);
      const nlohmann::json& choice = reply.at("choices").at(0);
      EngineReply out{.tokens = detail::read_tokens(choice.at("token_ids"))};
      const nlohmann::json& log_probs = choice.at("logprobs").at("content");
      for (std::size_t i = 0; i < log_probs.size() && i < out.tokens.size(); ++i) {
        if (detail::read_token(log_probs[i].at("token_id")) != out.tokens[i])
          throw Error("a reply has a log-probability of another token than it sampled",
                      "token " + std::to_string(i) + " of vLLM's reply", kRemedy);
        out.log_probs.push_back(log_probs[i].at("logprob").template get<float>());
      }
      detail::require_whole(out, log_probs.size(), call.max_new_tokens, options.vocab_size);
      out.labels = detail::read_labels(choice.at("weight_versions"), out.tokens.size());
      const auto finish = choice.at("finish_reason").template get<std::string>();
      out.end = finish == "abort"    ? EngineEnd::aborted
                : finish == "length" ? EngineEnd::length
                                     : EngineEnd::stop;
      return out;
    });
  }

  static EngineFacts facts(EngineControl& control, const EngineOptions& options) {
    EngineFacts facts = detail::read_reply(
        control.get("/v1/models"), "vLLM's /v1/models", kRemedy, [&](const nlohmann::json& reply) {
          const nlohmann::json* found = nullptr;
          for (const nlohmann::json& model : reply.at("data"))
            if (options.model.empty() || model.at("id") == options.model) found = &model;
          if (found == nullptr)
            throw Error("vLLM serves no model '" + options.model + "'", control.place("/v1/models"),
                        "Give the name of --served-model-name");
          return EngineFacts{.model = found->at("id").get<std::string>(),
                             .max_context_tokens = detail::read_count(*found, "max_model_len")};
        });
    facts.label = detail::read_reply(
        control.get("/weight_info"), "vLLM's /weight_info", kRemedy,
        [](const nlohmann::json& reply) { return reply.at("weight_version").get<std::string>(); });
    return facts;
  }

  /// Running generations are paused, lose what was computed from the old weights, and go on.
  static void load(EngineControl& control, const std::filesystem::path& folder,
                   const std::string& label) {
    const nlohmann::json none = nlohmann::json::object();
    control.post("/pause?mode=keep", none);
    try {
      control.post("/collective_rpc",
                   {{"method", "reload_weights"}, {"kwargs", {{"weights_path", folder.string()}}}});
      const nlohmann::json reset =
          control.post("/reset_prefix_cache?reset_running_requests=true", none);
      if (!reset.value("success", false))
        throw Error("vLLM did not clear its prefix cache", control.place("/reset_prefix_cache"),
                    "Publish again; look into its log");
      control.post("/update_weight_version", {{"new_version", label}});
    } catch (const Error&) {
      resume_after_failure(control);
      throw;
    }
    control.post("/resume", none);
  }

  /// Log-probabilities of tokens[1], tokens[2], ... given those before, at temperature 1.
  static std::vector<double> score(EngineControl& control, const EngineOptions& options,
                                   std::span<const Token> tokens) {
    nlohmann::json body = write(options, {.tokens = {tokens.begin(), tokens.end()}});
    body["sampling_params"]["prompt_logprobs"] = 0;
    return detail::read_reply(
        control.post(kGenerate, body), "a score of vLLM", kRemedy,
        [&](const nlohmann::json& reply) {
          std::vector<double> scores;
          const nlohmann::json& rows = reply.at("prompt_logprobs");
          for (std::size_t i = 1; i < tokens.size(); ++i)
            scores.push_back(rows.at(i).at(std::to_string(tokens[i])).at("logprob").get<double>());
          return scores;
        });
  }

  static void sleep(EngineControl& control) {
    control.post("/sleep?level=2&mode=keep", nlohmann::json::object());
  }
  static void wake(EngineControl& control) { control.post("/wake_up", nlohmann::json::object()); }

 private:
  static constexpr const char* kRemedy =
      "Use a vLLM that docs/engines.md names, started with the options there";

  static void resume_after_failure(EngineControl& control) {
    try {
      control.post("/resume", nlohmann::json::object());
    } catch (const Error&) {  // the first failure says more
    }
  }
};

}  // namespace dualagent
