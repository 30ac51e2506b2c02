#include "dualagent/optim/optimizer.hpp"

#include <vector>

#include "dualagent/optim/adamw.hpp"
#include "laws/optimizer_laws.hpp"
#include "support/catch.hpp"
#include "support/momentum.hpp"

using namespace dualagent;

namespace {
const std::vector<TensorInfo> kTensors{{"matrix", {3, 5}, 0, 15, TensorRole::up},
                                       {"bias", {7}, 15, 7, TensorRole::query_bias}};
}  // namespace

TEST_CASE("the laws of optimizers hold", "[optim]") {
  laws::check_optimizer_laws(AdamW{.learning_rate = 0.1, .weight_decay = 0.3}, kTensors);
  laws::check_optimizer_laws(Momentum{}, kTensors);
}

TEST_CASE("only an optimizer that says so updates a range without the others", "[optim]") {
  CHECK(is_elementwise<AdamW>());
  CHECK_FALSE(is_elementwise<Momentum>());
}
