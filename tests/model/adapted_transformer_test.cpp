#include "dualagent/model/adapted_transformer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "laws/backend_laws.hpp"
#include "laws/ready_laws.hpp"
#include "support/catch.hpp"
#include "support/checkpoint_numbers.hpp"
#include "support/error_of.hpp"
#include "support/odd_shape.hpp"

using namespace dualagent;
using checkpoint_numbers::NegativeLogProb;

namespace {

const std::vector<std::vector<Token>> kRows{{1, 2, 3, 4, 5}, {6, 5, 30}, {7, 7, 1, 0}};

template <class Scalar = float>
Transformer<Scalar> make_base(std::size_t threads = 2) {
  TransformerConfig config = odd_shape();
  config.qk_norm = true;
  return Transformer<Scalar>(config, {.pool = std::make_shared<ThreadPool>(threads), .seed = 3});
}

/// An adapter that has learned something: B is not 0.
template <class Scalar>
AdaptedTransformer<Scalar> make_adapted(Transformer<Scalar>& base, std::uint64_t seed,
                                        LowRank options = {.rank = 3, .alpha = 6}) {
  options.seed = seed;
  AdaptedTransformer<Scalar> model(base, std::move(options));
  const RandomStream random = RandomStream::from_seed(seed).child(1);
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    model.parameters()[i] += static_cast<Scalar>(0.1 * random.normal(i));
  model.weights_changed();
  return model;
}

template <class Model>
std::vector<double> log_probs_of(Model& model) {
  const PackedBatch batch = checkpoint_numbers::token_mean_batch(kRows);
  TokenOutputs outputs = laws::outputs_for(batch);
  model.score(batch, outputs);
  return outputs.log_prob;
}

template <class T>
std::vector<T> copied(std::span<T> values) {
  return {values.begin(), values.end()};
}

/// Advances the models in turn until all requests have ended.
template <class A, class B>
std::pair<laws::Generations, laws::Generations> generate_together(
    A& a, std::span<const GenerationRequest> of_a, B& b, std::span<const GenerationRequest> of_b) {
  std::pair<laws::Generations, laws::Generations> found;
  for (std::size_t i = 0; i < std::max(of_a.size(), of_b.size()); ++i) {
    if (i < of_a.size()) a.submit(of_a[i]);
    if (i < of_b.size()) b.submit(of_b[i]);
  }
  const auto take = [](laws::Generations& into) {
    return [&into](Generation&& done) {
      const SequenceId sequence = done.sequence;
      CHECK(into.emplace(sequence, std::move(done)).second);
    };
  };
  for (bool more = true; more;) {
    more = a.advance(take(found.first)) > 0;
    more = b.advance(take(found.second)) > 0 || more;
  }
  CHECK(found.first.size() == of_a.size());
  CHECK(found.second.size() == of_b.size());
  return found;
}

}  // namespace

TEST_CASE("an adapted transformer obeys the laws of samplers and learners", "[model][lora]") {
  const auto make = [] {
    Transformer<float> base = make_base();
    return make_adapted(base, 5);
  };
  laws::check_sampler_laws(make);
  laws::check_learner_laws(make);
}

TEST_CASE("what an adapted model samples has the bits of a training pass", "[model][lora]") {
  Transformer<float> base = make_base();
  AdaptedTransformer<float> model = make_adapted(base, 5);
  CHECK(checkpoint_numbers::largest_log_ratio(model, kRows, 24) == 0.0);
}

TEST_CASE("a new adapter says what the base says", "[model][lora]") {
  Transformer<float> base = make_base();
  AdaptedTransformer model(base, {.rank = 4});
  CHECK(log_probs_of(model) == log_probs_of(base));
  AdaptedTransformer<float> learned = make_adapted(base, 5);
  CHECK(log_probs_of(learned) != log_probs_of(base));
}

TEST_CASE("gradients of every A and B equal central differences", "[model][lora]") {
  using enum TensorRole;
  for (const std::vector<TensorRole>& targets :
       {LowRank{}.targets, std::vector<TensorRole>{value, down}}) {
    Transformer<double> base = make_base<double>();
    AdaptedTransformer<double> model =
        make_adapted(base, 5, {.rank = 3, .alpha = 4, .targets = targets});
    const PackedBatch batch = checkpoint_numbers::token_mean_batch(kRows);
    model.zero_gradients();
    checkpoint_numbers::cross_entropy_with_gradients(model, batch);
    const auto loss = [&] {
      model.weights_changed();
      const std::vector<double> log_probs = log_probs_of(model);
      double sum = 0;
      for (std::size_t t = 0; t < batch.size(); ++t)
        sum -= static_cast<double>(batch.loss_weight[t]) * log_probs[t];
      return sum;
    };
    constexpr double kStep = 1e-4;
    for (const TensorInfo& tensor : model.tensors())
      for (std::size_t i = 0; i < tensor.size; i += 7) {
        double& weight = model.parameters()[tensor.offset + i];
        const double before = weight;
        weight = before + kStep;
        const double up = loss();
        weight = before - kStep;
        const double down_here = loss();
        weight = before;
        INFO(tensor.name << " " << i);
        CHECK(model.gradients()[tensor.offset + i] ==
              Approx((up - down_here) / (2 * kStep)).epsilon(1e-5).margin(1e-8));
      }
  }
}

TEST_CASE("training an adapter leaves the base as it is and keeps no gradients of it",
          "[model][lora]") {
  Transformer<float> base = make_base();
  const std::vector<float> before = copied(base.parameters());
  AdaptedTransformer<float> model = make_adapted(base, 5);
  CHECK(model.gradients().size() == model.parameters().size());
  CHECK(model.parameters().size() < base.parameters().size());
  checkpoint_numbers::cross_entropy_with_gradients(model,
                                                   checkpoint_numbers::token_mean_batch(kRows));
  CHECK(copied(base.parameters()) == before);
}

TEST_CASE("an adapted model reports final gradients, layer by layer", "[model][lora]") {
  const PackedBatch batch = checkpoint_numbers::token_mean_batch(kRows);
  const auto make = [] {
    Transformer<float> base = make_base();
    return make_adapted(base, 5);
  };
  const auto ranges =
      laws::check_ready_laws(make, [&](AdaptedTransformer<float>& model, const auto& ready) {
        TokenOutputs outputs = laws::outputs_for(batch);
        model.backward(batch, NegativeLogProb{}, outputs, ready);
      });
  CHECK(ranges.size() == odd_shape().num_hidden_layers);
}

TEST_CASE("a merged model agrees with the adapted one", "[model][lora]") {
  Transformer<double> base = make_base<double>();
  AdaptedTransformer<double> model = make_adapted(base, 5);
  Transformer<double> merged = model.merged();
  const std::vector<double> expected = log_probs_of(model), got = log_probs_of(merged);
  for (std::size_t t = 0; t < got.size(); ++t) CHECK(got[t] == Approx(expected[t]).margin(1e-12));
  CHECK(merged.tensors().size() == base.tensors().size());
}

TEST_CASE("a copy has an adapter of its own", "[model][lora]") {
  Transformer<float> base = make_base();
  AdaptedTransformer<float> model = make_adapted(base, 5);
  AdaptedTransformer<float> twin = model.copy();
  CHECK(log_probs_of(twin) == log_probs_of(model));
  const std::vector<double> before = log_probs_of(model);
  for (float& weight : twin.parameters()) weight = 0;
  twin.weights_changed();
  CHECK(log_probs_of(model) == before);
  CHECK(log_probs_of(twin) == log_probs_of(base));
}

TEST_CASE("two adapters and their base decode in one batch, each with the bits that it has alone",
          "[model][lora]") {
  const laws::SomeRequests requests(odd_shape().vocab_size);
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    Transformer<float> lonely_base = make_base(threads), other_base = make_base(threads);
    AdaptedTransformer<float> lonely = make_adapted(lonely_base, 5);
    AdaptedTransformer<float> other = make_adapted(other_base, 6);
    const auto of_first = laws::generate(lonely, requests.all());
    const auto of_second = laws::generate(other, requests.all());
    const auto of_base = laws::generate(lonely_base, requests.all());
    CHECK_FALSE(laws::same(of_first, of_second));

    Transformer<float> base = make_base(threads);
    AdaptedTransformer<float> first = make_adapted(base, 5);
    AdaptedTransformer<float> second = make_adapted(base, 6);
    const auto together = generate_together(first, requests.all(), second, requests.all());
    CHECK(laws::same(together.first, of_first));
    CHECK(laws::same(together.second, of_second));
    second.reset();
    const auto with_base = generate_together(base, requests.all(), second, requests.all());
    CHECK(laws::same(with_base.first, of_base));
    CHECK(laws::same(with_base.second, of_second));
  }
}

TEST_CASE("whichever model of a base is advanced, all of them go on", "[model][lora]") {
  const laws::SomeRequests requests(odd_shape().vocab_size);
  Transformer<float> base = make_base();
  AdaptedTransformer<float> first = make_adapted(base, 5), second = make_adapted(base, 6);
  first.submit(requests[0]);
  second.submit(requests[1]);
  second.submit(requests[0]);  // the sequences of another model are others
  laws::Generations of_first, of_second;
  const auto take = [](laws::Generations& into) {
    return [&into](Generation&& done) {
      const SequenceId sequence = done.sequence;
      into.emplace(sequence, std::move(done));
    };
  };
  for (std::size_t i = 0; i < 100; ++i) first.advance(take(of_first));
  CHECK(of_first.size() == 1);
  CHECK(of_second.empty());
  CHECK(second.advance(take(of_second)) == 0);  // they ended meanwhile
  CHECK(of_second.size() == 2);
}

TEST_CASE("tokens carry the version of their own adapter", "[model][lora]") {
  const laws::SomeRequests requests(odd_shape().vocab_size);
  Transformer<float> base = make_base();
  AdaptedTransformer<float> first = make_adapted(base, 5), second = make_adapted(base, 6);
  first.weights_changed(40);
  second.weights_changed(70);
  base.weights_changed(9);
  const auto found = generate_together(first, requests.all(), second, requests.all());
  for (const auto& [id, generation] : found.first)
    for (const WeightVersion version : generation.sampled.weight_versions()) CHECK(version == 40);
  for (const auto& [id, generation] : found.second)
    for (const WeightVersion version : generation.sampled.weight_versions()) CHECK(version == 70);
}

TEST_CASE("an error of one adapter's requests leaves the other's requests whole", "[model][lora]") {
  const laws::SomeRequests requests(odd_shape().vocab_size);
  Transformer<float> lonely_base = make_base();
  AdaptedTransformer<float> lonely = make_adapted(lonely_base, 5);
  const auto expected = laws::generate(lonely, requests.all());

  Transformer<float> base = make_base();
  AdaptedTransformer<float> first = make_adapted(base, 5), second = make_adapted(base, 6);
  for (const GenerationRequest& request : requests.all()) first.submit(request);
  laws::Generations found;
  const auto take = [&](Generation&& done) {
    const SequenceId sequence = done.sequence;
    found.emplace(sequence, std::move(done));
  };
  first.advance(take);
  StopRule failing = requests.stop();
  failing.stop_early = [](std::span<const Token> said) -> bool {
    return said.size() >= 3 ? throw std::runtime_error("no more") : false;
  };
  for (GenerationRequest request : requests.all()) {
    request.stop = &failing;
    second.submit(request);
  }
  const auto until_it_fails = [&] {
    while (second.advance([](Generation&&) {}) > 0) {
    }
  };
  CHECK_THROWS_AS(until_it_fails(), std::runtime_error);
  second.reset();
  while (first.advance(take) > 0) {
  }
  CHECK(laws::same(found, expected));
}

TEST_CASE("an adapted model outlives its base and may go before the others", "[model][lora]") {
  const laws::SomeRequests requests(odd_shape().vocab_size);
  std::optional<Transformer<float>> base = make_base();
  AdaptedTransformer<float> model = make_adapted(*base, 5);
  CHECK(model.adapts(*base));
  const auto expected = laws::generate(model, requests.all());
  model.reset();
  {
    AdaptedTransformer<float> gone = make_adapted(*base, 6);
    gone.submit(requests[0]);
  }
  base.reset();
  AdaptedTransformer<float> moved = std::move(model);
  CHECK(laws::same(laws::generate(moved, requests.all()), expected));
}

TEST_CASE("a base with a critic is not adapted", "[model][lora]") {
  Transformer<float> critic = make_base().with_value_head();
  CHECK_THROWS_WITH(AdaptedTransformer(critic), ContainsSubstring("critic"));
}
