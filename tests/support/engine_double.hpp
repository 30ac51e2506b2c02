#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/engine/canaries.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/save_model.hpp"
#include "dualagent/model/transformer.hpp"
#include "support/http_server.hpp"
#include "support/recorded_engines.hpp"
#include "support/wait_for.hpp"

/// A server of this process that replies as SGLang or vLLM did when tests/golden/engines was
/// recorded, with a small Transformer for its model, and with a fault if the test wants one.
namespace engine_double {

using namespace dualagent;

/// What was seen in public.
enum class Fault {
  none,
  stale_weights,       ///< an update changes the label and nothing else
  stale_after_wake,    ///< after sleep the first weights are back, whatever is loaded
  stale_prefix_cache,  ///< what was computed for a prompt outlives an update
  garbage_later,       ///< the second update breaks the weights
  stamped_late,        ///< a reply says throughout which weights the engine has when it is written
  cut_silently,        ///< top-p of the checkpoint's generation_config is in force
  temperature_one      ///< log-probabilities are of temperature 1
};

enum class Kind { sglang, vllm };

/// The reply that was recorded under that name.
inline nlohmann::json recorded(Kind kind, const std::string& name) {
  return recorded_engines::reply(kind == Kind::sglang ? "sglang" : "vllm", name);
}

class Engine {
 public:
  Engine(Kind kind, std::filesystem::path served, Token eos = -1)
      : kind_(kind), served_(std::move(served)), eos_(eos), reply_(recorded(kind, "length")) {
    start();
  }
  ~Engine() { crash(); }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::atomic<Fault> fault = Fault::none;
  std::function<void(nlohmann::json&)> change_reply = {};  ///< of a generation, before it is sent
  std::atomic<int> status = 200;                           ///< of the next generations
  std::atomic<int> loads = 0;

  /// Bodies of the generations so far.
  std::vector<nlohmann::json> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  /// Generations stop after their first token from now on, until `open`.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }
  void wait_until_stopped(std::size_t generations) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, end_of_patience(), [&] { return stopped_ >= generations; }))
      FAIL("two minutes have passed without " << generations << " stopped generations");
  }

  /// As if it were killed: connections break.
  void crash() {
    {
      const std::lock_guard lock(mutex_);
      crashed_ = true;
      changed_.notify_all();
    }
    server_.reset();
  }
  /// As it was started first.
  void start() {
    model_ = std::make_shared<Transformer<float>>(load_model<float>(served_));
    label_ = "default";
    path_ = served_.string();
    crashed_ = closed_ = paused_ = false;
    cached_.clear();
    server_.emplace([this](const auto& request, auto& response) { handle(request, response); },
                    ".*", 16, port_);
    port_ = server_->port();
  }

 private:
  using Model = std::shared_ptr<Transformer<float>>;
  struct Drawn {
    Token token;
    double log_prob;
    std::string label;
  };
  struct Asked {
    std::vector<Token> tokens;
    float temperature;
    std::size_t new_tokens;
    std::vector<Token> stop_tokens;
    std::uint64_t seed;
  };

  void handle(const httplib::Request& request, httplib::Response& response) {
    const nlohmann::json body =
        request.body.empty() ? nlohmann::json::object() : nlohmann::json::parse(request.body);
    nlohmann::json reply = nlohmann::json::object();
    const std::string& path = request.path;
    if (path == "/generate" || path == "/inference/v1/generate") {
      if (status != 200) {
        response.status = status;
        return;
      }
      reply = kind_ == Kind::sglang ? sglang(body) : vllm(body);
      if (change_reply) change_reply(reply);
    } else if (!control(path, body, reply)) {
      response.status = 404;
    }
    if (crashed_)
      response.set_content_provider(100, "application/json",
                                    [](auto, auto, auto&) { return false; });
    else
      response.set_content(reply.dump(), "application/json");
  }

  bool control(const std::string& path, const nlohmann::json& body, nlohmann::json& reply) {
    const std::lock_guard lock(mutex_);
    const std::string update =
        kind_ == Kind::sglang ? "/update_weights_from_disk" : "/collective_rpc";
    if (path == update) {
      reply = recorded(kind_, "update");
      load(kind_ == Kind::sglang ? body.at("model_path") : body.at("kwargs").at("weights_path"));
      if (kind_ == Kind::sglang) label_ = body.at("weight_version");
    } else if (path == "/model_info") {
      reply = recorded(kind_, "model");
      reply["weight_version"] = label_;
      reply["model_path"] = path_;
    } else if (path == "/server_info") {
      reply = recorded(kind_, "server");
      reply["max_req_input_len"] = model_->max_context_tokens();
    } else if (path == "/v1/models") {
      reply = recorded(kind_, "models");
      reply["data"][0]["max_model_len"] = model_->max_context_tokens();
    } else if (path == "/weight_info") {
      reply = {{"weight_version", label_}};
    } else if (path == "/update_weight_version") {
      label_ = body.at("new_version");
    } else if (path == "/reset_prefix_cache") {
      reply = recorded(kind_, "reset");
    } else if (path == "/release_memory_occupation" || path == "/sleep") {
    } else if (path == "/resume_memory_occupation" || path == "/wake_up") {
      if (fault == Fault::stale_after_wake) read_weights(served_);
    } else {
      const bool pauses = path == "/pause" || path == "/pause_generation";
      const bool goes_on = path == "/resume" || path == "/continue_generation";
      if (pauses || goes_on) paused_ = pauses;
      changed_.notify_all();
      return pauses || goes_on || path == "/health";
    }
    return true;
  }

  void load(const std::string& folder) {
    ++loads;
    path_ = folder;
    if (fault == Fault::stale_weights || fault == Fault::stale_after_wake) return;
    read_weights(folder);
    if (fault == Fault::garbage_later && loads == 2) {
      for (float& weight : model_->parameters()) weight += 0.3F;
      model_->weights_changed();
    }
    if (fault != Fault::stale_prefix_cache) cached_.clear();
  }
  void read_weights(const std::filesystem::path& folder) {
    model_ = std::make_shared<Transformer<float>>(load_model<float>(folder));
  }

  std::vector<Drawn> generate(const Asked& asked) {
    std::vector<Drawn> drawn;
    std::vector<Token> tokens = asked.tokens;
    std::unique_lock lock(mutex_);
    const Model at_first = cached_.try_emplace(asked.tokens, model_).first->second;
    while (drawn.size() < asked.new_tokens) {
      drawn.push_back(draw(fault == Fault::stale_prefix_cache ? *at_first : *model_, asked, tokens,
                           drawn.size()));
      tokens.push_back(drawn.back().token);
      const auto& stops = asked.stop_tokens;
      if (tokens.back() == eos_ ||
          std::find(stops.begin(), stops.end(), tokens.back()) != stops.end())
        break;
      if (closed_) {
        ++stopped_;
        changed_.notify_all();
        changed_.wait_until(lock, end_of_patience(), [&] { return !closed_ || crashed_; });
        --stopped_;
      }
      changed_.wait_until(lock, end_of_patience(), [&] { return !paused_ || crashed_; });
      if (crashed_) break;
    }
    if (fault == Fault::stamped_late)
      for (Drawn& one : drawn) one.label = label_;
    return drawn;
  }

  Drawn draw(Transformer<float>& model, const Asked& asked, const std::vector<Token>& tokens,
             std::size_t i) {
    const StopRule one{.max_new_tokens = 1};
    GenerationRequest request{.context = tokens,
                              .sampling = {.temperature = asked.temperature},
                              .stop = &one,
                              .random = RandomStream::from_seed(asked.seed).child(i)};
    if (fault == Fault::cut_silently) request.sampling.top_p = 0.5F;
    Drawn drawn{0, 0, label_};
    while (model.advance([](Generation&&) {}) > 0) continue;
    model.submit(request);
    model.advance([&](Generation&& done) {
      drawn.token = done.sampled.tokens()[0];
      drawn.log_prob = static_cast<double>(done.sampled.drawn_log_probs()[0]);
    });
    model.release(0);
    if (fault == Fault::temperature_one) {
      Canary canary{.tokens = tokens, .prompt = tokens.size()};
      canary.tokens.push_back(drawn.token);
      drawn.log_prob = score_canaries(model, std::span<const Canary>(&canary, 1), 1.0F)[0][0];
    }
    return drawn;
  }

  /// The spans of equal labels, as both engines write them.
  static nlohmann::json spans(const std::vector<Drawn>& drawn) {
    nlohmann::json spans = nlohmann::json::array();
    for (std::size_t i = 0; i < drawn.size(); ++i)
      if (i == 0 || drawn[i].label != drawn[i - 1].label)
        spans.push_back({{"version", drawn[i].label}, {"start", i}, {"end", i + 1}});
      else
        spans.back()["end"] = i + 1;
    return spans;
  }

  /// Log-probabilities of all tokens but the first, at temperature 1.
  std::vector<double> scores(const std::vector<Token>& tokens) {
    const std::lock_guard lock(mutex_);
    const Canary canary{.tokens = tokens, .prompt = 1};
    return score_canaries(*model_, std::span<const Canary>(&canary, 1), 1.0F)[0];
  }

  nlohmann::json sglang(const nlohmann::json& body) {
    const nlohmann::json& params = body.at("sampling_params");
    const auto drawn = remember_and_generate(
        body, {body.at("input_ids"), params.at("temperature"), params.at("max_new_tokens"),
               params.at("stop_token_ids"), params.at("sampling_seed")});
    nlohmann::json reply = reply_, ids = nlohmann::json::array(), log_probs = ids;
    for (const Drawn& one : drawn) {
      ids.push_back(one.token);
      log_probs.push_back({one.log_prob, one.token, nullptr});
    }
    reply["output_ids"] = ids;
    nlohmann::json& meta = reply["meta_info"];
    meta["output_token_logprobs"] = log_probs;
    meta["weight_versions"] = spans(drawn);
    if (drawn.size() < params.at("max_new_tokens"))
      meta["finish_reason"] = {{"type", "stop"}, {"matched", ids.back()}};
    if (body.at("logprob_start_len") == 0) {
      nlohmann::json rows = {{nullptr, body["input_ids"][0], nullptr}};
      const auto found = scores(body.at("input_ids"));
      for (std::size_t i = 0; i < found.size(); ++i)
        rows.push_back({found[i], body["input_ids"][i + 1], nullptr});
      meta["input_token_logprobs"] = rows;
    }
    return reply;
  }

  nlohmann::json vllm(const nlohmann::json& body) {
    const nlohmann::json& params = body.at("sampling_params");
    const auto drawn = remember_and_generate(
        body, {body.at("token_ids"), params.at("temperature"), params.at("max_tokens"),
               params.at("stop_token_ids"), params.at("seed")});
    nlohmann::json reply = reply_, ids = nlohmann::json::array(), log_probs = ids;
    for (const Drawn& one : drawn) {
      ids.push_back(one.token);
      log_probs.push_back({{"token_id", one.token}, {"logprob", one.log_prob}, {"rank", 1}});
    }
    nlohmann::json& choice = reply["choices"][0];
    choice["token_ids"] = ids;
    choice["logprobs"]["content"] = log_probs;
    choice["weight_versions"] = spans(drawn);
    if (drawn.size() < params.at("max_tokens")) choice["finish_reason"] = "stop";
    if (params.contains("prompt_logprobs")) {
      nlohmann::json rows = {nullptr};
      const auto found = scores(body.at("token_ids"));
      for (std::size_t i = 0; i < found.size(); ++i)
        rows.push_back(
            {{std::to_string(body["token_ids"][i + 1].get<Token>()), {{"logprob", found[i]}}}});
      reply["prompt_logprobs"] = rows;
    }
    return reply;
  }

  std::vector<Drawn> remember_and_generate(const nlohmann::json& body, const Asked& asked) {
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(body);
    }
    return generate(asked);
  }

  Kind kind_;
  std::filesystem::path served_;
  Token eos_;  // ends a generation unasked, as SGLang's does; -1: none
  nlohmann::json reply_;
  int port_ = 0;

  std::mutex mutex_;  // of everything below
  std::condition_variable changed_;
  Model model_;
  std::string label_, path_;
  std::map<std::vector<Token>, Model> cached_;
  std::vector<nlohmann::json> requests_;
  bool closed_ = false, paused_ = false;
  std::atomic<bool> crashed_ = false;
  std::size_t stopped_ = 0;
  std::optional<http_server::Server> server_;
};

/// A model small enough for a test, and its folder.
struct Served {
  explicit Served(const std::filesystem::path& served) : folder(served) {
    for (float& weight : learner.parameters()) weight *= 8;  // some tokens are far likelier
    learner.weights_changed(0);
    save_model(folder, learner);
  }
  static TransformerConfig config() {
    TransformerConfig config;
    config.vocab_size = 24;
    config.hidden_size = 16;
    config.intermediate_size = 32;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 2;
    config.num_key_value_heads = 2;
    config.head_dim = 8;
    config.max_position_embeddings = 64;
    return config;
  }
  /// As an update would, further than rounding.
  void learn(float step = 0.05F) {
    std::size_t i = 0;
    for (float& weight : learner.parameters()) weight += (i++ % 3 == 0 ? step : -step);
    learner.weights_changed();
  }
  std::filesystem::path folder;
  Transformer<float> learner{config(), {.seed = 5}};
};

}  // namespace engine_double
