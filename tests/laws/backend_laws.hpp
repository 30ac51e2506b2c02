#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/model/backend.hpp"
#include "laws/publish_laws.hpp"
#include "laws/sampler_laws.hpp"
#include "support/catch.hpp"

/// What every sampler (sampler_laws.hpp), every learner (here) and every sampler that takes over a
/// learner's weights (publish_laws.hpp) must obey, as checks that run on any of them; see
/// `Sampler`, `Learner` and `TakesWeightsOf`. Each law makes models of its own with `make_model()`,
/// which must return equal models every time. Call them from inside a Catch2 test case:
///
///   TEST_CASE("my model obeys the laws") {
///     dualagent::laws::check_sampler_laws([] { return MyModel{options}; });
///     dualagent::laws::check_learner_laws([] { return MyModel{options}; });
///   }
///   TEST_CASE("my engine takes over my learner's weights") {
///     dualagent::laws::check_publish_laws([] { return MyLearner{options}; },
///                                         [] { return MyEngine{options}; });
///   }
///
/// The model needs at least 4 tokens and room for 64 tokens in its context.
namespace dualagent::laws {

/// Tolerances of the learners' laws; the defaults suit float models.
struct LawTolerances {
  double log_prob = 1e-5;  ///< nats, between sampling and scoring
  double gradient = 2e-2;  ///< relative, of the slope along the gradient
};

/// Sampled contexts as rows in which the sampled tokens are trained with weight 1.
inline PackedBatch rows_of(std::span<const GenerationRequest> requests,
                           const Generations& results) {
  PackedBatch batch;
  batch.temperature = requests.front().sampling.temperature;
  for (const GenerationRequest& request : requests) {
    const Sampled& sampled = results.at(request.sequence).sampled;
    std::vector<Token> row(request.context.begin(), request.context.end());
    row.insert(row.end(), sampled.tokens().begin(), sampled.tokens().end());
    const std::size_t begin = batch.append_row(row) + request.context.size();
    for (std::size_t i = 0; i < sampled.tokens().size(); ++i) {
      batch.loss_weight[begin + i] = 1.0F;
      batch.old_log_prob[begin + i] = sampled.log_probs()[i];
    }
  }
  return batch;
}

/// Rows to learn from: sampled by the model itself, or made up where it only learns.
template <class Model>
PackedBatch rows_for(Model& model, const SomeRequests& requests) {
  if constexpr (Sampler<Model>) {
    return rows_of(requests.all(), generate(model, requests.all()));
  } else {
    PackedBatch batch;
    batch.temperature = requests[0].sampling.temperature;
    for (const GenerationRequest& request : requests.all()) {
      std::vector<Token> row(request.context.begin(), request.context.end());
      for (std::size_t i = 0; i < 5; ++i)
        row.push_back(static_cast<Token>(request.random.below(i, model.vocab_size())));
      const std::size_t begin = batch.append_row(row) + request.context.size();
      for (std::size_t t = begin; t < batch.size(); ++t) batch.loss_weight[t] = 1.0F;
    }
    return batch;
  }
}

inline TokenOutputs outputs_for(const PackedBatch& batch) {
  TokenOutputs outputs;
  outputs.resize(batch.size());
  return outputs;
}

/// Largest |score - sampled log-probability| over the trained tokens.
template <class Model>
double largest_log_ratio(Model& model, const PackedBatch& batch) {
  TokenOutputs outputs = outputs_for(batch);
  model.score(batch, outputs);
  double worst = 0;
  for (std::size_t t = 0; t < batch.size(); ++t)
    if (batch.loss_weight[t] != 0.0F)
      worst = std::max(worst,
                       std::abs(outputs.log_prob[t] - static_cast<double>(batch.old_log_prob[t])));
  return worst;
}

template <class MakeModel>
void check_scoring(const MakeModel& make_model, const LawTolerances& tolerances) {
  auto model = make_model();
  for (const float temperature : {1.0F, 0.6F}) {
    const SomeRequests requests(model.vocab_size(), temperature);
    const PackedBatch batch = rows_of(requests.all(), generate(model, requests.all()));
    INFO("law: score finds the log-probabilities of sampling; temperature " << temperature);
    CHECK(largest_log_ratio(model, batch) <= tolerances.log_prob);
    PackedBatch hotter = batch;
    hotter.temperature = 3.0F;
    CHECK(largest_log_ratio(model, hotter) > tolerances.log_prob);
  }
}

template <class MakeModel>
void check_outputs(const MakeModel& make_model, const LawTolerances& tolerances) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  PackedBatch batch = rows_for(model, requests);
  std::vector<std::atomic<int>> calls(batch.size());
  TokenOutputs scored = outputs_for(batch), trained = outputs_for(batch);
  model.score(batch, scored);
  model.backward(
      batch,
      [&](std::size_t t, const TokenPrediction& now) {
        ++calls[t];
        return TokenLossGradient{3.0 * now.log_prob, 3.0, 0.0};
      },
      trained);
  INFO("law: the loss is called once for each trained token and masked tokens give 0");
  for (std::size_t t = 0; t < batch.size(); ++t) {
    const bool is_trained = batch.loss_weight[t] != 0.0F;
    CHECK(calls[t] == (is_trained ? 1 : 0));
    CHECK(std::abs(trained.log_prob[t] - scored.log_prob[t]) <= tolerances.log_prob);
    CHECK(std::abs(trained.entropy[t] - scored.entropy[t]) <= tolerances.log_prob);
    CHECK(std::abs(trained.value[t] - scored.value[t]) <= tolerances.log_prob);
    CHECK(trained.loss[t] == Approx(3.0 * trained.log_prob[t]));
    if (!is_trained) CHECK((trained.log_prob[t] == 0.0 && trained.entropy[t] == 0.0));
    if (is_trained)
      CHECK((trained.entropy[t] >= 0.0 &&
             trained.entropy[t] <= std::log(static_cast<double>(model.vocab_size())) + 1e-5));
  }
}

template <class Model>
std::vector<double> gradient_of(Model& model, const PackedBatch& batch) {
  TokenOutputs outputs = outputs_for(batch);
  model.zero_gradients();
  model.backward(
      batch,
      [](std::size_t, const TokenPrediction& now) {
        return TokenLossGradient{-now.log_prob - 0.5 * now.entropy + 0.25 * now.value, -1.0, -0.5,
                                 0.25};
      },
      outputs);
  return {model.gradients().begin(), model.gradients().end()};
}

template <class Model>
double loss_of(Model& model, const PackedBatch& batch) {
  TokenOutputs outputs = outputs_for(batch);
  model.score(batch, outputs);
  double sum = 0;
  for (std::size_t t = 0; t < batch.size(); ++t)
    sum += static_cast<double>(batch.loss_weight[t]) *
           (-outputs.log_prob[t] - 0.5 * outputs.entropy[t]);
  return sum;
}

/// The loss along the gradient rises by the gradient's length.
template <class MakeModel>
void check_slope(const MakeModel& make_model, const LawTolerances& tolerances) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size(), 0.8F);
  const PackedBatch batch = rows_for(model, requests);
  const std::vector<double> gradient = gradient_of(model, batch);
  double length = 0;
  for (const double g : gradient) length += g * g;
  length = std::sqrt(length);
  REQUIRE(length > 0);
  using Scalar = typename std::remove_cvref_t<decltype(model.parameters())>::value_type;
  const std::vector<Scalar> at(model.parameters().begin(), model.parameters().end());
  const auto loss_at = [&](double step) {
    for (std::size_t i = 0; i < at.size(); ++i)
      model.parameters()[i] =
          static_cast<Scalar>(static_cast<double>(at[i]) + step * gradient[i] / length);
    model.weights_changed();
    return loss_of(model, batch);
  };
  INFO("law: backward is the derivative of what score computes");
  constexpr double kStep = 1e-2;
  CHECK((loss_at(kStep) - loss_at(-kStep)) / (2 * kStep) ==
        Approx(length).epsilon(tolerances.gradient));
}

template <class MakeModel>
void check_gradient_sums(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  PackedBatch batch = rows_for(model, requests);
  const std::vector<double> once = gradient_of(model, batch);
  double largest = 0;
  for (const double g : once) largest = std::max(largest, std::abs(g));
  INFO("law: gradients are added, scale with loss_weight and vanish without trained tokens");
  for (float& weight : batch.loss_weight) weight *= -2.0F;
  const std::vector<double> scaled = gradient_of(model, batch);
  for (float& weight : batch.loss_weight) weight *= -0.5F;
  TokenOutputs outputs = outputs_for(batch);
  model.backward(
      batch,
      [](std::size_t, const TokenPrediction&) {
        return TokenLossGradient{0.0, 0.0, 0.0};
      },
      outputs);
  std::vector<double> unchanged(model.gradients().begin(), model.gradients().end());
  CHECK(unchanged == scaled);
  for (std::size_t i = 0; i < once.size(); ++i)
    CHECK(std::abs(scaled[i] + 2.0 * once[i]) <= 1e-5 * largest);
  std::fill(batch.loss_weight.begin(), batch.loss_weight.end(), 0.0F);
  CHECK(gradient_of(model, batch) == std::vector<double>(once.size(), 0.0));
}

/// What comes after the last trained token cannot matter.
template <class MakeModel>
void check_causality(const MakeModel& make_model) {
  auto model = make_model();
  const auto gradient_with_end = [&](Token last) {
    PackedBatch batch;
    const std::size_t begin = batch.append_row(std::vector<Token>{1, 2, 0, 2, last, last});
    batch.loss_weight[begin + 3] = 1.0F;
    return gradient_of(model, batch);
  };
  INFO("law: a token's log-probability is conditioned on earlier tokens only");
  CHECK(gradient_with_end(0) == gradient_with_end(3));
}

template <class MakeModel>
void check_weight_versions(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  const WeightVersion before = model.weight_version();
  generate(model, requests.all());
  for (auto& parameter : model.parameters()) parameter *= 1.5F;
  model.weights_changed();
  INFO("law: weights_changed begins the next version, which is sampled from at once");
  CHECK(model.weight_version() == before + 1);
  auto fresh = make_model();
  for (auto& parameter : fresh.parameters()) parameter *= 1.5F;
  fresh.weights_changed();
  const Generations results = generate(model, requests.all());
  const Generations expected = generate(fresh, requests.all());
  for (const auto& [sequence, result] : results) {
    CHECK(version_runs(result.sampled.weight_versions()).front().version == before + 1);
    CHECK(same(result, expected.at(sequence)));
  }
}

/// Weights that are NaN for a while.
template <class MakeModel>
void check_recovery_from_bad_weights(const MakeModel& make_model) {
  auto model = make_model();
  using Scalar = typename std::remove_cvref_t<decltype(model.parameters())>::value_type;
  const SomeRequests requests(model.vocab_size());
  const std::vector<Scalar> good(model.parameters().begin(), model.parameters().end());
  std::fill(model.parameters().begin(), model.parameters().end(),
            std::numeric_limits<Scalar>::quiet_NaN());
  model.weights_changed();
  CHECK_THROWS_AS(generate(model, requests.all()), Error);
  model.reset();
  std::copy(good.begin(), good.end(), model.parameters().begin());
  model.weights_changed();
  std::size_t left = 0;
  INFO("law: bad weights are an error that leaves nothing behind once they are good again");
  CHECK(model.advance([&](Generation&&) { ++left; }) == 0);
  CHECK(left == 0);
  auto fresh = make_model();
  CHECK(std::ranges::equal(generate(model, requests[0]).sampled.tokens(),
                           generate(fresh, requests[0]).sampled.tokens()));
}

template <class MakeModel>
void check_tensors(const MakeModel& make_model) {
  auto model = make_model();
  std::size_t offset = 0;
  INFO("law: the tensors cover the parameters without gaps");
  for (const TensorInfo& tensor : model.tensors()) {
    CHECK(tensor.offset == offset);
    std::size_t size = 1;
    for (const std::size_t extent : tensor.shape) size *= extent;
    CHECK(tensor.size == size);
    offset += tensor.size;
  }
  CHECK(model.parameters().size() == offset);
  CHECK(model.gradients().size() == offset);
}

/// The laws of `Learner`, and what binds it to what it samples where it is a `Sampler` too; the
/// other laws of `Sampler` are not included.
template <class MakeModel>
void check_learner_laws(const MakeModel& make_model, const LawTolerances& tolerances = {}) {
  using Model = std::remove_cvref_t<decltype(make_model())>;
  static_assert(Learner<Model>);
  check_tensors(make_model);
  check_outputs(make_model, tolerances);
  check_slope(make_model, tolerances);
  check_gradient_sums(make_model);
  check_causality(make_model);
  if constexpr (Sampler<Model>) {
    check_scoring(make_model, tolerances);
    check_weight_versions(make_model);
    check_recovery_from_bad_weights(make_model);
  }
}

}  // namespace dualagent::laws
