#include "dualagent/train/recipe.hpp"

#include <cmath>
#include <concepts>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using guessing::five_tasks;
using guessing::protocol;

namespace {

constexpr TrainerOptions kOptions{.group_size = 4, .minibatches = 2, .epochs = 2, .seed = 8};
constexpr auto kCritic = BigramModel::Critic::per_token;

template <class R>
BigramModel model_for(const R&) {
  return guessing::model(needs_critic<decltype(R::objective)>() ? kCritic
                                                                : BigramModel::Critic::none);
}

/// Losses whose means over trained tokens are mean and variance of the advantages.
struct Mean {
  template <class S>
  S operator()(const TokenTerms<S>& t) const {
    return t.advantage;
  }
};
struct Square {
  template <class S>
  S operator()(const TokenTerms<S>& t) const {
    return t.advantage * t.advantage;
  }
};

/// The importance weights themselves, as the loss.
struct One {
  template <class S>
  S operator()(const TokenTerms<S>&) const {
    return S(1);
  }
};
struct ByAdvantage {
  double weight(const CorrectionTerms& t) const { return t.advantage > 0 ? 0.3 : 0.1; }
};

/// Weights after three steps on this many ranks; all ranks end with equal bits.
template <class R>
std::vector<double> train(std::size_t ranks, const R& recipe, const TrainerOptions& options) {
  std::vector<BigramModel> models(ranks, model_for(recipe));
  run_ranks(ranks, [&](ThreadCollective collective) {
    Trainer trainer{SharedWeights{models[collective.rank()]},
                    protocol(),
                    ExactMatch{},
                    recipe,
                    collective,
                    options};
    const std::vector<Task> tasks = five_tasks(24);
    for (int step = 0; step < 3; ++step)
      trainer.step(std::span(tasks).first(20), 1.0, std::span(tasks).subspan(20));
  });
  for (BigramModel& model : models) CHECK(guessing::weights(model) == guessing::weights(models[0]));
  return guessing::weights(models[0]);
}

template <class R>
void check_ranks(const char* name, const R& recipe, const TrainerOptions& options = kOptions) {
  INFO(name);
  const std::vector<double> alone = train(1, recipe, options);
  BigramModel untrained = model_for(recipe);
  CHECK(alone != guessing::weights(untrained));
  for (std::size_t ranks = 2; ranks <= 4; ++ranks) {
    const std::vector<double> together = train(ranks, recipe, options);
    CHECK(together == train(ranks, recipe, options));
    for (std::size_t i = 0; i < alone.size(); ++i)
      CHECK(together[i] == Approx(alone[i]).margin(1e-6));
  }
}

/// The gradient's norm of the only update of one step.
template <class R>
StepMetrics one_step(const R& recipe, BigramModel& model) {
  Trainer trainer{SharedWeights{model}, protocol(),
                  ExactMatch{},         recipe,
                  LocalCollective{},    {.group_size = 8, .minibatches = 1, .seed = 2}};
  const StepMetrics metrics = trainer.step(five_tasks(250));
  REQUIRE(metrics.trained_tokens > 0);
  return metrics;
}
template <class R>
StepMetrics one_step(const R& recipe) {
  BigramModel model = guessing::model();
  return one_step(recipe, model);
}

}  // namespace

TEST_CASE("every named recipe takes the same steps on 1, 2, 3 and 4 ranks",
          "[train][collective][laws]") {
  check_ranks("Grpo", Recipe{Grpo{}});
  check_ranks("DrGrpo", Recipe{DrGrpo{16}});
  check_ranks("Dapo", Recipe{Dapo{}});
  check_ranks("Gspo", Recipe{Gspo{}});
  check_ranks("Cispo", Recipe{Cispo{}});
  check_ranks("Rloo", Recipe{Rloo{}});
  check_ranks("ReinforcePlusPlus", Recipe{ReinforcePlusPlus{}});
  check_ranks("ReinforcePlusPlusBaseline", Recipe{ReinforcePlusPlusBaseline{}});
  check_ranks("Ppo", Recipe{Ppo{}});
  check_ranks("CompactionPpo", CompactionPpo{});
  check_ranks("Supo", Supo{});
  check_ranks("MemAgent", MemAgent{});
  check_ranks("ResumGrpo", ResumGrpo{});
  check_ranks("ReferenceSystem", ReferenceSystem{});
  check_ranks("PerAgentMeans", Recipe{Dapo{}, PerAgentMeans<>{.summarizer_weight = 0.5}});
  check_ranks("corrected", Recipe{Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{},
                                            TruncatedIs{} * OffPolicyMask{}}});
  check_ranks("normalized", Recipe{Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{},
                                             BatchNormalized<MaskedIs>{}}});
  TrainerOptions forked = kOptions;
  forked.summary_forks = {.continuations = 3, .histories_per_group = 2};
  check_ranks("forked", Recipe{Dapo{}}, forked);
  check_ranks("forked, whitened", Recipe{ReinforcePlusPlusBaseline{}}, forked);
}

TEST_CASE("a critic learns what to expect", "[train][one_thread]") {
  // This critic sees the last token only: what it says after a token is the mean reward of all that
  // went on from there.
  BigramModel model = guessing::model(kCritic);
  model.parameters()[toy::answer * toy::vocab + static_cast<std::size_t>(toy::digit(5))] += 2.5;
  const Objective watching{Whitened<Gae>{}, One{}, GlobalTokenMean{}, NoCorrection{},
                           ValueLoss{.coefficient = 1.0}};  // the policy stays
  Trainer trainer{SharedWeights{model},
                  protocol(),
                  ExactMatch{},
                  Recipe{watching},
                  LocalCollective{},
                  {.group_size = 1,
                   .minibatches = 4,
                   .epochs = 4,
                   .update = {.optimizer = {.learning_rate = 0.02F}, .max_gradient_norm = 1e9},
                   .seed = 5}};
  const std::vector<Task> tasks = five_tasks(1000);
  for (int step = 0; step < 15; ++step) trainer.step(tasks);

  std::vector<double> reward(toy::vocab, 0.0), times(toy::vocab, 0.0);
  for (const Rollout& rollout : trainer.rollouts())
    for (const Segment& segment : rollout.segments)
      for (const Span& span : segment.context.spans())
        for (std::size_t t = span.begin; span.is_sampled() && t < span.end(); ++t) {
          const auto before = static_cast<std::size_t>(segment.context.tokens()[t - 1]);
          reward[before] += rollout.reward;
          times[before] += 1;
        }
  std::size_t compared = 0;
  for (std::size_t token = 0; token < toy::vocab; ++token) {
    if (times[token] < 100) continue;
    INFO("token " << token);
    CHECK(model.parameters()[toy::vocab * toy::vocab + token] ==
          Approx(reward[token] / times[token]).margin(0.06));
    ++compared;
  }
  CHECK(compared >= 5);
  // Near its end a rollout that says 5 is all but won, one that calls a tool is open.
  const auto expected = [&](Token token) {
    return reward[static_cast<std::size_t>(token)] / times[static_cast<std::size_t>(token)];
  };
  CHECK(expected(toy::answer) > expected(toy::call) + 0.2);
}

TEST_CASE("an objective with a critic refuses a model without one", "[train]") {
  BigramModel model = guessing::model();
  CHECK_THROWS_WITH((Trainer{SharedWeights{model}, protocol(), ExactMatch{}, CompactionPpo{}}),
                    ContainsSubstring("no value head") && ContainsSubstring("with_value_head"));
}

TEST_CASE("a recipe brings its group size; options may say another", "[train]") {
  BigramModel model = guessing::model();
  CHECK(Trainer{SharedWeights{model}, protocol(), ExactMatch{}, MemAgent{}}.group_size() == 16);
  CHECK(Trainer{SharedWeights{model}, protocol(), ExactMatch{}, Recipe{Dapo{}}}.group_size() == 8);
  CHECK(Trainer{SharedWeights{model},
                protocol(),
                ExactMatch{},
                MemAgent{},
                LocalCollective{},
                {.group_size = 4}}
            .group_size() == 4);
}

TEST_CASE("named recipes have the parts and constants of their sources", "[train]") {
  STATIC_REQUIRE(std::same_as<decltype(Supo::objective), Dapo>);
  STATIC_REQUIRE(std::same_as<decltype(Supo::view), FinishedOnly<AllSegments>>);
  STATIC_REQUIRE(Supo::group_size == 8);

  STATIC_REQUIRE(std::same_as<
                 decltype(MemAgent::objective),
                 Objective<GroupCentered, ClipLoss, GlobalTokenMean, NoCorrection, KlPenalty<K3>>>);
  STATIC_REQUIRE(std::same_as<decltype(MemAgent::view), AllSegments>);
  STATIC_REQUIRE(MemAgent::group_size == 16);
  CHECK(MemAgent{}.objective.loss.clip_low == 0.2);
  CHECK(MemAgent{}.objective.loss.clip_high == 0.2);
  CHECK(MemAgent{}.objective.regularizer.coefficient == 0.001);

  STATIC_REQUIRE(std::same_as<decltype(ResumGrpo::objective), Grpo>);
  STATIC_REQUIRE(std::same_as<decltype(ResumGrpo::view), AnswererOnly>);
  STATIC_REQUIRE(ResumGrpo::group_size == 8);

  STATIC_REQUIRE(std::same_as<decltype(CompactionPpo::objective),
                              Objective<Whitened<CrossSegmentGae>, ClipLoss, GlobalTokenMean,
                                        NoCorrection, ValueLoss>>);
  STATIC_REQUIRE(std::same_as<decltype(CompactionPpo::view), AllSegments>);
  STATIC_REQUIRE(CompactionPpo::group_size == 1);
  CHECK(CompactionPpo{}.objective.advantage.estimator.length_scale == 1.5);
  CHECK(CompactionPpo{}.objective.advantage.estimator.gamma == 1.0);

  STATIC_REQUIRE(std::same_as<decltype(ReferenceSystem::objective),
                              Objective<GroupNormalized, ClipLoss, RolloutMean>>);
  STATIC_REQUIRE(std::same_as<decltype(ReferenceSystem::view), FinalSegment>);
  STATIC_REQUIRE(ReferenceSystem::group_size == 8);
  CHECK(ReferenceSystem{}.objective.loss.clip_low == 0.2);
  CHECK(ReferenceSystem{}.objective.loss.clip_high == 0.28);
}

TEST_CASE("weights that are normalised over a minibatch average 1", "[train][one_thread]") {
  const auto loss = [](auto correction) {
    return one_step(Recipe{Objective{GroupNormalized{}, One{}, GlobalTokenMean{}, correction}})
        .loss;
  };
  CHECK(loss(BatchNormalized<ByAdvantage>{}) == Approx(1.0));
  CHECK(loss(ByAdvantage{}) < 0.31);
}

TEST_CASE("each agent trains at the temperature it samples at", "[train]") {
  BigramModel model = guessing::model();
  Trainer trainer{
      SharedWeights{model},
      protocol(),
      ExactMatch{},
      Recipe{Dapo{}},
      LocalCollective{},
      {.sampling = {.answerer = {.temperature = 1.0F}, .summarizer = {.temperature = 0.6F}},
       .seed = 4}};
  const StepMetrics metrics = trainer.step(five_tasks(200));
  REQUIRE(metrics.summaries > 0);
  REQUIRE(metrics.trained_tokens > 0);
  CHECK(metrics.max_abs_log_ratio == 0.0);
  CHECK_THROWS_WITH((Trainer{SharedWeights{model},
                             protocol(),
                             ExactMatch{},
                             Recipe{Dapo{}},
                             LocalCollective{},
                             {.sampling = {.summarizer = {.temperature = 0.0F}}}}),
                    ContainsSubstring("a temperature is 0"));
}

TEST_CASE("forks are counted apart from the task's rollouts", "[train]") {
  BigramModel model = guessing::model();
  Trainer trainer{
      SharedWeights{model}, protocol(),
      ExactMatch{},         Recipe{Dapo{}},
      LocalCollective{},    {.group_size = 4, .summary_forks = {.continuations = 4}, .seed = 4}};
  const StepMetrics metrics = trainer.step(five_tasks(50));
  CHECK(metrics.rollouts == 200);
  CHECK(trainer.rollouts().size() == 200);
  CHECK(metrics.forks == static_cast<double>(trainer.forks().size()));
  REQUIRE(metrics.forks > 0);
  double reward = 0;
  for (const Rollout& fork : trainer.forks()) {
    CHECK(fork.fork.has_value());
    CHECK(fork.member >= 4);
    reward += fork.reward;
  }
  CHECK(metrics.fork_reward_mean == Approx(reward / metrics.forks));
}

TEST_CASE("whitened advantages have mean 0 and variance 1 over trained tokens",
          "[train][one_thread]") {
  using Estimator = Whitened<RawReward>;
  const auto mean = one_step(Recipe{Objective{Estimator{}, Mean{}, GlobalTokenMean{}}});
  const auto square = one_step(Recipe{Objective{Estimator{}, Square{}, GlobalTokenMean{}}});
  CHECK(std::abs(mean.loss) < 1e-6);
  CHECK(square.loss == Approx(1.0 - 1.0 / square.trained_tokens).epsilon(1e-5));
}

TEST_CASE("a KL penalty pulls towards the model that the trainer began with",
          "[train][one_thread]") {
  using Penalised =
      Objective<GroupNormalized, ClipLoss, GlobalTokenMean, NoCorrection, KlPenalty<K2>>;
  const auto distance = [](double coefficient) {
    BigramModel model = guessing::model();
    Penalised objective;
    objective.regularizer.coefficient = coefficient;
    Trainer trainer{SharedWeights{model}, protocol(),        ExactMatch{},
                    Recipe{objective},    LocalCollective{}, {.group_size = 8, .seed = 3}};
    trainer.step(five_tasks(50), 100.0);
    BigramModel start = guessing::model();
    const auto far = [&] {
      double sum = 0;
      for (std::size_t i = 0; i < start.parameters().size(); ++i)
        sum += std::abs(model.parameters()[i] - start.parameters()[i]);
      return sum;
    };
    const double before = far();
    for (int step = 0; step < 10; ++step) trainer.step(five_tasks(50), 20.0);
    return far() - before;
  };
  CHECK(distance(50.0) < distance(0.0));
}

TEST_CASE("the reference policy survives a checkpoint", "[train]") {
  BigramModel model = guessing::model();
  Trainer straight{SharedWeights{model}, protocol(),        ExactMatch{},
                   MemAgent{},           LocalCollective{}, kOptions};
  TemporaryFolder folder;
  for (int step = 0; step < 4; ++step) {
    straight.step(five_tasks(20), 50.0);
    if (step != 1) continue;
    Checkpoint checkpoint{.step = 2};
    straight.save(checkpoint);
    write_checkpoint(folder.path(), checkpoint);
  }
  BigramModel again(toy::vocab);
  Trainer resumed{SharedWeights{again}, protocol(),        ExactMatch{},
                  MemAgent{},           LocalCollective{}, kOptions};
  resumed.load(*latest_checkpoint(folder.path(), {}).checkpoint);
  for (int step = 2; step < 4; ++step) resumed.step(five_tasks(20), 50.0);
  CHECK(guessing::weights(again) == guessing::weights(model));
}

TEST_CASE("in one process importance corrections change nothing", "[train][one_thread]") {
  // pi_old computed anew has the sampler's bits, up to the float that a span stores.
  BigramModel bypass = guessing::model();
  BigramModel corrected = guessing::model();
  one_step(Recipe{Dapo{}}, bypass);
  one_step(Recipe{Objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{}, MaskedIs{}}},
           corrected);
  const std::vector<double> expected = guessing::weights(bypass);
  const std::vector<double> found = guessing::weights(corrected);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(found[i] == Approx(expected[i]).margin(1e-5));
}

TEST_CASE("unfinished rollouts lose their gradient but not their place", "[train][one_thread]") {
  const auto all = one_step(Recipe{Dapo{}});
  const auto finished = one_step(Supo{});
  REQUIRE(all.truncated > 0);
  CHECK(finished.truncated == all.truncated);
  CHECK(finished.reward_mean == all.reward_mean);
  CHECK(finished.trained_tokens < all.trained_tokens);
}

TEST_CASE("agents that are aggregated apart have loss weights of their own",
          "[train][one_thread]") {
  const auto gradient = [](double answerer, double summarizer) {
    BigramModel model = guessing::model();
    const auto objective = Objective{GroupNormalized{}, CrossEntropy{}, GlobalTokenMean{}};
    const PerAgentMeans<> view{.answerer_weight = answerer, .summarizer_weight = summarizer};
    return one_step(Recipe{objective, view}, model).gradient_norm;
  };
  const double both = gradient(1.0, 1.0);
  CHECK(gradient(2.0, 2.0) == Approx(2 * both).epsilon(1e-5));
  const auto alone = [](auto view) {
    return one_step(Recipe{Objective{GroupNormalized{}, CrossEntropy{}, GlobalTokenMean{}}, view})
        .gradient_norm;
  };
  CHECK(gradient(1.0, 0.0) == Approx(alone(AnswererOnly{})).epsilon(1e-5));
  CHECK(gradient(0.0, 1.0) == Approx(alone(SummarizerOnly{})).epsilon(1e-5));
}

TEST_CASE("a group of one is refused where rollouts are compared", "[train]") {
  BigramModel model = guessing::model();
  CHECK_THROWS_WITH((Trainer{SharedWeights{model},
                             protocol(),
                             ExactMatch{},
                             Recipe{Dapo{}},
                             LocalCollective{},
                             {.group_size = 1}}),
                    ContainsSubstring("group_size is 1"));
  CHECK_NOTHROW((Trainer{SharedWeights{model},
                         protocol(),
                         ExactMatch{},
                         Recipe{ReinforcePlusPlus{}},
                         LocalCollective{},
                         {.group_size = 1}}));
}
