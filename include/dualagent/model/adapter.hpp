#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/model/gradient_stages.hpp"
#include "dualagent/model/linear.hpp"
#include "dualagent/model/low_rank.hpp"
#include "dualagent/model/transformer_weights.hpp"

namespace dualagent::detail {

/// The products of a layer, in the order of the forward pass.
enum class Product : std::uint8_t { qkv, output, gate_up, down };
inline constexpr std::size_t kProducts = 4;

template <class T>
const Linear<T>& linear_of(const LayerWeights<T>& layer, Product product) {
  const std::array<const Linear<T>*, kProducts> products{&layer.qkv, &layer.output, &layer.gate_up,
                                                         &layer.down};
  return *products[static_cast<std::size_t>(product)];
}

/// Low-rank changes of a transformer's projections: one flat array of all A and B, layer by layer,
/// under PEFT's names, and what is derived from it.
///
/// The weights only say which projections there are, and where; they are not kept.
template <class T>
class Adapter {
 public:
  /// Errors: as `LowRank::validate`.
  Adapter(const TransformerWeights<T>& base, LowRank options)
      : options_(std::move(options)), keeps_panels_(base.keeps_panels()) {
    options_.validate();
    for (std::size_t l = 0; l < base.config().num_hidden_layers; ++l) {
      layer_offsets_.push_back(total_);
      layers_.emplace_back();
      for (std::size_t p = 0; p < kProducts; ++p)
        layers_.back()[p] = lay_out(base, linear_of(base.layer(l), static_cast<Product>(p)));
    }
    layer_offsets_.push_back(total_);
    parameters_.assign(total_, T{0});
    if (options_.seed) initialise(*options_.seed);
    refresh();
  }

  const LowRank& options() const { return options_; }
  std::span<T> parameters() { return parameters_; }
  std::span<const T> parameters() const { return parameters_; }
  std::span<const TensorInfo> tensors() const { return tensors_; }
  /// See `stage_bounds`.
  std::vector<std::size_t> stages() const { return stage_bounds(layer_offsets_, total_); }
  const LowRankProduct<T>& product(std::size_t layer, Product product) const {
    return layers_[layer][static_cast<std::size_t>(product)];
  }

  /// Takes over the parameters.
  void refresh() {
    if (!keeps_panels_) return;
    for (auto& layer : layers_)
      for (LowRankProduct<T>& product : layer) product.refresh(parameters_.data());
  }

  /// Adds the adapter to parameters of the base's layout.
  void merge(const TransformerWeights<T>& base, std::span<T> parameters) const {
    for (std::size_t l = 0; l < layers_.size(); ++l)
      for (std::size_t p = 0; p < kProducts; ++p) {
        const Linear<T>& linear = linear_of(base.layer(l), static_cast<Product>(p));
        layers_[l][p].merge(parameters_.data(),
                            dense(parameters.data() + linear.weight(), linear.out(), linear.in()));
      }
  }

  WeightVersion version = 0;  ///< of the parameters

 private:
  /// Gives A and B of the product's projections their places; those of A come first.
  LowRankProduct<T> lay_out(const TransformerWeights<T>& base, const Linear<T>& linear) {
    std::vector<const TensorInfo*> changed;
    for (const TensorInfo& tensor : base.tensors())
      if (tensor.offset >= linear.weight() &&
          tensor.offset < linear.weight() + linear.out() * linear.in() &&
          options_.changes(*tensor.role))
        changed.push_back(&tensor);
    const std::size_t first_a = total_;
    for (const TensorInfo* tensor : changed) add(*tensor, "A", {options_.rank, linear.in()});
    std::vector<typename LowRankProduct<T>::Projection> projections;
    for (const TensorInfo* tensor : changed) {
      const std::size_t out = tensor->shape[0];
      projections.push_back({(tensor->offset - linear.weight()) / linear.in(), out, total_});
      add(*tensor, "B", {out, options_.rank});
    }
    return {linear.in(), options_.rank, options_.scale(), first_a, std::move(projections)};
  }

  /// PEFT's name of a projection's A or B.
  void add(const TensorInfo& weight, const std::string& which, std::vector<std::size_t> shape) {
    const std::string module = weight.name.substr(0, weight.name.rfind('.'));
    const std::size_t size = shape[0] * shape[1];
    tensors_.push_back({"base_model.model." + module + ".lora_" + which + ".weight",
                        std::move(shape),
                        total_,
                        size,
                        {}});
    total_ += size;
  }

  void initialise(std::uint64_t seed) {
    const RandomStream random = RandomStream::from_seed(seed);
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (!tensors_[i].name.ends_with("lora_A.weight")) continue;
      const double bound = 1.0 / std::sqrt(static_cast<double>(tensors_[i].shape[1]));
      const RandomStream stream = random.child(i);
      for (std::size_t j = 0; j < tensors_[i].size; ++j)
        parameters_[tensors_[i].offset + j] =
            static_cast<T>(bound * (2.0 * stream.uniform(j) - 1.0));
    }
  }

  LowRank options_;
  bool keeps_panels_;  // as the base does
  std::size_t total_ = 0;
  AlignedVector<T> parameters_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::array<LowRankProduct<T>, kProducts>> layers_;
  std::vector<std::size_t> layer_offsets_;  // [layers + 1]
};

/// Rows that follow one another and the adapter that changes their products; null: the base alone.
template <class T>
struct AdaptedRows {
  const Adapter<T>* adapter = nullptr;
  std::size_t rows = 0;
};

/// For each product of a layer, scale x A^T [rows, width] of its rows.
template <class T>
using ReducedRows = std::array<AlignedVector<T>, kProducts>;

/// Adds what the adapters of the rows of x [rows, in] add to y [rows, outputs]. `reduced` holds
/// what the backward pass wants of the last group of rows.
template <class T>
void add_low_rank(std::span<const AdaptedRows<T>> adapted, std::size_t layer, Product product,
                  std::type_identity_t<Matrix<const T>> x, Matrix<T> y, ReducedRows<T>& reduced) {
  std::size_t first = 0;
  for (const auto& [adapter, rows] : adapted) {
    if (adapter != nullptr && rows > 0 && !adapter->product(layer, product).empty())
      adapter->product(layer, product)
          .forward(adapter->parameters().data(), x.rows_at(first, rows), y.rows_at(first, rows),
                   reduced[static_cast<std::size_t>(product)]);
    first += rows;
  }
}

}  // namespace dualagent::detail
