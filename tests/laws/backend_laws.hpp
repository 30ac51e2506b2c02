// Above 400 lines: all laws of a model stand here, and share how requests are made and run.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/trace/packed_batch.hpp"
#include "support/catch.hpp"

/// What every sampler and every learner must obey, as checks that run on any of them; see
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

using Generations = std::map<SequenceId, Generation>;

/// Runs all requests together to their ends. Throws `std::logic_error` if one of them finishes
/// twice or never; contains no assertion of Catch2, so ranks that are threads may call it side by
/// side.
template <class Model>
Generations generate(Model& model, std::span<const GenerationRequest> requests) {
  Generations results;
  for (const GenerationRequest& request : requests) model.submit(request);
  std::size_t running = requests.size();
  while (running > 0)
    running = model.advance([&](Generation&& done) {
      const SequenceId sequence = done.sequence;
      if (!results.emplace(sequence, std::move(done)).second)
        throw std::logic_error("sequence " + std::to_string(sequence) + " finished twice");
    });
  for (const GenerationRequest& request : requests)
    if (!results.contains(request.sequence))
      throw std::logic_error("sequence " + std::to_string(request.sequence) + " never finished");
  return results;
}
template <class Model>
Generation generate(Model& model, const GenerationRequest& request) {
  return std::move(generate(model, std::span(&request, 1)).at(request.sequence));
}

inline bool same(const Generation& a, const Generation& b) {
  return std::ranges::equal(a.sampled.tokens(), b.sampled.tokens()) &&
         std::ranges::equal(a.sampled.log_probs(), b.sampled.log_probs()) &&
         std::ranges::equal(a.sampled.drawn_log_probs(), b.sampled.drawn_log_probs()) &&
         a.finish == b.finish;
}
inline bool same(const Generations& a, const Generations& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && same(x.second, y.second);
  });
}

/// A handful of ragged requests, some with a common beginning; owns what they point to.
class SomeRequests {
 public:
  explicit SomeRequests(std::size_t vocab, const SamplingOptions& sampling = {}) {
    stop_.stop_tokens = {static_cast<Token>(vocab - 1)};
    stop_.max_new_tokens = 12;
    const RandomStream random = RandomStream::from_seed(11);
    for (std::size_t i = 0; i < 9; ++i) {
      std::vector<Token> context{1, 0, 2, 1, 1, 2};  // shared by all
      for (std::size_t j = 0; j < (i * 5) % 8; ++j)
        context.push_back(static_cast<Token>(random.child(i).below(j, vocab - 1)));
      contexts_.push_back(std::move(context));
    }
    for (std::size_t i = 0; i < contexts_.size(); ++i)
      requests_.push_back({.sequence = 100 + i,
                           .context = contexts_[i],
                           .agent = i % 2 == 0 ? AgentRole::answerer : AgentRole::summarizer,
                           .sampling = sampling,
                           .stop = &stop_,
                           .random = random.child(1000 + i)});
  }
  SomeRequests(const SomeRequests&) = delete;
  SomeRequests& operator=(const SomeRequests&) = delete;

  std::span<const GenerationRequest> all() const { return requests_; }
  const StopRule& stop() const { return stop_; }
  const GenerationRequest& operator[](std::size_t i) const { return requests_[i]; }

 private:
  StopRule stop_;
  std::vector<std::vector<Token>> contexts_;
  std::vector<GenerationRequest> requests_;
};

/// Ways of drawing that leave tokens out, and some that do not.
inline const std::vector<SamplingOptions>& ways_of_drawing() {
  static const std::vector<SamplingOptions> ways{
      {}, {.temperature = 0.6F}, {.temperature = 0.8F, .top_k = 9, .top_p = 0.9F, .min_p = 0.02F}};
  return ways;
}

template <class MakeModel>
void check_determinism(const MakeModel& make_model) {
  auto model = make_model();
  std::vector<SamplingOptions> ways = ways_of_drawing();
  ways.push_back({.temperature = 0.0F});
  for (const SamplingOptions& sampling : ways) {
    const SomeRequests requests(model.vocab_size(), sampling);
    const Generations together = generate(model, requests.all());
    model.reset();
    std::vector<GenerationRequest> reversed(requests.all().rbegin(), requests.all().rend());
    const Generations backwards = generate(model, reversed);
    for (const GenerationRequest& request : requests.all()) {
      INFO("law: a result does not depend on neighbours, order or the past; sequence "
           << request.sequence << ", temperature " << sampling.temperature);
      auto fresh = make_model();
      const Generation alone = generate(fresh, request);
      CHECK(same(alone, together.at(request.sequence)));
      CHECK(same(alone, backwards.at(request.sequence)));
      fresh.release(request.sequence);
      CHECK(same(alone, generate(fresh, request)));
      CHECK(same(alone, generate(fresh, request)));  // with whatever was kept
    }
    model.reset();
  }
}

/// Submits one request at every step, so that all are at different places when they meet.
template <class MakeModel>
void check_late_arrivals(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  const Generations together = generate(model, requests.all());
  model.reset();
  Generations results;
  const auto keep = [&](Generation&& done) { results.emplace(done.sequence, std::move(done)); };
  for (const GenerationRequest& request : requests.all()) {
    model.submit(request);
    model.advance(keep);
  }
  while (model.advance(keep) > 0) {
  }
  for (const GenerationRequest& request : requests.all()) {
    INFO("law: a result does not depend on when others arrive; sequence " << request.sequence);
    REQUIRE(results.count(request.sequence) == 1);
    CHECK(same(results.at(request.sequence), together.at(request.sequence)));
  }
}

template <class MakeModel>
void check_greedy(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size(), {.temperature = 0.0F});
  GenerationRequest request = requests[3];
  const Generation first = generate(model, request);
  request.random = request.random.child(77);
  INFO("law: temperature 0 does not look at random numbers");
  CHECK(same(first, generate(model, request)));
}

template <class MakeModel>
void check_results(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  const auto is_stop = [&](Token token) { return token == requests.stop().stop_tokens[0]; };
  const Generations results = generate(model, requests.all());
  for (const GenerationRequest& request : requests.all()) {
    const Generation& result = results.at(request.sequence);
    const auto tokens = result.sampled.tokens();
    INFO("sequence " << request.sequence);
    REQUIRE(!tokens.empty());
    CHECK(result.sampled.log_probs().size() == tokens.size());
    CHECK(result.sampled.agent() == request.agent);
    INFO("law: every token carries the version of the weights that it was drawn from");
    CHECK(version_runs(result.sampled.weight_versions()) ==
          std::vector<VersionRun>{{model.weight_version(), tokens.size()}});
    INFO("law: a stop token ends the generation and is its last token");
    CHECK(std::none_of(tokens.begin(), tokens.end() - 1, is_stop));
    CHECK((result.finish == FinishReason::stop) == is_stop(tokens.back()));
    INFO("law: max_new_tokens is kept");
    CHECK(tokens.size() <= requests.stop().max_new_tokens);
    if (!is_stop(tokens.back())) {
      CHECK(result.finish == FinishReason::length);
      CHECK(tokens.size() == requests.stop().max_new_tokens);
    }
    INFO("law: tokens are in the vocabulary, log-probabilities are finite and not positive");
    for (const Token token : tokens)
      CHECK((token >= 0 && static_cast<std::size_t>(token) < model.vocab_size()));
    for (const float log_prob : result.sampled.log_probs())
      CHECK((std::isfinite(log_prob) && log_prob <= 1e-3F));
  }
}

template <class MakeModel>
void check_stop_rules(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  GenerationRequest request = requests[2];
  const StopRule unlimited{.stop_tokens = {}, .max_new_tokens = 9, .stop_early = {}};
  request.stop = &unlimited;
  const Generation whole = generate(model, request);
  REQUIRE(whole.sampled.tokens().size() == 9);
  const auto check_prefix = [&](const StopRule& rule, std::size_t size, FinishReason finish) {
    request.stop = &rule;
    const Generation part = generate(model, request);
    CHECK(part.finish == finish);
    CHECK(std::ranges::equal(part.sampled.tokens(), whole.sampled.tokens().first(size)));
    CHECK(std::ranges::equal(part.sampled.log_probs(), whole.sampled.log_probs().first(size)));
  };
  INFO("law: a stop rule cuts a generation and changes nothing before the cut");
  check_prefix({.stop_tokens = {}, .max_new_tokens = 1, .stop_early = {}}, 1, FinishReason::length);
  check_prefix({.stop_tokens = {},
                .max_new_tokens = 9,
                .stop_early = [](std::span<const Token> said) { return said.size() == 4; }},
               4, FinishReason::early);
  const Token wanted = whole.sampled.tokens()[5];
  const auto first = std::ranges::find(whole.sampled.tokens(), wanted);
  check_prefix({.stop_tokens = {wanted}, .max_new_tokens = 9, .stop_early = {}},
               static_cast<std::size_t>(first - whole.sampled.tokens().begin()) + 1,
               FinishReason::stop);
}

/// A context that grows by what was sampled and by given tokens, against a fresh model each time.
template <class MakeModel>
void check_growing_context(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  GenerationRequest request = requests[1];
  std::vector<Token> context(request.context.begin(), request.context.end());
  for (std::uint64_t turn = 0; turn < 3; ++turn) {
    request.context = context;
    request.random = RandomStream::from_seed(turn);
    const Generation grown = generate(model, request);
    auto fresh = make_model();
    INFO("law: what a sequence keeps does not change its results; turn " << turn);
    CHECK(same(grown, generate(fresh, request)));
    context.insert(context.end(), grown.sampled.tokens().begin(), grown.sampled.tokens().end());
    context.insert(context.end(), {2, 1, static_cast<Token>(turn)});
  }
  context.resize(request.context.size() - 2);  // a rewritten context is not a continuation
  context.front() = 2;
  request.context = context;
  auto fresh = make_model();
  CHECK(same(generate(model, request), generate(fresh, request)));
}

template <class MakeModel>
void check_reset(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  const StopRule several{.stop_tokens = {}, .max_new_tokens = 5, .stop_early = {}};
  std::size_t finished = 0;
  for (GenerationRequest request : requests.all()) {
    request.stop = &several;
    model.submit(request);
  }
  CHECK(model.advance([&](Generation&&) { ++finished; }) == requests.all().size());
  model.reset();
  INFO("law: reset abandons what is running, and unknown sequences may be released");
  CHECK(model.advance([&](Generation&&) { ++finished; }) == 0);
  CHECK(finished == 0);
  model.release(123456);
  auto fresh = make_model();
  CHECK(same(generate(model, requests[0]), generate(fresh, requests[0])));
}

/// Runs the requests until advance throws, resets, and checks that nothing of them is left.
template <class Model>
void check_nothing_left(Model& model, std::span<const GenerationRequest> requests,
                        const Generations& expected, bool receiver_throws) {
  bool thrown = false;
  try {
    for (const GenerationRequest& request : requests) model.submit(request);
    while (model.advance([&](Generation&&) {
      if (receiver_throws) throw Error("the receiver failed", "check_nothing_left");
    }) > 0) {
    }
  } catch (const Error&) {
    thrown = true;
  }
  INFO("law: after an exception reset leaves nothing of what was submitted before");
  CHECK(thrown);
  model.reset();
  std::size_t left = 0;
  CHECK(model.advance([&](Generation&&) { ++left; }) == 0);
  CHECK(left == 0);
  const SomeRequests again(model.vocab_size());
  const Generations results = generate(model, again.all());
  for (const auto& [sequence, result] : results) CHECK(same(result, expected.at(sequence)));
}

template <class MakeModel>
void check_reset_after_errors(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  auto fresh = make_model();
  const Generations expected = generate(fresh, requests.all());
  // All end in one advance; the first hand-over throws while the others wait for theirs.
  const StopRule one{.stop_tokens = {}, .max_new_tokens = 1, .stop_early = {}};
  const StopRule failing{.stop_tokens = {},
                         .max_new_tokens = 9,
                         .stop_early = [](std::span<const Token> said) -> bool {
                           if (said.size() < 3) return false;
                           throw Error("the stop rule failed", "check_reset_after_errors");
                         }};
  for (const bool receiver_throws : {true, false}) {
    std::vector<GenerationRequest> all(requests.all().begin(), requests.all().end());
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i].stop = receiver_throws ? &one : i == 4 ? &failing : &requests.stop();
    check_nothing_left(model, all, expected, receiver_throws);
  }
}

/// The laws of `Sampler`.
template <class MakeModel>
void check_sampler_laws(const MakeModel& make_model) {
  static_assert(Sampler<std::remove_cvref_t<decltype(make_model())>>);
  auto model = make_model();
  REQUIRE(model.vocab_size() >= 4);
  REQUIRE(model.max_context_tokens() >= 64);
  check_determinism(make_model);
  check_late_arrivals(make_model);
  check_greedy(make_model);
  check_results(make_model);
  check_stop_rules(make_model);
  check_growing_context(make_model);
  check_reset(make_model);
  check_reset_after_errors(make_model);
}

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
  for (const SamplingOptions& sampling : ways_of_drawing()) {
    const SomeRequests requests(model.vocab_size(), sampling);
    const Generations results = generate(model, requests.all());
    const PackedBatch batch = rows_of(requests.all(), results);
    INFO("law: score finds the log-probabilities of sampling, whatever was left out; temperature "
         << sampling.temperature);
    for (const auto& [sequence, result] : results)
      for (std::size_t i = 0; i < result.sampled.tokens().size(); ++i)
        CHECK(result.sampled.drawn_log_probs()[i] >= result.sampled.log_probs()[i] - 1e-5F);
    CHECK(largest_log_ratio(model, batch) <= tolerances.log_prob);
    PackedBatch hotter = batch;
    hotter.temperature = 3.0F;
    CHECK(largest_log_ratio(model, hotter) > tolerances.log_prob);
  }
}

/// advantage * log-probability.
struct ScaledLogProb {
  template <class T>
  DUALAGENT_HD constexpr kernels::TokenGradient<T> operator()(
      const loops::TokenColumns& columns, std::size_t t,
      const kernels::TokenPrediction<T>& now) const {
    const T advantage = static_cast<T>(columns.advantage[t]);
    return {advantage * now.log_prob, advantage, T{0}, T{0}};
  }
};
/// -log-probability - entropy / 2 + value / 4.
struct OfAllPredictions {
  template <class T>
  DUALAGENT_HD constexpr kernels::TokenGradient<T> operator()(
      const loops::TokenColumns&, std::size_t, const kernels::TokenPrediction<T>& now) const {
    const T half = static_cast<T>(0.5), quarter = static_cast<T>(0.25);
    return {-now.log_prob - half * now.entropy + quarter * now.value, T{-1}, -half, quarter};
  }
};

template <class MakeModel>
void check_outputs(const MakeModel& make_model, const LawTolerances& tolerances) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  PackedBatch batch = rows_for(model, requests);
  TokenOutputs scored = outputs_for(batch), trained = outputs_for(batch);
  model.score(batch, scored);
  for (std::size_t t = 0; t < batch.size(); ++t)  // differs from token to token
    batch.advantage[t] = 2.0F + 0.25F * static_cast<float>(t % 7);
  model.backward(batch, ScaledLogProb{}, trained);
  INFO("law: all outputs of trained tokens are written, those of masked tokens stay");
  for (std::size_t t = 0; t < batch.size(); ++t) {
    const bool is_trained = batch.loss_weight[t] != 0.0F;
    const double advantage = static_cast<double>(batch.advantage[t]);
    CHECK(std::abs(trained.log_prob[t] - scored.log_prob[t]) <= tolerances.log_prob);
    CHECK(std::abs(trained.entropy[t] - scored.entropy[t]) <= tolerances.log_prob);
    CHECK(std::abs(trained.value[t] - scored.value[t]) <= tolerances.log_prob);
    CHECK(trained.loss[t] == Approx(advantage * trained.log_prob[t]));
    CHECK(trained.d_log_prob[t] == Approx(is_trained ? advantage : 0.0));
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
  model.backward(batch, OfAllPredictions{}, outputs);
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
  const SomeRequests requests(model.vocab_size(), {.temperature = 0.8F});
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
  model.backward(batch, dualagent::detail::AnyObjective{}, outputs);  // of value and derivatives 0
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
