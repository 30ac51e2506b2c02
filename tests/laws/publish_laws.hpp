#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "laws/sampler_laws.hpp"

/// What a sampler must obey that takes over a learner's weights; see backend_laws.hpp.
namespace dualagent::laws {

/// What was sampled before changes nothing of what is sampled from published weights.
template <class MakeLearner, class MakeSampler>
void check_published_weights(const MakeLearner& make_learner, const MakeSampler& make_sampler) {
  auto learner = make_learner();
  auto sampler = make_sampler();
  const SomeRequests requests(sampler.vocab_size());
  sampler.publish(learner, 3);
  generate(sampler, requests.all());
  for (auto& parameter : learner.parameters()) parameter *= 1.5F;
  learner.weights_changed();
  INFO("law: publish returns the version that is sampled from, the one that it was given");
  CHECK(sampler.publish(learner, 7) == 7);
  CHECK(sampler.weight_version() == 7);
  const Generations results = generate(sampler, requests.all());
  auto fresh = make_sampler();
  fresh.publish(learner, 7);
  const Generations expected = generate(fresh, requests.all());
  for (auto& parameter : learner.parameters()) parameter *= -2.0F;
  learner.weights_changed();
  const Generations later = generate(sampler, requests.all());
  for (const auto& [sequence, result] : results) {
    INFO("law: tokens are drawn from the weights as they were published, and carry their version");
    CHECK(version_runs(result.sampled.weight_versions()) ==
          std::vector<VersionRun>{{7, result.sampled.tokens().size()}});
    CHECK(same(result, expected.at(sequence)));
    CHECK(same(result, later.at(sequence)));
  }
}

/// A generation that runs while weights are published.
template <class MakeLearner, class MakeSampler>
void check_publish_during_a_generation(const MakeLearner& make_learner,
                                       const MakeSampler& make_sampler) {
  auto learner = make_learner();
  auto sampler = make_sampler();
  const SomeRequests requests(sampler.vocab_size());
  sampler.publish(learner, 4);
  Generations results;
  const auto keep = [&](Generation&& done) {
    const SequenceId sequence = done.sequence;
    results.emplace(sequence, std::move(done));
  };
  for (const GenerationRequest& request : requests.all()) sampler.submit(request);
  for (int i = 0; i < 3; ++i) sampler.advance(keep);
  for (auto& parameter : learner.parameters()) parameter *= 1.5F;
  learner.weights_changed();
  CHECK(sampler.publish(learner, 5) == 5);
  while (sampler.advance(keep) > 0) {
  }
  INFO("law: running generations go on, their tokens' versions never fall");
  CHECK(results.size() == requests.all().size());
  for (const auto& [sequence, result] : results) {
    const auto versions = result.sampled.weight_versions();
    CHECK(std::ranges::is_sorted(versions));
    CHECK(versions.front() >= 4);
    CHECK(versions.back() <= 5);
  }
}

/// The laws of `TakesWeightsOf`: a sampler and a learner that are two objects.
template <class MakeLearner, class MakeSampler>
void check_publish_laws(const MakeLearner& make_learner, const MakeSampler& make_sampler) {
  using LearnerModel = std::remove_cvref_t<decltype(make_learner())>;
  using Engine = std::remove_cvref_t<decltype(make_sampler())>;
  static_assert(Learner<LearnerModel> && Sampler<Engine> && TakesWeightsOf<Engine, LearnerModel>);
  check_published_weights(make_learner, make_sampler);
  check_publish_during_a_generation(make_learner, make_sampler);
}

}  // namespace dualagent::laws
