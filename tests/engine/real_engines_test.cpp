/// SGLang and vLLM themselves, where the environment names one; left out where it does not.
///   DUALAGENT_ENGINE        sglang or vllm, started as docs/engines.md says with SmolLM2 in
///   float32 DUALAGENT_ENGINE_URL    e.g. http://127.0.0.1:8000 DUALAGENT_ENGINE_MODEL  the
///   directory that it serves DUALAGENT_ENGINE_KILL   a command that kills it and starts it again;
///   run once, if it is set

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/engine/sglang_engine.hpp"
#include "dualagent/engine/vllm_engine.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

constexpr std::size_t kRollouts = 8;
constexpr std::size_t kCalls = 4;
constexpr int kRefits = 3;

std::string from_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Turns of six tokens of SmolLM2, each but the last a call of the tool; the history is summarized
/// on the way. What is given are SmolLM2's tokens. The engine is told to stop at letters that any
/// text holds, and has to go on from there.
struct SixTokens {
  std::vector<Token> prompt(const Task& task) const {
    std::vector<Token> tokens{504, 3575, 282, 4649, 314};  // "The capital of France is"
    for (const char c : task.prompt) tokens.push_back(100 + c);
    return tokens;
  }
  bool six_are_said(std::span<const Token> said) const { return said.size() >= 6; }
  StopRule turn_stop() const {
    return {{2}, 16, EarlyStop::of<&SixTokens::six_are_said>(*this, {"e", "a", "i", "o"})};
  }
  StopRule summary_stop() const {
    return {{2}, 16, EarlyStop::of<&SixTokens::six_are_said>(*this)};
  }
  Turn parse_turn(std::span<const Token> said) const {
    return std::vector<ToolCall>{{"successor", "{\"x\":" + std::to_string(said.size() % 6) + "}"}};
  }
  Turn parse_turn(std::span<const Token> said, const Rollout& rollout) const {
    if (rollout.calls >= kCalls) return Answer{std::to_string(said.size())};
    return parse_turn(said);
  }
  std::vector<Token> observation(std::span<const std::string> results) const {
    std::vector<Token> tokens{198};
    for (const std::string& result : results) tokens.push_back(100 + result.at(0));
    return tokens;
  }
  std::optional<std::vector<Token>> correction(const MalformedTurn&) const { return std::nullopt; }
  std::vector<Token> summary_request() const { return {198, 504, 2988, 314}; }
  std::optional<std::string> check_summary(std::span<const Token>) const { return std::nullopt; }
  std::vector<Token> present_summary(std::span<const Token> said) const {
    return {said.begin(), said.end()};
  }
};
static_assert(ToolDialect<SixTokens>);

/// The largest |log ratio| of what the rollouts' samplers reported and what the learner finds.
double largest_log_ratio(Transformer<float>& learner, std::span<const Rollout> rollouts,
                         std::size_t& tokens) {
  double largest = 0;
  for (const Rollout& rollout : rollouts)
    for (const Segment& segment : rollout.segments) {
      const Context& context = segment.context;
      PackedBatch batch;
      batch.append_row(context.tokens());
      for (const Span& span : context.spans())
        if (span.is_sampled())
          std::fill_n(batch.loss_weight.begin() + static_cast<std::ptrdiff_t>(span.begin),
                      span.size, 1.0F);
      TokenOutputs outputs;
      outputs.resize(batch.size());
      learner.score(batch, outputs);
      for (std::size_t t = 0; t < batch.size(); ++t)
        if (batch.loss_weight[t] > 0) {
          largest =
              std::max(largest, std::abs(outputs.log_prob[t] - double{context.log_probs()[t]}));
          ++tokens;
        }
    }
  return largest;
}

template <class EngineType>
std::vector<Rollout> play(Transformer<float>& learner, EngineType& engine, std::uint64_t seed) {
  RolloutScheduler scheduler(
      SharedWeights{Learning{learner, engine}},
      Protocol{SixTokens{}, toy::Tools{toy::Successor<>{}}, TokenBudget{.max_tokens = 24},
               ReplaceBySummary{}, RolloutLimits{.max_context_tokens = 512}});
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < kRollouts; ++i)
    tasks.push_back({.id = std::to_string(i), .prompt = std::to_string(i), .answer = "0"});
  return scheduler.run(tasks, 1, {}, RandomStream::from_seed(seed));
}

template <class EngineType>
void show(const std::string& model) {
  const TemporaryFolder folder;
  Transformer<float> learner = load_model(model);
  EngineType engine({.url = from_environment("DUALAGENT_ENGINE_URL"),
                     .vocab_size = learner.vocab_size(),
                     .weights_folder = folder / "weights",
                     .model_folder = model,
                     .max_in_flight = 8});
  const auto report = [&](const std::string& what, std::span<const Rollout> rollouts) {
    std::size_t tokens = 0, summaries = 0, lost = 0;
    const double largest = largest_log_ratio(learner, rollouts, tokens);
    for (const Rollout& rollout : rollouts) {
      summaries += rollout.segments.size() - 1;
      lost += rollout.status == RolloutStatus::aborted ? 1 : 0;
    }
    WARN(what << ": " << rollouts.size() << " rollouts, " << summaries << " more windows, " << lost
              << " lost, " << tokens << " tokens, max |log ratio| " << largest);
    CHECK(lost == 0);
    CHECK(summaries > 0);
    CHECK(largest <= 1e-3);
  };
  report("as served", play(learner, engine, 0));
  for (int refit = 1; refit <= kRefits; ++refit) {
    std::size_t i = 0;
    for (float& weight : learner.parameters()) weight *= (i++ % 2 == 0 ? 1.01F : 0.99F);
    learner.weights_changed();
    const auto begin = std::chrono::steady_clock::now();
    engine.publish(learner, learner.weight_version());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const RefitProof& proof = engine.proof();
    WARN("refit " << refit << ": " << proof.tokens << " canary tokens, max |log ratio| "
                  << proof.max_abs_log_ratio << ", the learner moved by " << proof.learner_moved
                  << ", " << seconds.count() << " s");
  }
  report("after refits", play(learner, engine, 1));
  if (const std::string kill = from_environment("DUALAGENT_ENGINE_KILL"); !kill.empty()) {
    std::thread killer([&] {
      const std::size_t before = engine.counts().sent;
      while (engine.counts().sent < before + 12)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      CHECK(std::system(kill.c_str()) == 0);
    });
    const std::vector<Rollout> rollouts = play(learner, engine, 2);
    killer.join();
    const EngineCounts counts = engine.counts();
    WARN("recovered " << counts.recovered << " times, " << counts.again << " requests sent again, "
                      << counts.refused << " replies refused");
    CHECK(counts.recovered >= 1);
    report("killed once", rollouts);
  }
}

}  // namespace

TEST_CASE("real engines: rollouts, refits and a crash", "[engine][real]") {
  const std::string engine = from_environment("DUALAGENT_ENGINE");
  const std::string model = from_environment("DUALAGENT_ENGINE_MODEL");
  if (engine == "sglang")
    show<SglangEngine>(model);
  else if (engine == "vllm")
    show<VllmEngine>(model);
  else
    WARN("left out: DUALAGENT_ENGINE names neither sglang nor vllm");
}
