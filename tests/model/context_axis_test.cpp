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
void check_passes(const std::vector<Described>& all, double tolerance) {
  const PackedBatch batch = many_rows();
  for (const Described& described : all) {
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
  check_passes<double>(descriptions(), 1e-13);
}

TEST_CASE("in float gradients of divided rows agree to 1e-5", "[model][collective]") {
  check_passes<float>({descriptions()[0], descriptions()[3]}, 1e-5);
}
