#pragma once

/// Needs cpp-httplib, as net/http_server.hpp. Not part of the umbrella.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/version.hpp"
#include "dualagent/model/config_reader.hpp"
#include "dualagent/net/http_server.hpp"
#include "dualagent/report/memory.hpp"
#include "dualagent/service/generate_reply.hpp"
#include "dualagent/service/generate_request.hpp"
#include "dualagent/service/prompt_scores.hpp"
#include "dualagent/service/sampler_loop.hpp"
#include "dualagent/service/service_metrics.hpp"
#include "dualagent/service/weight_loading.hpp"

namespace dualagent {

/// How a sampler is served.
struct SamplerServiceOptions {
  HttpServerOptions http = {};
  SamplerLoopOptions loop = {};
  std::string model_path = "model";   ///< the folder that the weights come from
  std::string model_name = {};        ///< what clients know it by; empty: the folder
  std::size_t max_prompt_tokens = 0;  ///< of one prompt; 0: what leaves room in the context
  std::size_t max_new_tokens = 0;     ///< of one generation; 0: what fits into the context
  double retry_after_seconds = 1;     ///< told to clients while the queue is full; 0: nothing
  double drain_seconds = 30;          ///< of `stop`, for the requests that it has
  ServedText text = {};               ///< of the tokens: replies have it, and stop strings work
};

/// Any Sampler behind HTTP, with the face of SGLang's server: whoever talks to SGLang's /generate
/// (SglangEngine, slime, a shell script) talks to it as well. docs/service.md has the paths.
///
/// One thread owns the sampler and continues all requests in one decode batch (SamplerLoop); the
/// connections' threads only wait. A client that leaves, or does not take what is streamed to it,
/// has its generation ended with the next token; nobody waits for it. A request above the queue is
/// answered 429 with Retry-After.
/// /update_weights_from_disk reads the new weights while generation goes on, and swaps them in
/// between two tokens; what runs goes on under them, each token labelled with its weights.
///
/// `loader` says how weights are loaded; empty: they are not (a remote engine's, say). For a model
/// of this library the second constructor fills it in.
/// Errors: `start` throws Error where the port cannot be had.
/// Example: Transformer<float> model = load_model("SmolLM2");
///          SamplerService service(model, {.http = {.port = 3333, .token = "secret"}});
///          service.start(); ... service.stop();
template <class M>
class SamplerService {
 public:
  SamplerService(M& model, SamplerServiceOptions options, WeightLoader<M> loader)
      : options_(std::move(options)),
        limits_(limits(model)),
        loader_(std::move(loader)),
        path_(options_.model_path),
        loop_(model, options_.loop, options_.text, metrics_),
        server_(options_.http) {
    limits_.validate();
    const char* const owner = "SamplerServiceOptions";
    require_option(options_.retry_after_seconds, kSeconds, "retry_after_seconds", owner);
    require_option(options_.drain_seconds, kSeconds, "drain_seconds", owner);
    if (options_.model_name.empty()) options_.model_name = options_.model_path;
    require_utf8(options_.model_path + options_.model_name, "model_path or model_name", owner);
    add_paths();
  }
  explicit SamplerService(M& model, SamplerServiceOptions options = {})
      : SamplerService(model, std::move(options), loader_of(model)) {}
  SamplerService(const SamplerService&) = delete;
  SamplerService& operator=(const SamplerService&) = delete;
  ~SamplerService() {
    loop_.stop(0);
    server_.stop();
  }

  void start() { server_.start(); }
  /// Refuses new requests with 503, waits up to `drain_seconds` for those that run or wait, aborts
  /// the others, and returns once all connections are closed.
  void stop() {
    loop_.end_admission();
    loop_.stop(options_.drain_seconds);
    server_.stop();
  }

  int port() const { return server_.port(); }
  std::string url() const { return server_.url(); }
  /// What GET /metrics says.
  std::string metrics() const {
    return metrics_.text({.running = loop_.running(),
                          .queued = loop_.queued(),
                          .connections = server_.connections(),
                          .refused_connections = server_.refused_connections(),
                          .weight_version = loop_.version(),
                          .resident_bytes = resident_memory_bytes().value_or(0),
                          .paused = loop_.paused()});
  }
  SamplerLoop<M>& loop() { return loop_; }

 private:
  using Live = typename SamplerLoop<M>::Live;

  GenerateLimits limits(const M& model) const {
    return {.vocab_size = model.vocab_size(),
            .max_context_tokens = model.max_context_tokens(),
            .max_prompt_tokens = options_.max_prompt_tokens,
            .max_new_tokens = options_.max_new_tokens,
            .max_batch = options_.loop.most(),
            .has_text = static_cast<bool>(options_.text),
            .has_scores = kScoresPrompts<M>};
  }
  static WeightLoader<M> loader_of(M& model) {
    if constexpr (detail::LoadsWeights<M>) return load_from_folder(model);
    return {};
  }

  void add_paths() {
    server_.on_reply([this](int status) { metrics_.replied(status); });
    const auto add = [this](std::string_view methods, const char* path,
                            void (SamplerService::*answer)(HttpCall&)) {
      for (const char* method : {"GET", "POST", "PUT"})
        if (methods.find(method) != std::string_view::npos)
          server_.on(method, path, [this, answer](HttpCall& call) { (this->*answer)(call); });
    };
    using S = SamplerService;
    add("POST PUT", "/generate", &S::generate);
    add("POST", "/abort_request", &S::abort);
    add("POST", "/update_weights_from_disk", &S::update_weights);
    add("POST", "/pause_generation", &S::pause);
    add("POST", "/continue_generation", &S::go_on);
    add("GET POST", "/flush_cache", &S::flush);
    add("GET", "/health", &S::health);
    add("GET", "/health_generate", &S::health_generate);
    for (const char* path : {"/model_info", "/get_model_info"}) add("GET", path, &S::model_info);
    for (const char* path : {"/server_info", "/get_server_info"}) add("GET", path, &S::server_info);
    add("GET", "/metrics", &S::metrics);
  }

  /// What `read()` returns; its Error becomes a 400.
  template <class Read>
  static auto read(const Read& read) {
    try {
      return read();
    } catch (const Error& error) {
      throw HttpRefusal(400, error.what());
    }
  }

  static nlohmann::json body_of(const HttpCall& call) {
    return read([&] {
      return call.body().empty()
                 ? nlohmann::json::object()
                 : parse_json(call.body(), "POST " + call.path(), "Send one JSON object");
    });
  }
  static detail::ConfigReader fields(const nlohmann::json& body, const HttpCall& call) {
    return {body, "POST " + call.path(), "the body", "Correct the request",
            "Leave it out; docs/service.md has what is served"};
  }
  static void refuse_unknown(const detail::ConfigReader& from) {
    for (const std::string& key : from.unread({}))
      from.fail(printable(key), "is not known here", "Leave it out");
  }

  std::vector<Live> submit(GenerateRequest request, const std::shared_ptr<EventFlag>& changed) {
    for (GenerateItem& item : request.items)
      if (item.rid.empty()) item.rid = id_prefix_ + zero_padded(++ids_, 16);
    try {
      return loop_.submit(std::move(request), [changed] { changed->raise(); });
    } catch (const QueueFull& full) {
      throw HttpRefusal(429, full.problem(), full.where(), full.remedy(),
                        options_.retry_after_seconds);
    } catch (const ServiceEnds& ends) {
      throw HttpRefusal(503, ends.problem(), ends.where(), ends.remedy(),
                        options_.retry_after_seconds);
    }
  }

  /// The generations of one request; what has not ended when its handler is left, however that
  /// happens, is aborted.
  struct Asked {
    Asked(SamplerService& of, GenerateRequest request)
        : service(of),
          changed(std::make_shared<EventFlag>()),
          live(of.submit(std::move(request), changed)) {}
    Asked(const Asked&) = delete;
    ~Asked() {
      const auto ended = [](const Live& one) { return one->has_ended(); };
      if (std::all_of(live.begin(), live.end(), ended)) return;
      service.metrics_.aborted_by_client();
      service.loop_.abandon(live);
    }

    SamplerService& service;
    std::shared_ptr<EventFlag> changed;
    std::vector<Live> live;
  };

  void generate(HttpCall& call) {
    GenerateRequest request = read([&] { return parse_generate_request(call.body(), limits_); });
    const bool is_batch = request.is_batch, streams = request.stream;
    const auto asked = std::make_shared<const Asked>(*this, std::move(request));
    if (streams)
      return call.stream("text/event-stream", [this, asked, is_batch](HttpStream& out) {
        stream(*asked, is_batch, out);
      });
    await(call, *asked);
    nlohmann::json replies = nlohmann::json::array();
    for (const Live& one : asked->live) {
      const ServedGeneration done = one->look();
      if (done.end->kind == ServedEnd::Kind::failed) throw HttpRefusal(500, done.end->said);
      replies.push_back(generate_reply(one->item(), done, options_.text));
    }
    call.reply(is_batch ? replies : replies[0]);
  }

  static void await(const HttpCall& call, const Asked& asked) {
    for (const Live& one : asked.live)
      while (!one->has_ended()) {
        if (!call.await(*asked.changed))
          throw HttpRefusal(400, "the client closed its side of the connection before the reply");
        asked.changed->lower();
      }
  }

  /// Sends what there is of each generation whenever there is more; each event has all so far.
  void stream(const Asked& asked, bool is_batch, HttpStream& out) const {
    const std::vector<Live>& live = asked.live;
    std::vector<std::size_t> sent(live.size(), 0);  // tokens
    std::vector<bool> ended(live.size(), false);
    while (std::find(ended.begin(), ended.end(), false) != ended.end()) {
      if (!out.await(*asked.changed)) return;
      asked.changed->lower();
      for (std::size_t i = 0; i < live.size(); ++i) {
        if (ended[i]) continue;
        const ServedGeneration now = live[i]->look();
        ended[i] = now.end.has_value();
        if (!ended[i] && now.tokens.size() == sent[i]) continue;
        sent[i] = now.tokens.size();
        nlohmann::json event =
            now.end && now.end->kind == ServedEnd::Kind::failed
                ? nlohmann::json{{"error", {{"message", printable(now.end->said)}}}}
                : generate_reply(live[i]->item(), now, options_.text);
        if (is_batch) event["index"] = i;
        if (!out.send("data: " + event.dump() + "\n\n")) return;
      }
    }
    out.send("data: [DONE]\n\n");
  }

  void abort(HttpCall& call) {
    const nlohmann::json body = body_of(call);
    const std::string rid = read([&] {
      const detail::ConfigReader from = fields(body, call);
      std::string name = from.text("rid", "");
      const bool all = from.boolean("abort_all", false);
      from.find("abort_message");
      refuse_unknown(from);
      if (name.empty() && !all)
        from.fail("rid", "is missing", "Name the requests, or set abort_all");
      return all ? std::string() : name;
    });
    loop_.abort(rid);
    call.reply(200, "", "text/plain");
  }

  void update_weights(HttpCall& call) {
    const nlohmann::json body = body_of(call);
    std::optional<std::string> label;
    bool abort_all = false;
    const std::string folder = read([&] {
      const detail::ConfigReader from = fields(body, call);
      const std::string path = from.text("model_path");
      if (from.find("weight_version") != nullptr) label = from.text("weight_version");
      abort_all = from.boolean("abort_all_requests", false);
      from.require_neutral("load_format", "auto");
      from.require_neutral("flush_cache", true);  // nothing is kept of other weights
      for (const char* key : {"is_async", "keep_pause", "recapture_cuda_graph"})
        from.require_neutral(key, false);
      from.find("torch_empty_cache");
      refuse_unknown(from);
      return path;
    });
    try {
      const std::lock_guard one_at_a_time(update_mutex_);
      if (!loader_) throw Error("the weights of this server's model cannot be loaded");
      const std::function<void(M&)> write = loader_(folder);
      if (abort_all) loop_.abort("");
      const std::string name = loop_.update(write, label);
      {
        const std::lock_guard lock(path_mutex_);
        path_ = folder;
      }
      metrics_.updated();
      call.reply({{"success", true},
                  {"message", "Succeeded to update model weights. Weight version updated to " +
                                  printable(name) + "."},
                  {"num_paused_requests", 0}});
    } catch (const std::exception& error) {
      const nlohmann::json refusal{
          {"success", false}, {"message", printable(error.what())}, {"num_paused_requests", 0}};
      call.reply(400, refusal.dump());
    }
  }

  void pause(HttpCall& call) {
    const nlohmann::json body = body_of(call);
    const std::string mode = read([&] {
      const detail::ConfigReader from = fields(body, call);
      std::string name = from.text("mode", "abort");
      refuse_unknown(from);
      if (name != "abort" && name != "retract")
        from.fail(
            "mode", "is '" + printable(name) + "'",
            "Use abort, or retract: what was computed from old weights is never used with new "
            "ones");
      return name;
    });
    loop_.pause(mode == "abort" ? SamplerLoop<M>::Pause::abort : SamplerLoop<M>::Pause::keep);
    call.reply({{"status", "ok"}, {"message", "Generation paused successfully."}});
  }
  void go_on(HttpCall& call) {
    loop_.go_on();
    call.reply({{"status", "ok"}, {"message", "Generation continued successfully."}});
  }

  void flush(HttpCall& call) {
    const bool flushed = loop_.flush();
    call.reply(flushed ? 200 : 400,
               flushed ? "Cache flushed.\n"
                       : "The cache is not flushed: requests are running or waiting.\n",
               "text/plain");
  }
  void health(HttpCall& call) { call.reply(loop_.takes() ? 200 : 503, "", "text/plain"); }
  void health_generate(HttpCall& call) {
    if (loop_.paused()) throw HttpRefusal(503, "generation is paused");
    if (loop_.running() >= options_.loop.max_running) {  // no place: well if a step passes
      for (int i = 0; i < 2; ++i) loop_.run([](M&) {});
      return call.reply(200, "", "text/plain");
    }
    const Asked asked(*this, {.items = {{.prompt = {0}, .max_new_tokens = 1, .seed = 0}}});
    await(call, asked);
    const std::optional<ServedEnd> end = asked.live[0]->look().end;
    if (end->kind == ServedEnd::Kind::failed) throw HttpRefusal(503, end->said);
    call.reply(200, "", "text/plain");
  }

  void model_info(HttpCall& call) {
    const std::lock_guard lock(path_mutex_);
    call.reply({{"model_path", path_},
                {"served_model_name", options_.model_name},
                {"tokenizer_path", options_.model_path},
                {"is_generation", true},
                {"preferred_sampling_params", nullptr},
                {"weight_version", loop_.label()},
                {"load_format", "auto"},
                {"has_image_understanding", false},
                {"has_audio_understanding", false}});
  }
  void server_info(HttpCall& call) {
    call.reply({{"context_length", limits_.max_context_tokens},
                {"max_req_input_len", limits_.longest_prompt() + 1},
                {"max_running_requests", options_.loop.max_running},
                {"max_queued_requests", options_.loop.max_queued},
                {"served_model_name", options_.model_name},
                {"model_path", options_.model_path},
                {"version", "dualagent " + std::string(kVersion)}});
  }
  void metrics(HttpCall& call) {
    call.reply(200, metrics(), "text/plain; version=0.0.4; charset=utf-8");
  }

  SamplerServiceOptions options_;
  GenerateLimits limits_;
  WeightLoader<M> loader_;
  std::mutex update_mutex_;  // one update at a time
  std::mutex path_mutex_;    // of path_
  std::string path_;         // where the weights come from
  std::atomic<std::uint64_t> ids_ = 0;
  std::string id_prefix_ = zero_padded(std::random_device{}(), 16);
  ServiceMetrics metrics_;
  SamplerLoop<M> loop_;
  HttpServer server_;  // last: its threads use the rest
};

}  // namespace dualagent
