#include "dualagent/model/gradient_stages.hpp"

#include <memory>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "dualagent/core/thread_pool.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/trace/packed_batch.hpp"
#include "laws/ready_laws.hpp"
#include "support/catch.hpp"
#include "support/odd_shape.hpp"

using namespace dualagent;
using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

namespace {

/// Rows of random tokens; those of the last `untrained` rows have no loss.
PackedBatch rows(std::size_t count, std::size_t length, std::size_t untrained) {
  std::mt19937 random(5);
  PackedBatch batch;
  for (std::size_t r = 0; r < count; ++r) {
    std::vector<Token> tokens(length);
    for (Token& token : tokens) token = static_cast<Token>(random() % odd_shape().vocab_size);
    const std::size_t begin = batch.append_row(tokens);
    for (std::size_t t = begin + 1; t < batch.size(); ++t)
      batch.loss_weight[t] = r + untrained < count ? 0.01F * static_cast<float>(t % 7) : 0.0F;
  }
  return batch;
}

/// The bounds of an untied odd shape: 3 layers between the embedding and the rest.
Ranges ranges_of(std::span<const TensorInfo> tensors) {
  std::vector<std::size_t> begins;  // of layers 0, 1, 2 and of what follows
  for (const TensorInfo& tensor : tensors) {
    const bool in_layer =
        tensor.name.find("layers." + std::to_string(begins.size()) + ".") != std::string::npos;
    const bool after = begins.size() == 3 && tensor.name.find("layers.") == std::string::npos;
    if (in_layer || after) begins.push_back(tensor.offset);
  }
  REQUIRE(begins.size() == 4);
  return {{begins[3], tensors.back().offset + tensors.back().size},
          {begins[2], begins[3]},
          {begins[1], begins[2]},
          {begins[0], begins[1]},
          {0, begins[0]}};
}

}  // namespace

TEST_CASE("a stage is told when all workers have finished it", "[model]") {
  detail::GradientStages stages({10, 7, 7, 3, 0}, 2);  // the second one is empty
  Ranges told;
  const auto tell = [&](std::size_t begin, std::size_t end) { told.emplace_back(begin, end); };
  stages.finish(0, 3, tell);
  CHECK(told.empty());
  stages.finish(1, 1, tell);
  CHECK(told == Ranges{{7, 10}});
  stages.finish(1, 4, tell);
  CHECK(told == Ranges{{7, 10}, {3, 7}});
  stages.finish(0, 4, tell);
  CHECK(told == Ranges{{7, 10}, {3, 7}, {0, 3}});
}

TEST_CASE("a stage whose report failed is not reported again", "[model]") {
  detail::GradientStages stages({10, 7, 0}, 1);
  int reports = 0;
  const auto fail = [&](std::size_t, std::size_t) {
    ++reports;
    throw std::runtime_error("the group was aborted");
  };
  CHECK_THROWS_AS(stages.finish(0, 1, fail), std::runtime_error);
  stages.finish(0, 1, fail);
  CHECK(reports == 1);
}

TEST_CASE("a transformer reports its gradients layer by layer", "[model][transformer][laws]") {
  for (const bool tied : {false, true})
    for (const std::size_t parts : {1U, 2U, 3U})
      for (const std::size_t untrained : {0U, 5U, 8U}) {
        INFO("tied " << tied << ", parts " << parts << ", untrained " << untrained);
        TransformerConfig shape = odd_shape(tied);
        shape.value_head = true;
        const PackedBatch batch = rows(8, 60, untrained);  // more than one chunk of 256 tokens
        const auto make_model = [&] {
          return Transformer<float>(
              shape, {.pool = std::make_shared<ThreadPool>(2), .gradient_parts = parts, .seed = 3});
        };
        const Ranges ranges =
            laws::check_ready_laws(make_model, [&](Transformer<float>& model, const auto& ready) {
              TokenOutputs outputs;
              outputs.resize(batch.size());
              model.zero_gradients();
              model.backward(
                  batch,
                  [](const loops::TokenColumns&, std::size_t, const TokenPrediction& now) {
                    return TokenLossGradient{-now.log_prob, -1.0, 0.1, 0.2};
                  },
                  outputs, ready);
            });
        CHECK(ranges == ranges_of(make_model().tensors()));
      }
}
