#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "support/ragged_rows.hpp"

/// A small model on the ranks of threads, beside the same one on one rank.
namespace split_models {

using namespace dualagent;

struct Described {
  std::string name;
  TransformerConfig config;
};

/// Two key-value heads: 4 ranks are more than there are. 29 tokens and 21 neurons: shares differ.
inline std::vector<Described> descriptions() {
  std::vector<Described> all{{"llama, tied", ragged_shape(true)},
                             {"llama, untied, with a critic", ragged_shape(false)},
                             {"qwen2", ragged_shape(true)},
                             {"qwen3", ragged_shape(true)}};
  all[2].config.qkv_bias = true;
  all[3].config.qk_norm = true;
  return all;
}

/// The parts of `whole` that the model has.
template <class C, class Scalar>
void take_weights(ParallelTransformer<C, Scalar>& model, std::span<const Scalar> whole) {
  model.slices().take(whole, model.parameters());
  model.weights_changed();
}

/// On rank 0.
template <class Model, class Array>
auto gathered(Model& model, const Array& values) {
  using Scalar = typename Array::value_type;
  const auto all = model.slices().gather(model.model_axis(), std::span<const Scalar>(values));
  return std::vector<double>(all.begin(), all.end());
}

/// Largest difference, in units of the largest expected number.
template <class Got, class Expected>
double difference(const Got& got, const Expected& expected) {
  double worst = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst =
        std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
    size = std::max(size, std::abs(static_cast<double>(expected[i])));
  }
  return got.size() == expected.size() ? worst / size : 1e300;
}

}  // namespace split_models
