#include "dualagent/optim/muon.hpp"

#include <Eigen/SVD>
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/train/supervised.hpp"
#include "laws/optimizer_laws.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

using DoubleMatrix = EigenMatrix<double>;

DoubleMatrix random_matrix(Eigen::Index rows, Eigen::Index columns) {
  const RandomStream random = RandomStream::from_seed(5);
  DoubleMatrix matrix(rows, columns);
  for (Eigen::Index i = 0; i < matrix.size(); ++i)
    matrix.data()[i] = random.normal(static_cast<std::uint64_t>(i));
  return matrix;
}

/// What becomes of a singular value in `steps` steps.
double iterated(double s, int steps = 5) {
  for (int step = 0; step < steps; ++step)
    s = 3.4445 * s - 4.7750 * std::pow(s, 3) + 2.0315 * std::pow(s, 5);
  return s;
}

/// A matrix between two that are not hidden: weights 0 to 5, 6 to 11, 12 to 15.
const std::vector<TensorInfo> kTensors{{"embedding", {3, 2}, 0, 6, TensorRole::embedding},
                                       {"up", {2, 3}, 6, 6, TensorRole::up},
                                       {"norm", {4}, 12, 4, TensorRole::final_norm}};

/// Two layers over eight tokens.
template <class Scalar>
Transformer<Scalar> tiny_model() {
  return Transformer<Scalar>({.vocab_size = 8,
                              .hidden_size = 16,
                              .num_hidden_layers = 2,
                              .num_attention_heads = 2,
                              .num_key_value_heads = 1,
                              .head_dim = 8,
                              .intermediate_size = 24,
                              .max_position_embeddings = 16});
}

Segment lesson() {
  Segment segment;
  segment.context.append(Provenance::prompt, std::vector<Token>{0});
  segment.context.append(Provenance::demonstration, std::vector<Token>{1, 5, 2, 6, 3, 7, 4});
  return segment;
}

}  // namespace

TEST_CASE("the singular values of a diagonal matrix go through the polynomial", "[optim]") {
  DoubleMatrix one(1, 1);
  one << -4.0;
  // p(1) = 3.4445 - 4.7750 + 2.0315 = 0.701.
  CHECK(orthogonalize<double>(one, 1)(0, 0) == Approx(-0.701));
  CHECK(orthogonalize<double>(one, 5)(0, 0) == Approx(-iterated(1.0)));

  DoubleMatrix diagonal = DoubleMatrix::Zero(3, 4);  // of norm 13
  diagonal.diagonal() << 3.0, 4.0, 12.0;
  for (const bool tall : {false, true}) {
    if (tall) diagonal.transposeInPlace();
    DoubleMatrix expected = DoubleMatrix::Zero(diagonal.rows(), diagonal.cols());
    expected.diagonal() << iterated(3.0 / 13), iterated(4.0 / 13), iterated(12.0 / 13);
    CHECK((orthogonalize<double>(diagonal, 5) - expected).cwiseAbs().maxCoeff() < 1e-12);
  }
  CHECK(orthogonalize<double>(DoubleMatrix::Zero(2, 3), 5) == DoubleMatrix::Zero(2, 3));
}

TEST_CASE("singular vectors stay, singular values come near to 1", "[optim]") {
  for (const auto& [rows, columns] : {std::array{6, 9}, std::array{9, 6}, std::array{7, 7}}) {
    const DoubleMatrix matrix = random_matrix(rows, columns);
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
    const Eigen::MatrixXd between =
        svd.matrixU().transpose() * orthogonalize<double>(matrix, 5) * svd.matrixV();
    const Eigen::VectorXd values = between.diagonal();
    CHECK((between - Eigen::MatrixXd(values.asDiagonal())).cwiseAbs().maxCoeff() < 1e-12);
    for (Eigen::Index i = 0; i < values.size(); ++i) {
      CHECK(values[i] == Approx(iterated(svd.singularValues()[i] / matrix.norm())));
      CHECK(values[i] > 0.65);
      CHECK(values[i] < 1.2);
    }
    const DoubleMatrix in_float = orthogonalize<float>(matrix.cast<float>(), 5).cast<double>() -
                                  svd.matrixU() * between * svd.matrixV().transpose();
    CHECK(in_float.cwiseAbs().maxCoeff() < 1e-5);
  }
}

TEST_CASE("Muon steps as torch.optim.Muon does, and AdamW beside it", "[optim]") {
  std::ifstream file(DUALAGENT_TEST_DATA "/muon/muon.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  std::vector<TensorInfo> tensors;
  std::size_t count = 0;
  for (const auto& shape : golden.at("shapes")) {
    const auto extents = shape.get<std::vector<std::size_t>>();
    const std::size_t size = extents[0] * (extents.size() == 2 ? extents[1] : 1);
    tensors.push_back({"tensor", extents, count, size,
                       extents.size() == 2 ? TensorRole::gate : TensorRole::query_bias});
    count += size;
  }
  const Muon muon{
      .learning_rate = 0.02,
      .momentum = 0.9,
      .weight_decay = 0.1,
      .adamw = {.learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.95, .weight_decay = 0.2}};
  auto weights = golden.at("weights").get<std::vector<double>>();
  auto state = muon.make_state<double>(count, tensors);
  for (const auto& step : golden.at("steps")) {
    const auto gradients = step.at("gradients").get<std::vector<double>>();
    muon.step(std::span(weights), std::span<const double>(gradients), state,
              step.at("scale").get<double>());
    const auto expected = step.at("weights").get<std::vector<double>>();
    for (std::size_t i = 0; i < count; ++i)
      CHECK(weights[i] == Approx(expected[i]).epsilon(1e-10).margin(1e-12));
  }
}

TEST_CASE("the laws of optimizers hold for Muon", "[optim]") {
  laws::check_optimizer_laws(
      Muon{.learning_rate = 0.1, .weight_decay = 0.3, .adamw = {.weight_decay = 0.2}}, kTensors);
  CHECK_FALSE(is_elementwise<Muon>());
}

TEST_CASE("Muon keeps one number for a weight of a matrix, two for others", "[optim]") {
  const auto state = Muon{}.make_state<float>(16, kTensors);
  CHECK(state.momentum.size() == 6);
  CHECK(state.first.size() == 10);
  CHECK(state.second.size() == 10);
  CHECK(state.others[1].offset == 12);
  CHECK(state.others[1].state_offset == 6);
}

TEST_CASE("what Muon cannot do is refused", "[optim]") {
  CHECK_THAT(error_of([] { Muon{.momentum = 1.0}.validate<double>(); }),
             ContainsSubstring("momentum is 1 (Muon)"));
  CHECK_THAT(error_of([] { Muon{.newton_schulz_steps = 0}.validate<double>(); }),
             ContainsSubstring("newton_schulz_steps is 0"));
  CHECK_THAT(error_of([] { Muon{.adamw = {.beta2 = 1.0}}.validate<double>(); }),
             ContainsSubstring("beta2 is 1 (AdamW)"));
  BigramModel model(3);  // whose table says nothing of its role
  CHECK_THAT(error_of([&] { WeightUpdater(model, UpdateOptionsFor<Muon>{}); }),
             ContainsSubstring("no tensor of the model is a hidden matrix"));
  std::vector<float> weights(16), gradients(15);
  auto state = Muon{}.make_state<float>(16, kTensors);
  CHECK_THAT(
      error_of([&] { Muon{}.step(std::span(weights), std::span<const float>(gradients), state); }),
      ContainsSubstring("16 weights, 15 gradients"));
  CHECK(state.steps == 0);
}

TEST_CASE("a transformer learns with Muon, and a resumed one has the same bits", "[optim]") {
  auto model = tiny_model<float>(), resumed_model = tiny_model<float>();
  const UpdateOptionsFor<Muon> options{
      .optimizer = {.learning_rate = 0.01, .adamw = {.learning_rate = 0.01}}};
  SupervisedTrainer trainer{model, options}, resumed{resumed_model, options};
  const std::vector<Segment> lessons{lesson()};
  const double first = trainer.step(lessons).loss;
  for (int step = 1; step < 20; ++step) trainer.step(lessons);

  Checkpoint checkpoint{.step = 20};
  trainer.save(checkpoint);
  TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint);
  resumed.load(*latest_checkpoint(folder.path(), {}).checkpoint);
  double last = 0;
  for (int step = 20; step < 60; ++step) {
    last = trainer.step(lessons).loss;
    CHECK(resumed.step(lessons).loss == last);
  }
  CHECK(first > 1.5);  // about log 8
  CHECK(last < 0.1 * first);
  CHECK(std::ranges::equal(resumed_model.parameters(), model.parameters()));
}
