#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/optim/adamw.hpp"
#include "support/catch.hpp"
#include "support/checkpoint_numbers.hpp"

/// What torch computed with a model, in a file of tests/golden, and what ours computes: tokens
/// [rows, size], loss.0 to loss.2, and for each tensor gradient.NAME and after.NAME.
namespace golden_training {

using namespace dualagent;
using namespace checkpoint_numbers;

inline std::vector<std::vector<Token>> rows_of(const SafeTensors& expected) {
  const std::vector<std::size_t>& shape = expected.at("tokens").shape;
  const auto tokens = expected.values<std::int64_t>("tokens");
  std::vector<std::vector<Token>> rows(shape[0]);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    rows[i / shape[1]].push_back(static_cast<Token>(tokens[i]));
  return rows;
}

/// Largest |got - expected|, and the largest |expected|.
struct Difference {
  double difference = 0, size = 0;
};
inline Difference compare(std::span<const float> got, std::span<const float> expected) {
  REQUIRE(got.size() == expected.size());
  Difference result;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = expected[i];
    const double difference = std::abs(static_cast<double>(got[i]) - e);
    result.difference = std::isnan(difference) ? INFINITY : std::max(result.difference, difference);
    result.size = std::max(result.size, std::abs(e));
  }
  return result;
}

/// Of the tensors of `expected` under PREFIX.NAME, each against the part of `values` of that name:
/// the largest difference, as a share of the tensor's largest element if `relative`.
template <class Model>
double largest_difference(const Model& model, std::span<const float> values,
                          const SafeTensors& expected, const std::string& prefix, bool relative) {
  double largest = 0;
  for (const TensorInfo& tensor : model.tensors()) {
    const auto [difference, size] = compare(values.subspan(tensor.offset, tensor.size),
                                            expected.values<float>(prefix + tensor.name));
    INFO(tensor.name << ": " << difference << " of " << size);
    CHECK(size > 0);
    largest = std::max(largest, relative ? difference / size : difference);
  }
  return largest;
}

/// Loss and gradients are those of autograd.
template <class Model>
void check_gradients(Model& model, const SafeTensors& expected) {
  const double loss = cross_entropy_with_gradients(model, token_mean_batch(rows_of(expected)));
  CHECK(loss == Approx(expected.values<double>("loss.0")[0]).margin(1e-5));
  CHECK(largest_difference(model, model.gradients(), expected, "gradient.", true) <= 1e-4);
}

/// Three steps of AdamW end where torch's end.
template <class Model>
void check_adamw_steps(Model& model, const SafeTensors& expected) {
  const AdamW adamw{
      .learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.01};
  const PackedBatch batch = token_mean_batch(rows_of(expected));
  AdamWState<float> state(model.parameters().size());
  for (int step = 0; step < 3; ++step) {
    model.zero_gradients();
    const double loss = cross_entropy_with_gradients(model, batch);
    const auto torch = expected.values<double>("loss." + std::to_string(step))[0];
    CHECK(loss == Approx(torch).margin(1e-5));
    adamw.step(model.parameters(), model.gradients(), state);
    model.weights_changed();
  }
  CHECK(largest_difference(model, model.parameters(), expected, "after.", false) <= 1e-5);
}

}  // namespace golden_training
