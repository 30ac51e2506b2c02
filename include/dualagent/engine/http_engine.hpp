#pragma once

/// Needs libcurl, as net/http_client.hpp.

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/engine/canaries.hpp"
#include "dualagent/engine/engine_control.hpp"
#include "dualagent/engine/engine_options.hpp"
#include "dualagent/engine/engine_requests.hpp"
#include "dualagent/engine/engine_wire.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/save_model.hpp"

namespace dualagent {

namespace detail {
template <class M>
concept SavedWhole = HasTensors<M> && requires(M& model) {
  model.config();
};
/// A whole model, or an adapter that makes one with its base.
template <class M>
concept WritableWeights = SavedWhole<M> || requires(const M& adapter) {
  adapter.merged();
};
}  // namespace detail

/// A Sampler whose model runs in a server, and which takes over a learner's weights.
///
/// Requests are under way from one thread of its own, at most `max_in_flight` at a time. What the
/// engine did not answer (a time-out, HTTP 429 or 5xx) is tried again; what it answered wrongly is
/// refused: the generation fails with the reason. An engine that is gone is waited for, gets the
/// published weights again and proves them, and all requests go on; tokens that were sampled before
/// are kept.
///
/// `publish` writes the weights into a folder of their version, has the engine load them and clear
/// its cache, and returns once it has proved that it samples from them (RefitProof). Generations
/// that run meanwhile go on with the new weights; what they sample before the proof is held back
/// and thrown away if the proof fails. Versions are the engine's own record for each token; one of
/// a request's first token that is not the version it was sent under is refused, since it was
/// stamped when the reply was written.
///
/// Where another process publishes (EngineOptions::published_elsewhere), `follow` says which
/// version it has published. Requests that are sent afterwards are sampled from that version or
/// from later ones, and each token has the version of its label: what an engine says that is
/// behind, or was started again with other weights, is not taken, and is asked for again once it
/// has them.
///
/// Determinism: a request's seed is a function of its RandomStream, but engines do not promise the
/// same tokens in another batch. Where nothing was published the version is 0: the weights that it
/// serves.
/// Thread-safe as a Sampler has to be: one thread uses it, its own thread calls `on_ready`.
/// Errors: the constructor throws Error where no engine answers in time or it does not do what is
/// needed; `submit` as GenerationJob; `publish` and `wake` where the engine is not proved.
template <class Wire>
class HttpEngine {
 public:
  explicit HttpEngine(EngineOptions options)
      : options_((options.validate(), std::move(options))), control_(options_, Wire::kName) {
    requests_.emplace(options_, connect(), [this](const Stopped& stopped) { recover(stopped); });
  }
  HttpEngine(const HttpEngine&) = delete;
  HttpEngine& operator=(const HttpEngine&) = delete;

  std::size_t vocab_size() const { return options_.vocab_size; }
  std::size_t max_context_tokens() const { return max_context_tokens_; }
  WeightVersion weight_version() const { return requests_->version(); }

  void submit(const GenerationRequest& request) { requests_->submit(request); }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    for (Generation& generation : requests_->take_finished()) on_finished(std::move(generation));
    return 0;
  }
  void release(SequenceId) {}
  void reset() { requests_->reset(); }

  /// Hands the learner's weights over and has them proved; see above. A learner that is an adapter
  /// of a base is handed over merged with it, as one model.
  template <detail::WritableWeights LearnerModel>
  WeightVersion publish(LearnerModel& learner, WeightVersion version) {
    if (options_.published_elsewhere)
      throw Error("another process publishes to this engine", "EngineOptions::published_elsewhere",
                  "Let one learner publish to an engine, and the others follow it");
    if (options_.weights_folder.empty())
      throw Error("there is no folder for the weights", "EngineOptions::weights_folder",
                  "Name one that the engine reads under the same path");
    const std::lock_guard lock(control_mutex_);
    const Weights weights{
        std::filesystem::absolute(options_.weights_folder / ("version-" + std::to_string(version))),
        std::to_string(version)};
    write(weights.folder, learner);
    requests_->begin_refit(weights.label, version);
    try {
      until_it_stays(
          [&] {
            load(weights);
            prove(learner, version);
          },
          [] { return false; });
    } catch (...) {
      requests_->end_refit(Refit::failed);
      throw;
    }
    forget(std::exchange(weights_, weights));
    requests_->end_refit(Refit::proved);
    return version;
  }

  /// Another process has published this version; see above. Errors: Error unless
  /// EngineOptions::published_elsewhere is set.
  void follow(WeightVersion version) {
    if (!options_.published_elsewhere)
      throw Error(
          "the weights of this engine are those that it was started with, or published here",
          "EngineOptions::published_elsewhere", "Set it where another process publishes");
    requests_->follow(version);
  }

  /// What the last `publish` found.
  const RefitProof& proof() const { return proof_; }
  EngineCounts counts() const { return requests_->counts(); }

  /// Has the engine give its memory back; requests wait until `wake`. To be called while no request
  /// is under way. Errors: Error where nothing was published, since the engine then could not get
  /// its weights back, and where it sleeps already; as of EngineControl.
  void sleep() {
    const std::lock_guard lock(control_mutex_);
    if (!weights_ || asleep_)
      throw Error(asleep_ ? "the engine sleeps already" : "an engine without published weights",
                  control_.place(""), "Publish before it sleeps, and wake it once for each sleep");
    requests_->hold();
    try {
      Wire::sleep(control_);
    } catch (...) {
      requests_->go_on(Refit::failed);
      throw;
    }
    asleep_ = true;
  }
  /// Has the engine take its memory again, load the published weights again and prove them.
  /// Errors: Error where it does not sleep; as of EngineControl and of the proof.
  void wake() {
    const std::lock_guard lock(control_mutex_);
    if (!asleep_)
      throw Error("the engine does not sleep", control_.place(""), "Call sleep() before wake()");
    asleep_ = false;
    try {
      Wire::wake(control_);
      load(*weights_);
      prove_again();
    } catch (...) {
      requests_->go_on(Refit::failed);
      throw;
    }
    requests_->go_on(Refit::proved);
  }

 private:
  using Stopped = EngineRequests::Stopped;
  /// A folder of weights, and what the engine calls them.
  struct Weights {
    std::filesystem::path folder;
    std::string label;
  };

  /// Waits for the engine, asks what it is, and for one token.
  EngineWords connect() {
    wait_until_it_answers([] { return false; });
    const EngineFacts facts = Wire::facts(control_, options_);
    if (options_.model.empty()) options_.model = facts.model;
    if (facts.model != options_.model)
      throw Error("the engine serves '" + facts.model + "', not '" + options_.model + "'",
                  control_.place(""), "Name the model that it serves, or start it with that one");
    max_context_tokens_ = facts.max_context_tokens;
    served_label_ = facts.label;
    ask({.tokens = {0}}, options_.published_elsewhere ? std::nullopt : std::optional(facts.label));
    return {.path = Wire::kGenerate,
            .write = [](const EngineOptions& options,
                        const EngineCall& call) { return Wire::write(options, call); },
            .read = [](const EngineOptions& options, const EngineCall& call,
                       const nlohmann::json& json) { return Wire::read(options, call, json); },
            .served_label = facts.label,
            .max_context_tokens = facts.max_context_tokens};
  }

  /// One generation, from weights of the label where there is one.
  EngineReply ask(const EngineCall& call, const std::optional<std::string>& label) {
    EngineReply reply =
        Wire::read(options_, call, control_.post(Wire::kGenerate, Wire::write(options_, call)));
    for (const LabelSpan& span : reply.labels)
      if (label && span.label != *label)
        throw Error("the engine says that it sampled from weights '" + span.label + "', not '" +
                        *label + "'",
                    control_.place(Wire::kGenerate), "Look into its log");
    return reply;
  }

  void load(const Weights& weights) {
    Wire::load(control_, weights.folder, weights.label);
    const EngineFacts facts = Wire::facts(control_, options_);
    if (facts.label != weights.label ||
        (!facts.weights.empty() && facts.weights != weights.folder.string()))
      throw Error("the engine was given the weights '" + weights.label +
                      "', but says that it has '" + facts.label + "'" +
                      (facts.weights.empty() ? "" : " of " + facts.weights),
                  control_.place(""), "Look into its log");
  }

  template <class LearnerModel>
  void write(const std::filesystem::path& folder, LearnerModel& learner) const {
    if constexpr (requires { learner.merged(); }) {
      auto whole = learner.merged();
      write(folder, whole);
    } else {
      save_model(folder, learner, {.stored_as = options_.stored_as, .from = options_.model_folder});
    }
  }

  template <class LearnerModel>
  void prove(LearnerModel& learner, WeightVersion version) {
    RefitProof proof{.version = version};
    if (!canaries_.empty()) {
      const auto now = score_canaries(learner, canaries_, 1.0F);
      for (std::size_t c = 0; c < canaries_.size(); ++c)
        proof.learner_moved =
            std::max(proof.learner_moved, largest_difference(now[c], canaries_[c].learner));
    }
    std::vector<Canary> fresh =
        canary_prompts(options_.canary, options_.vocab_size, max_context_tokens_);
    for (std::size_t c = 0; c < fresh.size(); ++c) sample(fresh[c], version, c);
    const auto at_temperature = score_canaries(learner, fresh, options_.canary.temperature);
    const auto at_one = score_canaries(learner, fresh, 1.0F);
    for (std::size_t c = 0; c < fresh.size(); ++c) {
      fresh[c].learner = at_one[c];
      proof.tokens += fresh[c].sampled();
      proof.max_abs_log_ratio =
          std::max(proof.max_abs_log_ratio, largest_difference(fresh[c].engine, at_temperature[c]));
    }
    require_agreement(proof.max_abs_log_ratio, options_.canary, control_.place(""));
    canaries_ = std::move(fresh);
    proof_ = proof;
  }

  void sample(Canary& canary, WeightVersion version, std::size_t number) {
    const EngineCall call{.tokens = canary.tokens,
                          .temperature = options_.canary.temperature,
                          .max_new_tokens = options_.canary.new_tokens,
                          .seed = RandomStream::from_seed(version).bits(number) >> 1U};
    const EngineReply reply = ask(call, std::to_string(version));
    canary.tokens.insert(canary.tokens.end(), reply.tokens.begin(), reply.tokens.end());
    canary.engine.assign(reply.log_probs.begin(), reply.log_probs.end());
  }

  /// Without the learner: the engine scores the canaries of the last proof, and samples them again
  /// only to say under which version.
  void prove_again() {
    for (const Canary& canary : canaries_) {
      const std::vector<double> all = Wire::score(control_, options_, canary.tokens);
      require_agreement(largest_difference(std::span(all).last(canary.sampled()), canary.learner),
                        options_.canary, control_.place(""));
    }
    ask({.tokens = {0}}, weights_->label);
  }

  /// After the engine was gone, or was found with other weights: on the requests' own thread.
  void recover(const Stopped& stopped) {
    const std::lock_guard lock(control_mutex_);
    if (options_.published_elsewhere) return wait_until_it_follows(stopped);
    wait_until_it_answers(stopped);
    until_it_stays(
        [&] {
          const std::string label = Wire::facts(control_, options_).label;
          if (weights_ && (label != weights_->label || requests_->unproved())) {
            load(*weights_);
            prove_again();
          } else if (!weights_ && requests_->unproved()) {
            throw Error("the first weights that were published are not proved", control_.place(""),
                        "Publish again, or start the engine anew");
          } else if (!weights_ && label != served_label_) {
            throw Error("the engine came back with the weights '" + label + "', not '" +
                            served_label_ + "'",
                        control_.place(""), "Start it with the weights that it had");
          }
        },
        stopped);
  }

  /// Until its weights are those that are followed, or later ones.
  template <class Stop>
  void wait_until_it_follows(const Stop& stopped) {
    const auto give_up =
        EngineRequests::Clock::now() + EngineRequests::seconds(options_.restart_timeout_seconds);
    while (true) {
      std::string found;
      try {
        const std::string label = Wire::facts(control_, options_).label;
        const auto version = parse_number<WeightVersion>(label);
        if (version && *version >= requests_->version()) return;
        found = std::string(Wire::kName) + " has the weights '" + label +
                "', not those of version " + std::to_string(requests_->version()) + " or later";
      } catch (const Error& error) {
        found = error.problem();
      }
      if (stopped() || EngineRequests::Clock::now() >= give_up)
        throw Error(found, control_.place(""),
                    "See whether it runs, and whether its learner publishes to it; "
                    "restart_timeout_seconds says how long it is waited for");
      std::this_thread::sleep_for(EngineRequests::seconds(options_.restart_poll_seconds));
    }
  }

  /// Does it, and again where the engine went away meanwhile and has come back.
  template <class Work, class Stop>
  void until_it_stays(const Work& work, const Stop& stopped) {
    for (std::size_t attempt = 0;; ++attempt) try {
        return work();
      } catch (const EngineGone&) {
        if (attempt == options_.retries) throw;
        wait_until_it_answers(stopped);
      }
  }

  template <class Stop>
  void wait_until_it_answers(const Stop& stopped) {
    const auto give_up =
        EngineRequests::Clock::now() + EngineRequests::seconds(options_.restart_timeout_seconds);
    while (!control_.answers(Wire::kHealth)) {
      if (stopped() || EngineRequests::Clock::now() >= give_up)
        throw Error(std::string(Wire::kName) + " does not answer", control_.place(Wire::kHealth),
                    "Start it, and look into its log; restart_timeout_seconds says how long it is "
                    "waited for");
      std::this_thread::sleep_for(EngineRequests::seconds(options_.restart_poll_seconds));
    }
  }

  /// Removes weights that no engine will be asked to load again.
  void forget(const std::optional<Weights>& old) {
    std::error_code ignored;
    if (old && old->folder != weights_->folder) std::filesystem::remove_all(old->folder, ignored);
  }

  EngineOptions options_;
  std::mutex control_mutex_;  // of everything below but the requests
  EngineControl control_;
  std::size_t max_context_tokens_ = 0;
  bool asleep_ = false;
  std::string served_label_;        // of the weights that it was started with
  std::optional<Weights> weights_;  // that were published
  std::vector<Canary> canaries_;    // of the last proof
  RefitProof proof_;
  std::optional<EngineRequests> requests_;  // last: its thread uses the rest
};

}  // namespace dualagent
