#include "dualagent/model/parallel_transformer.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "laws/backend_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/split_models.hpp"

using namespace dualagent;
using namespace split_models;

namespace {

/// Outputs and gradients of one backward pass.
struct Passed {
  std::vector<double> log_probs, entropies, values, gradients;

  void take(const TokenOutputs& outputs) {
    log_probs = outputs.log_prob, entropies = outputs.entropy, values = outputs.value;
  }
};

template <class Model>
TokenOutputs backward(Model& model, const PackedBatch& batch) {
  TokenOutputs outputs = laws::outputs_for(batch);
  model.zero_gradients();
  model.backward(batch, curved_loss, outputs);
  return outputs;
}

/// On every rank: outputs of that rank; gradients on rank 0.
template <class Scalar>
std::vector<Passed> passed_on(std::size_t ranks, Transformer<Scalar>& one, const PackedBatch& batch,
                              Recompute recompute) {
  std::vector<Passed> passed(ranks);
  run_ranks(ranks, [&](ThreadCollective axis) {
    ParallelTransformer<ThreadCollective, Scalar> model(
        one.config(), axis, {.recompute = recompute, .seed = std::nullopt});
    take_weights<ThreadCollective, Scalar>(model, one.parameters());
    passed[axis.rank()].take(backward(model, batch));
    passed[axis.rank()].gradients = gathered(model, model.gradients());
  });
  return passed;
}

template <class Scalar>
void check_passes(const std::vector<Described>& all, double tolerance) {
  const PackedBatch batch = ragged_batch({5, 17, 3, 30, 64, 11}, 0.8F);
  for (const Described& described : all) {
    auto one = odd_model<Scalar>(described.config, with_threads(1, 2));
    Passed expected;
    expected.take(backward(one, batch));
    for (const std::size_t ranks : {1U, 2U, 4U}) {
      INFO(described.name << " on " << ranks << " ranks");
      const auto passed = passed_on(ranks, one, batch, Recompute::large);
      CHECK(difference(passed[0].gradients, one.gradients()) <= tolerance);
      for (const Passed& rank : passed) {
        CHECK(difference(rank.log_probs, expected.log_probs) <= tolerance);
        CHECK(difference(rank.entropies, expected.entropies) <= tolerance);
        if (described.config.value_head)
          CHECK(difference(rank.values, expected.values) <= tolerance);
        CHECK(rank.log_probs == passed[0].log_probs);  // the same bits on all
      }
    }
  }
}

}  // namespace

TEST_CASE("log-probabilities and gradients of 1, 2 and 4 ranks are those of one transformer",
          "[model][collective]") {
  check_passes<double>(descriptions(), 1e-13);
}

TEST_CASE("in float they agree to 1e-5", "[model][collective]") {
  check_passes<float>({descriptions()[0], descriptions()[3]}, 1e-5);
}

TEST_CASE("what is computed again on the way back has the same bits on a model axis",
          "[model][collective]") {
  const PackedBatch batch = ragged_batch({5, 17, 30}, 1.0F);
  auto one = odd_model<float>(descriptions()[3].config, with_threads(1, 2));
  const auto kept = passed_on(2, one, batch, Recompute::never);
  const auto again = passed_on(2, one, batch, Recompute::always);
  CHECK(kept[0].gradients == again[0].gradients);
}

TEST_CASE("initial weights are those of one rank, and each rank has its part of them",
          "[model][collective]") {
  TransformerConfig config = ragged_shape(true);  // all extents but the heads' are cut evenly
  config.vocab_size = 32, config.intermediate_size = 24;
  config.num_attention_heads = config.num_key_value_heads = 4;
  Transformer<float> one(config, {.seed = 9});
  std::size_t norms = 0;
  for (const TensorInfo& tensor : one.tensors())
    if (tensor.shape.size() == 1) norms += tensor.size;
  for (const std::size_t ranks : {2U, 4U}) {
    std::vector<std::size_t> sizes(ranks), gradients(ranks);
    std::vector<double> weights;
    run_ranks(ranks, [&](ThreadCollective axis) {
      ParallelTransformer model(config, axis, {.seed = 9});
      sizes[axis.rank()] = model.parameters().size();
      gradients[axis.rank()] = model.gradients().size();
      const auto all = gathered(model, model.parameters());
      if (axis.rank() == 0) weights = all;
    });
    CHECK(weights == std::vector<double>(one.parameters().begin(), one.parameters().end()));
    const std::size_t part = (one.parameters().size() - norms) / ranks + norms;
    CHECK(sizes == std::vector<std::size_t>(ranks, part));
    CHECK(gradients == sizes);
  }
}

TEST_CASE("every rank samples what one transformer would, with the bits that it then scores",
          "[model][decode][collective]") {
  for (const Described& described : {descriptions()[1], descriptions()[3]})
    for (const SamplingOptions& sampling : laws::ways_of_drawing()) {
      auto one = odd_model<float>(described.config, with_threads(1, 2));
      const laws::SomeRequests requests(one.vocab_size(), sampling);
      const laws::Generations expected = laws::generate(one, requests.all());
      for (const std::size_t ranks : {2U, 4U}) {
        INFO(described.name << " on " << ranks << " ranks");
        std::vector<laws::Generations> sampled(ranks);
        std::vector<double> ratio(ranks);
        run_ranks(ranks, [&](ThreadCollective axis) {
          ParallelTransformer model(one.config(), axis, with_threads(1 + ranks % 3, 2));
          take_weights<ThreadCollective, float>(model, one.parameters());
          laws::Generations& mine = sampled[axis.rank()];
          mine = laws::generate(model, requests.all());
          ratio[axis.rank()] = laws::largest_log_ratio(model, laws::rows_of(requests.all(), mine));
        });
        for (std::size_t rank = 0; rank < ranks; ++rank) {
          CHECK(ratio[rank] == 0.0);
          CHECK(laws::same(sampled[rank], sampled[0]));
        }
        for (const auto& [sequence, generation] : expected) {
          const Sampled& got = sampled[0].at(sequence).sampled;
          CHECK(std::ranges::equal(got.tokens(), generation.sampled.tokens()));
          CHECK(difference(got.log_probs(), generation.sampled.log_probs()) <= 1e-5);
          CHECK(sampled[0].at(sequence).finish == generation.finish);
        }
      }
    }
}

TEST_CASE("greedy tokens of a model axis are those of one transformer",
          "[model][decode][collective]") {
  auto one = odd_model<float>(descriptions()[2].config, with_threads(1, 2));
  const laws::SomeRequests requests(one.vocab_size(), {.temperature = 0.0F});
  const laws::Generations expected = laws::generate(one, requests.all());
  std::vector<int> same(3);
  run_ranks(3, [&](ThreadCollective axis) {
    ParallelTransformer model(one.config(), axis);
    take_weights<ThreadCollective, float>(model, one.parameters());
    auto twin = model.copy();
    for (const GenerationRequest& request : requests.all()) twin.submit(request);
    while (twin.advance([&](Generation&& done) {
      same[axis.rank()] +=
          std::ranges::equal(done.sampled.tokens(), expected.at(done.sequence).sampled.tokens())
              ? 1
              : 0;
    }) > 0) {
    }
  });
  CHECK(same == std::vector<int>(3, static_cast<int>(requests.all().size())));
}

TEST_CASE("a model whose logits are not finite is refused on all ranks", "[model][collective]") {
  auto one = odd_model<float>(ragged_shape(true), with_threads(1, 2));
  one.parameters()[28 * 18] = std::numeric_limits<float>::quiet_NaN();  // the last rank's token
  const PackedBatch batch = ragged_batch({5, 17}, 1.0F);
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective axis) {
    ParallelTransformer model(one.config(), axis);
    take_weights<ThreadCollective, float>(model, one.parameters());
    errors[axis.rank()] = error_of([&] { backward(model, batch); });
  });
  CHECK_THAT(errors[0], ContainsSubstring("log-probability of a token is nan"));
  CHECK(errors[1] == errors[0]);
}

TEST_CASE("ranks that make other models, and shapes that ranks cannot share, are refused",
          "[model][collective]") {
  std::vector<std::string> other(2), parts(2), few(3), tokens(2);
  const auto error = [](const TransformerConfig& config, ThreadCollective axis,
                        TransformerOptions options = {}) {
    return error_of([&] { ParallelTransformer(config, axis, std::move(options)); });
  };
  run_ranks(2, [&](ThreadCollective axis) {
    other[axis.rank()] = error(ragged_shape(axis.rank() == 0), axis);
    parts[axis.rank()] = error(ragged_shape(true), axis, {.gradient_parts = 1 + axis.rank()});
    ParallelTransformer model(ragged_shape(true), axis);
    const StopRule stop{.max_new_tokens = 1};
    const std::vector<Token> context{29};
    tokens[axis.rank()] =
        error_of([&] { model.submit({.context = context, .stop = &stop, .random = {}}); });
  });
  run_ranks(3, [&](ThreadCollective axis) {
    TransformerConfig config = ragged_shape(true);
    config.intermediate_size = 2;
    few[axis.rank()] = error(config, axis);
  });
  for (const std::string& text : other)
    CHECK_THAT(text, ContainsSubstring("rank 1 has tie_word_embeddings 0, rank 0 has 1"));
  for (const std::string& text : parts)
    CHECK_THAT(text, ContainsSubstring("rank 1 has gradient_parts 2, rank 0 has 1"));
  for (const std::string& text : few)
    CHECK_THAT(text, ContainsSubstring("intermediate_size is 2, which 3 ranks cannot share"));
  for (const std::string& text : tokens)
    CHECK_THAT(text, ContainsSubstring("token 29 is not in the vocabulary of 29"));
}

TEST_CASE("ranks that make models of other rotary tables, seeds or types are refused",
          "[model][collective]") {
  std::vector<std::string> rope(2), seeds(2), seeded(2), scalars(2);
  run_ranks(2, [&](ThreadCollective axis) {
    const std::size_t rank = axis.rank();
    TransformerConfig stretched = ragged_shape(true);
    stretched.rope_scaling = {.type = RopeScaling::Type::linear,
                              .factor = 2.0 + static_cast<double>(rank)};
    const TransformerConfig config = ragged_shape(true);
    const auto error = [&](const TransformerConfig& shape, TransformerOptions options) {
      return error_of([&] { ParallelTransformer(shape, axis, std::move(options)); });
    };
    rope[rank] = error(stretched, {});
    seeds[rank] = error(config, {.seed = 7 + (std::uint64_t{rank} << 40U)});
    seeded[rank] =
        error(config, {.seed = rank == 0 ? std::optional<std::uint64_t>(0) : std::nullopt});
    scalars[rank] =
        rank == 0 ? error(config, {})
                  : error_of([&] { ParallelTransformer<ThreadCollective, double>(config, axis); });
  });
  for (const std::string& text : rope)
    CHECK_THAT(text, ContainsSubstring("rank 1 has rope_scaling.factor 3, rank 0 has 2"));
  for (const std::string& text : seeds)
    CHECK_THAT(text, ContainsSubstring("rank 1 has seed / 2^32 256, rank 0 has 0"));
  for (const std::string& text : seeded)
    CHECK_THAT(text, ContainsSubstring("rank 1 has a seed (1) or none (0) 0, rank 0 has 1"));
  for (const std::string& text : scalars)
    CHECK_THAT(text, ContainsSubstring("rank 1 has bytes of a parameter 8, rank 0 has 4"));
}

TEST_CASE("a model without key-value heads is refused on all ranks", "[model][collective]") {
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective axis) {
    TransformerConfig config = ragged_shape(true);
    config.num_key_value_heads = 0;
    errors[axis.rank()] = error_of([&] { ParallelTransformer(config, axis); });
  });
  for (const std::string& text : errors) CHECK_THAT(text, ContainsSubstring("num_key_value_heads"));
}

TEST_CASE("ranks follow the calls that rank 0 makes", "[model][decode][collective]") {
  auto one = odd_model<float>(ragged_shape(true), with_threads(1, 2));
  const laws::SomeRequests requests(one.vocab_size());
  const laws::Generations expected = laws::generate(one, requests.all());
  laws::Generations led;
  std::vector<std::uint64_t> computed(2);
  run_ranks(2, [&](ThreadCollective axis) {
    ParallelTransformer model(one.config(), axis);
    take_weights<ThreadCollective, float>(model, one.parameters());
    if (axis.rank() == 0) {
      model.lead(7);
      for (int round = 0; round < 2; ++round) {  // keys and values are used again
        for (const GenerationRequest& request : requests.all()) model.submit(request);
        while (model.advance([&](Generation&& done) {
          const SequenceId sequence = done.sequence;
          led.insert_or_assign(sequence, std::move(done));
        }) > 0) {
        }
      }
      model.release(100);
      model.reset();
      model.stop_leading();
      std::vector<std::byte> end(1);
      share_bytes(axis, end);
    } else {
      std::vector<std::byte> message;
      for (share_bytes(axis, message); message.size() > 1; share_bytes(axis, message)) {
        if (message[0] != std::byte{7}) throw Error("another name", "the test");
        model.follow(std::span(message).subspan(8));
      }
    }
    computed[axis.rank()] = model.position_counts().computed;
  });
  CHECK(computed[0] == computed[1]);
  for (const auto& [sequence, generation] : expected)
    CHECK(std::ranges::equal(led.at(sequence).sampled.tokens(), generation.sampled.tokens()));
}
