// What a transformer draws from its logits.
#include <algorithm>
#include <cmath>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "laws/backend_laws.hpp"
#include "support/catch.hpp"
#include "support/odd_decoding.hpp"
#include "support/odd_shape.hpp"
#include "support/reference_transformer.hpp"
#include "support/sanitizers.hpp"

using namespace dualagent;

TEST_CASE("greedy decoding takes the most probable token, the lowest among equals",
          "[model][decode]") {
  auto model = make_model<double>();
  const std::vector<Token> context{5, 1, 4, 1, 5};
  const StopRule stop = tokens(20);
  const Generation result = laws::generate(model, request_for(context, stop, 0.0F));
  std::vector<Token> row = context;
  row.insert(row.end(), result.sampled.tokens().begin(), result.sampled.tokens().end());
  const auto log_probs =
      ReferenceTransformer<Transformer<double>>(odd_shape(), model).log_probs(row);
  for (std::size_t i = 0; i < 20; ++i) {
    Eigen::Index best = 0;
    const double log_prob =
        log_probs.row(static_cast<Eigen::Index>(context.size() + i - 1)).maxCoeff(&best);
    CHECK(row[context.size() + i] == best);
    CHECK(static_cast<double>(result.sampled.log_probs()[i]) == Approx(log_prob).margin(1e-6));
  }

  Transformer<float> flat(odd_shape(false));  // no head: all logits are 0
  const TensorInfo& head = flat.tensors().back();
  REQUIRE(head.name == "lm_head.weight");
  std::fill_n(flat.parameters().begin() + static_cast<std::ptrdiff_t>(head.offset), head.size,
              0.0F);
  flat.weights_changed();
  const Generation ties = laws::generate(flat, request_for(context, stop, 0.0F));
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(ties.sampled.tokens()[i] == 0);
    CHECK(ties.sampled.log_probs()[i] ==
          Approx(-std::log(static_cast<double>(kVocab))).epsilon(1e-6));
  }
}

TEST_CASE("tokens are drawn as often as the softmax says", "[model][decode]") {
  constexpr std::size_t kDraws = random_cases(20'000);
  const std::vector<Token> context{5, 1, 4, 1, 5};
  const StopRule stop = tokens(1);
  for (const float temperature : {1.0F, 0.5F}) {
    auto model = make_model<double>();
    const ReferenceTransformer<Transformer<double>> reference(odd_shape(), model);
    const Eigen::VectorXd expected = reference.log_probs(context, static_cast<double>(temperature))
                                         .bottomRows(1)
                                         .transpose()
                                         .array()
                                         .exp();
    std::vector<double> seen(kVocab, 0.0);
    GenerationRequest request = request_for(context, stop, temperature);
    for (std::size_t draw = 0; draw < kDraws; ++draw) {
      request.random = RandomStream::from_seed(5).child(draw);
      seen[static_cast<std::size_t>(laws::generate(model, request).sampled.tokens()[0])] += 1;
    }
    double chi_square = 0;
    for (std::size_t v = 0; v < kVocab; ++v) {
      const double mean = kDraws * expected[static_cast<Eigen::Index>(v)];
      chi_square += (seen[v] - mean) * (seen[v] - mean) / mean;
    }
    INFO("temperature " << temperature);
    CHECK(chi_square < 68.0);  // 36 degrees of freedom, 0.1% point
    CHECK(*std::max_element(seen.begin(), seen.end()) <
          kDraws * 0.9);  // more than one token is possible
  }
}

TEST_CASE("a random number picks the token whose share of [0, 1) holds it", "[model][decode]") {
  Transformer<double> flat(odd_shape(false));
  const TensorInfo& head = flat.tensors().back();
  std::fill_n(flat.parameters().begin() + static_cast<std::ptrdiff_t>(head.offset), head.size, 0.0);
  flat.weights_changed();
  const std::vector<Token> context{5, 1};
  const StopRule stop = tokens(50);
  const GenerationRequest request = request_for(context, stop);
  const Generation result = laws::generate(flat, request);
  for (std::size_t i = 0; i < 50; ++i)  // all shares are 1 / vocab
    CHECK(result.sampled.tokens()[i] ==
          static_cast<Token>(request.random.uniform(i) * static_cast<double>(kVocab)));
}

TEST_CASE("logits that are not finite are an error", "[model][decode]") {
  Transformer<float> broken(odd_shape(false));
  const TensorInfo& head = broken.tensors().back();
  broken.parameters()[head.offset] = std::nanf("");
  broken.weights_changed();
  const std::vector<Token> context{5, 1};
  const StopRule stop = tokens(4);
  for (const float temperature : {0.0F, 1.0F})
    CHECK_THROWS_WITH(laws::generate(broken, request_for(context, stop, temperature)),
                      ContainsSubstring("Check the backend's logits for NaN or infinity"));
}
