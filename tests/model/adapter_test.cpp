#include "dualagent/model/adapter.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/odd_shape.hpp"

using namespace dualagent;

TEST_CASE("an adapter's tensors have PEFT's names and shapes", "[model][lora]") {
  const TransformerWeights<float> base(odd_shape());
  const detail::Adapter<float> adapter(
      base, {.rank = 4, .targets = {TensorRole::down, TensorRole::query, TensorRole::value}});
  std::vector<std::string> names;
  std::size_t end = 0;
  for (const TensorInfo& tensor : adapter.tensors()) {
    CHECK(tensor.offset == end);
    CHECK(tensor.size == tensor.shape[0] * tensor.shape[1]);
    end += tensor.size;
    names.push_back(tensor.name);
  }
  CHECK(end == adapter.parameters().size());
  REQUIRE(names.size() == 18);
  const std::string layer = "base_model.model.model.layers.1.";
  CHECK(names[6] == layer + "self_attn.q_proj.lora_A.weight");
  CHECK(names[7] == layer + "self_attn.v_proj.lora_A.weight");
  CHECK(names[8] == layer + "self_attn.q_proj.lora_B.weight");
  CHECK(names[11] == layer + "mlp.down_proj.lora_B.weight");
  using Shape = std::vector<std::size_t>;
  CHECK(adapter.tensors()[7].shape == Shape{4, 22});
  CHECK(adapter.tensors()[9].shape == Shape{12, 4});
  CHECK(adapter.tensors()[10].shape == Shape{4, 27});
}

TEST_CASE("A begins uniform as in PEFT, B zero", "[model][lora]") {
  const TransformerWeights<double> base(odd_shape());
  const detail::Adapter<double> adapter(base, {.rank = 64, .seed = 5});
  const detail::Adapter<double> again(base, {.rank = 64, .seed = 5});
  const detail::Adapter<double> other(base, {.rank = 64, .seed = 6});
  CHECK(std::ranges::equal(adapter.parameters(), again.parameters()));
  CHECK_FALSE(std::ranges::equal(adapter.parameters(), other.parameters()));
  for (const TensorInfo& tensor : adapter.tensors()) {
    const auto values = adapter.parameters().subspan(tensor.offset, tensor.size);
    double largest = 0, squares = 0;
    for (const double value : values)
      largest = std::max(largest, std::abs(value)), squares += value * value;
    if (tensor.name.ends_with("lora_B.weight")) {
      CHECK(largest == 0.0);
      continue;
    }
    // torch's kaiming_uniform_(a = sqrt(5)): bound sqrt(6 / (1 + 5) / in)
    const double bound = std::sqrt(1.0 / static_cast<double>(tensor.shape[1]));
    CHECK(largest <= bound);
    CHECK(largest > 0.95 * bound);
    CHECK(squares / static_cast<double>(tensor.size) == Approx(bound * bound / 3).epsilon(0.1));
  }
}

TEST_CASE("an adapter's stages end where its layers begin", "[model][lora]") {
  const TransformerWeights<float> base(odd_shape());
  const detail::Adapter<float> adapter(base, {.rank = 2, .targets = {TensorRole::gate}});
  const std::size_t layer = 2 * 22 + 27 * 2;
  CHECK(adapter.stages() == std::vector<std::size_t>{3 * layer, 3 * layer, 2 * layer, layer, 0, 0});
}
