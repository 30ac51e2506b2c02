#include "dualagent/train/pair_learners.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/remote_engine.hpp"
#include "support/temporary_folder.hpp"
#include "support/witness_model.hpp"

using namespace dualagent;
using guessing::five_tasks;

namespace {

using Tokens = std::vector<Token>;

/// The pair of guessing_pair.hpp with a summary after every call.
auto early_summaries() {
  return Protocol{toy::Dialect{.max_turn_tokens = 4}, toy::Tools{toy::Successor<>{}},
                  TurnCount{.turns = 1}, ReplaceBySummary{}, RolloutLimits{.max_turns = 6}};
}

/// Weights that an engine of low precision cannot have.
BigramModel uneven_model() {
  BigramModel model = guessing::model();
  for (double& weight : model.parameters()) weight *= 0.9;
  return model;
}

/// The Summarizer of every test: it only samples, and says what a script tells it.
ScriptedModel scripted_summarizer() {
  return ScriptedModel(toy::vocab, [](std::span<const Token>, AgentRole, const RandomStream&) {
    return Tokens{toy::summary, toy::digit(1), toy::end};
  });
}

constexpr Objective kTruncated{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{},
                               TruncatedIs{.low = 0.5, .high = 1.5}};

/// A trainer of the Answerer alone, which learns in one object and samples in another.
template <class LearnerModel, class Engine, class ObjectiveOf>
auto answerer_trainer(LearnerModel& learner, Engine& engine, ScriptedModel& summarizer,
                      const ObjectiveOf& objective, const TrainerOptions& options) {
  return Trainer{SeparateWeights{Learning{learner, engine}, Frozen{summarizer}},
                 early_summaries(),
                 ExactMatch{},
                 Recipe{objective, AnswererOnly{}},
                 LocalCollective{},
                 options};
}

/// An engine whose generations run on while weights are published: the first token of each comes
/// from the version before the published one. The log-probability of token i is -(i + 1).
class LateEngine {
 public:
  explicit LateEngine(ScriptedModel::Script script) : model_(toy::vocab, std::move(script)) {}
  std::size_t vocab_size() const { return model_.vocab_size(); }
  std::size_t max_context_tokens() const { return model_.max_context_tokens(); }
  WeightVersion weight_version() const { return version_; }
  void submit(const GenerationRequest& request) { model_.submit(request); }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    return model_.advance([&](Generation&& done) {
      const auto said = done.sampled.tokens();
      std::vector<WeightVersion> versions(said.size(), version_);
      versions[0] -= std::min<WeightVersion>(1, version_);
      std::vector<float> log_probs;
      for (std::size_t i = 0; i < said.size(); ++i) log_probs.push_back(-static_cast<float>(i + 1));
      on_finished(
          Generation{done.sequence,
                     BackendAccess::sampled(done.sampled.agent(), std::move(versions),
                                            {said.begin(), said.end()}, std::move(log_probs)),
                     done.finish});
    });
  }
  void release(SequenceId sequence) { model_.release(sequence); }
  void reset() { model_.reset(); }
  template <class LearnerModel>
  WeightVersion publish(LearnerModel&, WeightVersion version) {
    return version_ = version;
  }

 private:
  ScriptedModel model_;
  WeightVersion version_ = 0;
};

/// Answers that it has other weights than it was given.
struct Forgetful : RemoteEngine {
  using RemoteEngine::RemoteEngine;
  WeightVersion publish(::BigramModel&, WeightVersion version) { return version + 1; }
};

/// Does not take weights of version 1 when they come for the first time.
struct Unreachable : RemoteEngine {
  using RemoteEngine::RemoteEngine;
  WeightVersion publish(::BigramModel& learner, WeightVersion version) {
    if (version == 1 && !failed) {
      failed = true;
      throw Error("the engine does not answer", "Unreachable");
    }
    return RemoteEngine::publish(learner, version);
  }
  bool failed = false;
};

/// A view whose type says one agent and that selects the other.
struct SaysOneDoesAnother {
  static constexpr TrainedAgents agents = TrainedAgents::answerer;
  bool trains(const Rollout&, std::size_t, const Span& span) const {
    return span.agent == AgentRole::summarizer;
  }
};

}  // namespace

TEST_CASE("a remote engine samples for an Answerer that is trained here", "[train]") {
  BigramModel learner = uneven_model();
  RemoteEngine engine(toy::vocab);
  ScriptedModel summarizer = scripted_summarizer();
  auto trainer = answerer_trainer(learner, engine, summarizer, kTruncated,
                                  {.group_size = 8,
                                   .minibatches = 2,
                                   .update = {.optimizer = {.learning_rate = 0.1}},
                                   .seed = 1});
  CHECK(engine.published() == std::vector<WeightVersion>{0});  // the weights that it begins with
  std::vector<double> rewards;
  double summaries = 0;
  std::size_t publications = 1;
  for (int step = 0; step < 20; ++step) {
    const WeightVersion before = learner.weight_version();
    const StepMetrics metrics = trainer.step(five_tasks(16));
    const bool learned = metrics.updates > 0;  // else all groups have equal rewards
    publications += learned ? 1 : 0;
    rewards.push_back(metrics.reward_mean);
    summaries += metrics.summaries;
    for (const Rollout& rollout : trainer.rollouts())
      for (const Segment& segment : rollout.segments)
        for (const Span& span : segment.context.spans())
          if (span.is_sampled() && span.agent == AgentRole::answerer)
            for (const WeightVersion version : segment.context.weight_versions(span))
              CHECK(version == before);
    CHECK(metrics.staleness == 0.0);
    if (learned) CHECK(metrics.max_abs_log_ratio > 1e-3);  // the engine rounds its weights
    CHECK(engine.published().back() == learner.weight_version());
    CHECK(engine.published().size() == publications);
  }
  CHECK(std::ranges::adjacent_find(engine.published(), std::greater_equal<>{}) ==
        engine.published().end());  // versions rise
  CHECK(summaries > 0);
  CHECK(rewards.front() < 0.3);
  CHECK(rewards.back() > 0.8);
}

TEST_CASE("corrections weigh by the log-probabilities of the sampler", "[train]") {
  // One update with learning rate 0 finds the gradient norm; the expected one is computed anew from
  // the rollouts: sum over tokens of weight * advantage / tokens * (one-hot - probabilities).
  BigramModel learner = uneven_model();
  RemoteEngine engine(toy::vocab, 1.5);
  ScriptedModel summarizer = scripted_summarizer();
  auto trainer =
      answerer_trainer(learner, engine, summarizer, kTruncated,
                       {.group_size = 8,
                        .minibatches = 1,
                        .update = {.optimizer = {.learning_rate = 0.0}, .max_gradient_norm = 1e9},
                        .seed = 3});
  const StepMetrics metrics = trainer.step(five_tasks(16));
  RemoteEngine exact(toy::vocab, 1e15);  // the learner's own log-probabilities
  exact.publish(learner, 1);
  const auto rollouts = trainer.rollouts();
  std::vector<double> gradient(toy::vocab * toy::vocab, 0.0);
  double tokens = 0, most = 0;
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    if (rollouts[i].status == RolloutStatus::aborted) continue;
    double count = 0, sum = 0, squares = 0;
    for (const Rollout& other : rollouts.subspan(i / 8 * 8, 8)) {
      if (other.status == RolloutStatus::aborted) continue;
      count += 1, sum += other.reward, squares += other.reward * other.reward;
    }
    const double mean = sum / count;
    const double variance = (squares - sum * mean) / (count - 1);
    const double advantage =
        sum == 0 || sum == count ? 0 : (rollouts[i].reward - mean) / std::sqrt(variance);
    for (const Segment& segment : rollouts[i].segments)
      for (const Span& span : segment.context.spans())
        for (std::size_t t = span.begin; t < span.end(); ++t) {
          if (!span.is_sampled() || span.agent != AgentRole::answerer) continue;
          tokens += 1;
          const Token after = segment.context.tokens()[t - 1], token = segment.context.tokens()[t];
          const double ratio = std::exp(exact.log_prob(after, token) -
                                        static_cast<double>(segment.context.log_probs()[t]));
          const double weight = std::clamp(ratio, 0.5, 1.5);
          most = std::max(most, std::abs(weight - 1.0));
          for (std::size_t v = 0; v < toy::vocab; ++v)
            gradient[static_cast<std::size_t>(after) * toy::vocab + v] +=
                weight * advantage *
                ((static_cast<Token>(v) == token ? 1.0 : 0.0) -
                 std::exp(exact.log_prob(after, static_cast<Token>(v))));
        }
  }
  double square = 0;
  for (const double g : gradient) square += g * g / (tokens * tokens);
  CHECK(most > 0.1);  // the correction had something to do
  CHECK(metrics.gradient_norm == Approx(std::sqrt(square)).epsilon(1e-4));
}

TEST_CASE("the versions of a span's tokens reach batch and metrics one by one", "[train]") {
  const auto guess = [](std::span<const Token>, AgentRole, const RandomStream& random) {
    return Tokens{toy::answer, toy::digit(random.below(0, 2) == 0 ? 5 : 6), toy::end};
  };
  WitnessModel learner{toy::vocab, guess};
  LateEngine engine{guess};
  ScriptedModel summarizer = scripted_summarizer();
  auto trainer = answerer_trainer(learner, engine, summarizer, Dapo{},
                                  {.group_size = 8, .minibatches = 1, .seed = 1});
  for (WeightVersion step = 0; step < 3; ++step) {
    const StepMetrics metrics = trainer.step(five_tasks(4));
    REQUIRE(learner.trained().size() == step + 1);
    const PackedBatch& batch = learner.trained().back();
    CHECK(batch.old_weight_version == step);
    std::size_t trained = 0, first = 0;
    for (std::size_t t = 0; t < batch.size(); ++t) {
      if (batch.loss_weight[t] == 0.0F) continue;
      ++trained;
      const bool is_first = batch.sampler_log_prob[t] == -1.0F;
      first += is_first ? 1 : 0;
      CHECK(batch.weight_version[t] == (is_first && step > 0 ? step - 1 : step));
      CHECK(batch.staleness_of(t) == (is_first && step > 0 ? 1 : 0));
    }
    REQUIRE(first > 0);
    CHECK(trained == 3 * first);  // turns of three tokens, the first of an older version
    CHECK(metrics.staleness == Approx(step > 0 ? 1.0 / 3.0 : 0.0));
  }
}

TEST_CASE("a frozen role is in no checkpoint, a learner elsewhere is published after loading",
          "[train]") {
  const auto make = [](BigramModel& learner, RemoteEngine& engine, ScriptedModel& summarizer) {
    return answerer_trainer(learner, engine, summarizer, kTruncated, {.group_size = 8, .seed = 2});
  };
  ScriptedModel summarizer = scripted_summarizer();
  BigramModel learner = guessing::model(), again(toy::vocab);
  RemoteEngine engine(toy::vocab), other(toy::vocab);
  auto trainer = make(learner, engine, summarizer);
  trainer.step(five_tasks(16));
  Checkpoint checkpoint{.step = 1};
  trainer.save(checkpoint);
  CHECK(error_of([&] { checkpoint.add("model1.weights", std::span<const double>{}); }) ==
        "no error");
  TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint);
  auto resumed = make(again, other, summarizer);
  resumed.load(*latest_checkpoint(folder.path(), {}).checkpoint);
  CHECK(again.weight_version() == learner.weight_version());
  CHECK(other.published().back() == again.weight_version());
  trainer.step(five_tasks(16));
  resumed.step(five_tasks(16));
  CHECK(guessing::weights(again) == guessing::weights(learner));
}

TEST_CASE("weights from a checkpoint are published although the sampler had their version before",
          "[train]") {
  ScriptedModel summarizer = scripted_summarizer();
  BigramModel saved = guessing::model(), other(toy::vocab);
  RemoteEngine first(toy::vocab), second(toy::vocab);
  const auto make = [&](BigramModel& learner, RemoteEngine& engine) {
    return answerer_trainer(learner, engine, summarizer, kTruncated, {.group_size = 8});
  };
  Checkpoint checkpoint{.step = 1};
  const auto trainer = make(saved, first);
  trainer.save(checkpoint);
  TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint);
  auto resumed = make(other, second);
  REQUIRE(second.log_prob(toy::digit(0), toy::answer) !=
          first.log_prob(toy::digit(0), toy::answer));
  resumed.load(*latest_checkpoint(folder.path(), {}).checkpoint);
  CHECK(second.published() == std::vector<WeightVersion>{0, 0});
  CHECK(second.log_prob(toy::digit(0), toy::answer) == first.log_prob(toy::digit(0), toy::answer));
}

TEST_CASE("a checkpoint without the reference policy changes nothing where one is needed",
          "[train]") {
  const auto make = [](BigramModel& model, auto objective) {
    return Trainer{SharedWeights{model}, guessing::protocol(), ExactMatch{},
                   Recipe{objective},    LocalCollective{},    {.group_size = 8, .seed = 2}};
  };
  BigramModel free = guessing::model(), held = guessing::model();
  auto without = make(free, Objective{GroupCentered{}, ClipLoss{}, GlobalTokenMean{}});
  auto with_reference = make(held, Objective{GroupCentered{}, ClipLoss{}, GlobalTokenMean{},
                                             NoCorrection{}, KlPenalty<K3>{}});
  without.step(five_tasks(16));
  const std::vector<double> before = guessing::weights(held);
  REQUIRE(guessing::weights(free) != before);
  Checkpoint checkpoint{.step = 1};
  without.save(checkpoint);
  TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint);
  const StoredCheckpoint stored = *latest_checkpoint(folder.path(), {}).checkpoint;
  CHECK_THAT(error_of([&] { with_reference.load(stored); }), ContainsSubstring("reference"));
  CHECK(guessing::weights(held) == before);
}

TEST_CASE("pairs that cannot work are refused in a sentence", "[train]") {
  ScriptedModel summarizer = scripted_summarizer();
  BigramModel learner = guessing::model();
  RemoteEngine small(4);
  const auto make = [&](auto& engine, auto view) {
    return error_of([&] {
      Trainer trainer{SeparateWeights{Learning{learner, engine}, Frozen{summarizer}},
                      early_summaries(),
                      ExactMatch{},
                      Recipe{Dapo{}, view},
                      {.group_size = 4}};
      trainer.step(five_tasks(60));
    });
  };
  CHECK_THAT(make(small, AnswererOnly{}),
             ContainsSubstring("the sampler has 4 tokens, the learner 20"));

  Forgetful forgetful{toy::vocab};
  CHECK_THAT(make(forgetful, AnswererOnly{}),
             ContainsSubstring("weights of version 0 were published, but the sampler says that it "
                               "has version 1"));

  RemoteEngine engine(toy::vocab);
  CHECK_THAT(make(engine, SaysOneDoesAnother{}),
             ContainsSubstring("selects tokens of the summarizer, whose model is Frozen"));
}

TEST_CASE("weights that could not be published are published before the next step", "[train]") {
  BigramModel learner = guessing::model();
  Unreachable engine{toy::vocab};
  ScriptedModel summarizer = scripted_summarizer();
  auto trainer = answerer_trainer(learner, engine, summarizer, Dapo{},
                                  {.group_size = 8, .minibatches = 1, .seed = 1});
  CHECK_THAT(error_of([&] { trainer.step(five_tasks(16)); }),
             ContainsSubstring("the engine does not answer") &&
                 ContainsSubstring("Updates of this step that came before it: 1"));
  trainer.step(five_tasks(16));
  CHECK(engine.published() == std::vector<WeightVersion>{0, 1, 2});  // 1 before the next step
}

TEST_CASE("an evaluation plays the learner's newest weights, whoever changed them", "[train]") {
  BigramModel learner = guessing::model();
  RemoteEngine engine(toy::vocab);
  ScriptedModel summarizer = scripted_summarizer();
  auto trainer = answerer_trainer(learner, engine, summarizer, kTruncated, {.group_size = 8});
  learner.weights_changed();  // by a warm start, say
  const std::vector<EvaluationTask> tasks{EvaluationTask(five_tasks(1).front())};
  trainer.evaluate(tasks);
  CHECK(engine.published() == std::vector<WeightVersion>{0, learner.weight_version()});
}
