#include "dualagent/model/context_axis.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "laws/backend_laws.hpp"
#include "support/catch.hpp"
#include "support/context_models.hpp"
#include "support/error_of.hpp"
#include "support/split_models.hpp"

using namespace dualagent;
using namespace split_models;
using context_models::kShapes;
using context_models::run_context_ranks;

namespace {

/// Rows shorter than the pieces of 4 ranks, odd ones, and one as long as the model reads.
PackedBatch many_rows(float temperature = 0.8F) {
  return ragged_batch({1, 5, 17, 2, 3, 30, 64, 11, 7}, temperature);
}

/// Outputs and gradients of one backward pass, and the outputs of scoring.
struct Passed {
  std::vector<double> log_probs, entropies, values, losses, scored, gradients;

  template <class Model>
  void pass(Model& model, const PackedBatch& batch) {
    TokenOutputs outputs = laws::outputs_for(batch);
    model.score(batch, outputs);
    scored = outputs.log_prob;
    outputs = laws::outputs_for(batch);
    model.zero_gradients();
    model.backward(batch, curved_loss, outputs);
    log_probs = outputs.log_prob, entropies = outputs.entropy, values = outputs.value;
    losses = outputs.loss;
  }
};

/// On every rank: outputs of that rank; gradients on rank 0.
template <class Scalar>
std::vector<Passed> passed_on(const MeshShape& shape, Transformer<Scalar>& one,
                              const PackedBatch& batch, Recompute recompute,
                              std::size_t parts = 2) {
  std::vector<Passed> passed(shape.data * shape.model);
  run_context_ranks(shape, [&](auto axis) {
    ParallelTransformer<decltype(axis), Scalar> model(
        one.config(), axis,
        {.gradient_parts = parts, .recompute = recompute, .seed = std::nullopt});
    take_weights<decltype(axis), Scalar>(model, one.parameters());
    passed[axis.rank()].pass(model, batch);
    passed[axis.rank()].gradients = gathered(model, model.gradients());
  });
  return passed;
}

template <class Scalar>
void check_passes(const Described& described, double tolerance) {
  const PackedBatch batch = many_rows();
  auto one = odd_model<Scalar>(described.config, with_threads(1, 2));
  Passed expected;
  expected.pass(one, batch);
  expected.gradients.assign(one.gradients().begin(), one.gradients().end());
  for (const MeshShape& shape : kShapes) {
    INFO(described.name << " on " << shape.data << " x " << shape.model << " ranks");
    const auto passed = passed_on(shape, one, batch, Recompute::large);
    CHECK(difference(passed[0].gradients, expected.gradients) <= tolerance);
    for (const Passed& rank : passed) {
      if (shape.model == 1) {  // each token has the bits of one rank, also where others have it
        CHECK(rank.log_probs == expected.log_probs);
        CHECK(rank.scored == expected.scored);
        CHECK(rank.entropies == expected.entropies);
        CHECK(rank.values == expected.values);
        CHECK(rank.losses == expected.losses);
      }
      CHECK(difference(rank.log_probs, expected.log_probs) <= tolerance);
      CHECK(difference(rank.losses, expected.losses) <= tolerance);
      CHECK(rank.scored == rank.log_probs);
      CHECK(rank.log_probs == passed[0].log_probs);  // the same bits on all
    }
  }
}

}  // namespace

TEST_CASE("pieces of a row are an early and a late one, and together they are the row",
          "[model][collective]") {
  const auto pieces = detail::context_pieces(8, 0, 2);
  CHECK((pieces[0] == Shard{0, 2} && pieces[1] == Shard{6, 8}));
  for (const std::size_t ranks : {1U, 2U, 3U, 4U})
    for (const std::size_t tokens : {0U, 1U, 2U, 5U, 8U, 64U, 101U}) {
      std::vector<int> had(tokens);
      std::size_t most = 0;
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        std::size_t work = 0;  // pairs of query and key
        for (const Shard& piece : detail::context_pieces(tokens, rank, ranks))
          for (std::size_t i = piece.begin; i < piece.end; ++i) ++had[i], work += i + 1;
        most = std::max(most, work);
      }
      CHECK(had == std::vector<int>(tokens, 1));
      // Uneven pieces differ by one token each, of at most `tokens` keys.
      if (tokens >= 2 * ranks) CHECK(most <= (tokens + 1) * (tokens / ranks + 2) / 2);
    }
}

TEST_CASE("on ranks that divide rows a token has the bits of one rank, and gradients its numbers",
          "[model][collective]") {
  Described all = descriptions()[1];  // untied, with a critic
  all.config.qk_norm = all.config.qkv_bias = true;
  check_passes<double>(all, 1e-13);
}

TEST_CASE("in float gradients of divided rows agree to 1e-5", "[model][collective]") {
  check_passes<float>(descriptions()[0], 1e-5);
}

TEST_CASE("divided rows: what is computed again on the way back has the same bits",
          "[model][collective]") {
  auto one = odd_model<float>(descriptions()[3].config, with_threads(1, 2));
  for (const MeshShape& shape : {MeshShape{2, 1}, MeshShape{2, 2}}) {
    const auto kept = passed_on(shape, one, many_rows(), Recompute::never);
    const auto again = passed_on(shape, one, many_rows(), Recompute::always);
    CHECK(kept[0].gradients == again[0].gradients);
    CHECK(kept[1].log_probs == again[1].log_probs);
  }
}

TEST_CASE("one rank of a context axis has the bits of a transformer", "[model][collective]") {
  auto one = odd_model<float>(descriptions()[3].config, with_threads(1, 2));
  for (const std::size_t parts : {1U, 3U}) {
    auto alike = odd_model<float>(descriptions()[3].config, with_threads(1, parts));
    Passed expected;
    expected.pass(alike, many_rows());
    const auto passed = passed_on({1, 1}, one, many_rows(), Recompute::large, parts);
    CHECK(passed[0].log_probs == expected.log_probs);
    CHECK(difference(passed[0].gradients, alike.gradients()) <= 1e-6);  // other sums of parts
  }
}

TEST_CASE("gradients are added to what was there, once, and reported as they become final",
          "[model][collective]") {
  auto one = odd_model<double>(descriptions()[0].config, with_threads(1, 2));
  const PackedBatch batch = many_rows();
  std::vector<std::vector<double>> twice(2), late(2);
  std::vector<double> expected = gradients_of(one, batch);
  run_ranks(2, [&](ThreadCollective context) {
    ContextParallel axis{context};
    ParallelTransformer<decltype(axis), double> model(one.config(), axis);
    take_weights<decltype(axis), double>(model, one.parameters());
    TokenOutputs outputs = laws::outputs_for(batch);
    model.zero_gradients();
    model.backward(batch, curved_loss, outputs);
    std::vector<double> reported(model.gradients().size());
    model.backward(batch, curved_loss, outputs, [&](std::size_t begin, std::size_t end) {
      std::copy_n(&model.gradients()[begin], end - begin, &reported[begin]);
    });
    twice[context.rank()].assign(model.gradients().begin(), model.gradients().end());
    late[context.rank()] = reported;
  });
  for (double& gradient : expected) gradient *= 2;
  CHECK(difference(twice[0], expected) <= 1e-13);
  CHECK(twice[1] == twice[0]);
  CHECK(late[0] == twice[0]);
  CHECK(late[1] == twice[0]);
}

TEST_CASE("every rank of a context axis samples the same tokens, with the bits that it then scores",
          "[model][decode][collective]") {
  auto one = odd_model<float>(descriptions()[3].config, with_threads(1, 2));
  const laws::SomeRequests requests(one.vocab_size(), {.temperature = 0.7F});
  const laws::Generations expected = laws::generate(one, requests.all());
  for (const MeshShape& shape : {MeshShape{2, 1}, MeshShape{2, 2}}) {
    const std::size_t ranks = shape.data * shape.model;
    INFO(shape.data << " x " << shape.model << " ranks");
    std::vector<laws::Generations> sampled(ranks);
    std::vector<double> ratio(ranks);
    run_context_ranks(shape, [&](auto axis) {
      ParallelTransformer<decltype(axis)> model(one.config(), axis, with_threads(2, 2));
      take_weights<decltype(axis), float>(model, one.parameters());
      laws::Generations& mine = sampled[axis.rank()];
      mine = laws::generate(model, requests.all());
      ratio[axis.rank()] = laws::largest_log_ratio(model, laws::rows_of(requests.all(), mine));
    });
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      CHECK(ratio[rank] == 0.0);
      CHECK(laws::same(sampled[rank], sampled[0]));
      if (shape.model == 1) CHECK(laws::same(sampled[rank], expected));
    }
  }
}

TEST_CASE("other batches, and losses that fail on one rank, are errors on all ranks of a row",
          "[model][collective]") {
  std::vector<std::string> batches(4), lost(4), scored(4);
  run_ranks(MeshShape{2, 2}, [&](ThreadCollective context, ThreadCollective tensor) {
    ContextParallel axis{context, tensor};
    ParallelTransformer<decltype(axis)> model(ragged_shape(true), axis);
    const std::size_t rank = axis.rank();
    PackedBatch batch = ragged_batch({30}, 1.0F);
    std::fill(batch.loss_weight.begin() + 1, batch.loss_weight.end(), 1.0F);
    TokenOutputs outputs = laws::outputs_for(batch);
    const auto fails = [](const loops::TokenColumns& columns, std::size_t t,
                          const TokenPrediction& now) {
      if (t == 29) throw Error("the last token is odd");  // rank 0 of the context axis has it
      return curved_loss(columns, t, now);
    };
    lost[rank] = error_of([&] { model.backward(batch, fails, outputs); });
    scored[rank] = error_of([&] { model.score(batch, outputs); });  // all go on
    if (context.rank() == 1) batch.tokens[7] = (batch.tokens[7] + 1) % 29;
    batches[rank] = error_of([&] { model.score(batch, outputs); });
  });
  for (const std::string& text : batches)
    CHECK_THAT(text, ContainsSubstring("ranks 0 and 1 of the context axis were given different "
                                       "batches"));
  CHECK(scored == std::vector<std::string>(4, "no error"));
  for (const std::size_t rank : {0U, 1U})
    CHECK_THAT(lost[rank], ContainsSubstring("the last token is odd"));
  for (const std::size_t rank : {2U, 3U})
    CHECK_THAT(lost[rank], ContainsSubstring("rank 0 failed (rank 1 waited for it)"));
}

TEST_CASE("each rank has the activations of its own tokens", "[model][collective]") {
  run_ranks(4, [&](ThreadCollective context) {
    ContextParallel ranks{context};
    detail::ModelAxis<decltype(ranks)> axis(ranks, {ragged_shape(true)});
    std::size_t own = 0;
    for (const Shard& piece : axis.pieces(50)) own += piece.size();
    if (axis.most_tokens(50) != 13 || own > 13 || own < 12) throw Error("pieces", "the test");
    if (axis.most_tokens(1) != 1 || axis.most_tokens(0) != 0) throw Error("most", "the test");
  });
}

TEST_CASE("divided rows that go through the layers in several chunks are computed as on one rank",
          "[model][collective]") {
  auto one = odd_model<double>(descriptions()[3].config, with_threads(1, 1));
  const PackedBatch batch = ragged_batch(std::vector<std::size_t>(12, 47), 1.0F);  // of 512 tokens
  Passed expected;
  expected.pass(one, batch);
  const auto passed = passed_on({2, 1}, one, batch, Recompute::always, 1);
  CHECK(passed[0].log_probs == expected.log_probs);
  CHECK(passed[1].scored == expected.scored);
  CHECK(difference(passed[0].gradients, one.gradients()) <= 1e-13);
}
