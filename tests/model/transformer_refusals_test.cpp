// What a transformer refuses to be or to learn from.
#include <cmath>
#include <string>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "support/catch.hpp"
#include "support/ragged_rows.hpp"

using namespace dualagent;

namespace {

std::string error_of(const PackedBatch& batch) {
  Transformer<float> model(ragged_shape(true), with_threads(1, 2));
  TokenOutputs outputs;
  outputs.resize(batch.size());
  std::string scored, trained;
  try {
    model.score(batch, outputs);
  } catch (const Error& error) {
    scored = error.what();
  }
  try {
    model.backward(batch, curved_loss, outputs);
  } catch (const Error& error) {
    trained = error.what();
  }
  CHECK(scored == trained);
  return scored;
}

}  // namespace

TEST_CASE("a bad batch is refused with row, rollout or token", "[model][transformer]") {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2}, 5);
  const std::size_t begin = batch.append_row(std::vector<Token>{3, 4, 5}, 7);
  CHECK(error_of(batch).empty());
  for (const Token bad : {-1, 29}) {
    PackedBatch wrong = batch;
    wrong.tokens[begin + 1] = bad;
    CHECK_THAT(error_of(wrong), ContainsSubstring("token " + std::to_string(bad)) &&
                                    ContainsSubstring("vocabulary of 29") &&
                                    ContainsSubstring("token 3 of the batch"));
  }
  PackedBatch first = batch;
  first.loss_weight[begin] = 1.0F;
  CHECK_THAT(error_of(first), ContainsSubstring("first token of a row") &&
                                  ContainsSubstring("row 1") && ContainsSubstring("rollout 7"));
  PackedBatch most = batch;
  most.append_row(std::vector<Token>(64, 1), 9);
  CHECK(error_of(most).empty());
  most.append_row(std::vector<Token>(65, 1), 9);
  CHECK_THAT(error_of(most), ContainsSubstring("65 tokens") && ContainsSubstring("64") &&
                                 ContainsSubstring("row 3") && ContainsSubstring("rollout 9"));
}

TEST_CASE("a loss that is not finite is refused with its token, and the model goes on",
          "[model][transformer]") {
  auto model = odd_model<float>(ragged_shape(true), with_threads(2, 2));
  const PackedBatch batch = ragged_batch({9, 12, 10}, 1.0F);
  const std::vector<float> before = gradients_of(model, batch);
  std::size_t poisoned = batch.size() - 1;
  while (batch.loss_weight[poisoned] == 0.0F) --poisoned;
  TokenOutputs outputs;
  outputs.resize(batch.size());
  std::string message;
  try {
    model.backward(
        batch,
        [&](const loops::TokenColumns&, std::size_t t, const TokenPrediction&) {
          return TokenLossGradient{0.0, t == poisoned ? NAN : 1.0, 0.0, 0.0};
        },
        outputs);
  } catch (const Error& error) {
    message = error.what();
  }
  INFO(message);
  CHECK(message.find(BatchColumns(batch).place_of(poisoned)) != std::string::npos);
  CHECK(gradients_of(model, batch) == before);
}

TEST_CASE("impossible options and shapes are refused", "[model][transformer]") {
  for (const std::size_t parts : {std::size_t{0}, std::size_t{1} << 60U})
    CHECK_THROWS_WITH(Transformer<float>(ragged_shape(true), {.gradient_parts = parts}),
                      ContainsSubstring("gradient_parts is " + std::to_string(parts)));
  TransformerConfig config = ragged_shape(true);
  config.num_key_value_heads = 4;
  CHECK_THROWS_WITH(Transformer<float>(config), ContainsSubstring("num_key_value_heads"));
}
