#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/loops/optimizer.inl"
#include "dualagent/model/architecture.hpp"
#include "dualagent/model/eigen_view.hpp"
#include "dualagent/optim/adamw.hpp"

/// The optimizer Muon. Needs Eigen 3.4: the CMake target dualagent::eigen.
namespace dualagent {

/// Brings a matrix near to the orthogonal one with the same singular vectors: its singular values,
/// divided by their norm, go through s -> 3.4445 s - 4.7750 s^3 + 2.0315 s^5, `steps` times.
///
/// After 5 steps they lie within about 0.3 of 1, unless one was below a hundredth of the norm. Cost
/// of a step, for k rows and n >= k columns (or the other way round): 2 k^2 n + k^3
/// multiplications. A matrix of zeros stays one.
/// Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
template <class Scalar>
EigenMatrix<Scalar> orthogonalize(EigenMatrix<Scalar> matrix, std::size_t steps) {
  const bool tall = matrix.rows() > matrix.cols();
  if (tall) matrix.transposeInPlace();
  matrix /= std::max(matrix.norm(), static_cast<Scalar>(1e-7));
  EigenMatrix<Scalar> gram, factor;  // [k, k]
  for (std::size_t step = 0; step < steps; ++step) {
    gram.noalias() = matrix * matrix.transpose();
    factor = static_cast<Scalar>(-4.7750) * gram;
    factor.noalias() += static_cast<Scalar>(2.0315) * gram * gram;
    factor.diagonal().array() += static_cast<Scalar>(3.4445);
    matrix = (factor * matrix).eval();
  }
  if (tall) matrix.transposeInPlace();
  return matrix;
}

/// What Muon keeps between steps, and where the matrices are.
template <class Scalar>
struct MuonState {
  /// A run of weights: a matrix, or what lies between two of them.
  struct Place {
    std::size_t offset;        // in the model's parameters
    std::size_t state_offset;  // in the arrays below
    std::size_t rows, columns;
    std::size_t size() const { return rows * columns; }
  };
  std::vector<Place> matrices, others;
  AlignedVector<Scalar> momentum;       // of the matrices, one after the other: mean of gradients
  AlignedVector<Scalar> first, second;  // AdamW's moments of all other weights
  std::uint64_t steps = 0;

  template <class Visitor>
  void for_each(Visitor&& visit) {
    visit("momentum", momentum);
    visit("first_moment", first);
    visit("second_moment", second);
  }
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    visit("momentum", momentum);
    visit("first_moment", first);
    visit("second_moment", second);
  }
};

/// Muon: the momentum of every hidden matrix is orthogonalized, so that a step moves all its
/// directions alike. Everything else (embeddings, head, norms, biases) goes by AdamW.
///
/// A hidden matrix is a tensor whose role says so (`is_hidden_matrix`). A step of one is 0.2
/// sqrt(max(rows, columns)) as long as the orthogonal matrix, which makes it as long as AdamW's:
/// the same learning rates and weight decays suit both. Products by Eigen, one matrix after the
/// other. Not over a `Sharded` collective: a step needs whole matrices. Determinism: the same bits
/// in every run of one build on one kind of CPU. Cost: half of AdamW's state for the matrices, and
/// their products; see `orthogonalize`. Source: Jordan et al., 2024, with Nesterov's momentum;
/// scale and decay of Liu et al., "Muon is scalable for LLM training", 2025, section 2.2. Example:
/// TrainerOptionsFor<Muon>{.update = {.optimizer = {.learning_rate = 3e-4}}}
struct Muon {
  double learning_rate = 1e-4;  ///< of the hidden matrices
  double momentum = 0.95;
  double weight_decay = 0.0;  ///< of the hidden matrices
  std::size_t newton_schulz_steps = 5;
  AdamW adamw{};  ///< for all other weights

  /// Errors: Error for a value that cannot be meant, as it is in `Scalar`.
  template <class Scalar>
  void validate() const {
    require_option(static_cast<Scalar>(learning_rate), kNotNegative, "learning_rate", "Muon");
    require_option(static_cast<Scalar>(momentum), kBelowOne, "momentum", "Muon");
    require_option(static_cast<Scalar>(weight_decay), kNotNegative, "weight_decay", "Muon");
    require_option(learning_rate * weight_decay, kFraction, "learning_rate * weight_decay", "Muon",
                   "a step takes this share of every weight away");
    require_option(newton_schulz_steps, kAtLeastOne, "newton_schulz_steps", "Muon");
    adamw.template validate<Scalar>();
  }

  template <class Visitor>
  void describe(Visitor&& visit) const {
    visit("learning_rate", learning_rate);
    visit("momentum", momentum);
    visit("weight_decay", weight_decay);
    visit("newton_schulz_steps", static_cast<double>(newton_schulz_steps));
    adamw.describe(
        [&](const char* name, double value) { visit(std::string("adamw.") + name, value); });
  }

  /// Errors: Error where no tensor is a hidden matrix.
  template <class Scalar>
  MuonState<Scalar> make_state(std::size_t parameters, std::span<const TensorInfo> tensors) const {
    MuonState<Scalar> state;
    std::size_t end = 0, momenta = 0, moments = 0;
    const auto add_others_up_to = [&](std::size_t offset) {
      if (offset > end) state.others.push_back({end, moments, 1, offset - end});
      moments += offset - std::min(offset, end);
    };
    for (const TensorInfo& tensor : tensors) {
      if (!is_hidden_matrix(tensor)) continue;
      add_others_up_to(tensor.offset);
      state.matrices.push_back({tensor.offset, momenta, tensor.shape[0], tensor.shape[1]});
      momenta += tensor.size;
      end = tensor.offset + tensor.size;
    }
    add_others_up_to(parameters);
    if (state.matrices.empty())
      throw Error("no tensor of the model is a hidden matrix", "Muon",
                  "Set TensorInfo::role of the model's tensors, or use AdamW");
    state.momentum.resize(momenta);
    state.first.resize(moments);
    state.second.resize(moments);
    return state;
  }

  /// One update in place; `scale` multiplies both learning rates (a schedule's value).
  /// Errors: throws when the sizes differ.
  template <class Scalar>
  void step(std::span<Scalar> weights, std::span<const Scalar> gradients, MuonState<Scalar>& state,
            double scale = 1.0) const {
    const std::size_t expected = state.momentum.size() + state.first.size();
    if (weights.size() != expected || gradients.size() != expected)
      throw Error("Muon got " + std::to_string(weights.size()) + " weights, " +
                      std::to_string(gradients.size()) + " gradients and a state for " +
                      std::to_string(expected),
                  "Muon::step");
    const auto constants = adamw.template at_step<Scalar>(++state.steps, scale);
    cpu::Loops loops;
    for (const auto& place : state.others)
      loops::adamw(loops, constants, place.size(), gradients.data() + place.offset,
                   weights.data() + place.offset, state.first.data() + place.state_offset,
                   state.second.data() + place.state_offset);
    for (const auto& place : state.matrices) {
      const auto rows = static_cast<Eigen::Index>(place.rows);
      const auto columns = static_cast<Eigen::Index>(place.columns);
      update_matrix<Scalar>({gradients.data() + place.offset, rows, columns}, scale,
                            {state.momentum.data() + place.state_offset, rows, columns},
                            {weights.data() + place.offset, rows, columns});
    }
  }

 private:
  template <class Scalar>
  void update_matrix(EigenMap<const Scalar> gradient, double scale, EigenMap<Scalar> mean,
                     EigenMap<Scalar> weight) const {
    const double rate = learning_rate * scale;
    const double length =
        0.2 * std::sqrt(static_cast<double>(std::max(weight.rows(), weight.cols())));
    const auto old = static_cast<Scalar>(momentum);
    mean = old * mean + (Scalar{1} - old) * gradient;
    const EigenMatrix<Scalar> direction =
        orthogonalize<Scalar>(old * mean + (Scalar{1} - old) * gradient, newton_schulz_steps);
    weight = static_cast<Scalar>(1.0 - rate * weight_decay) * weight -
             static_cast<Scalar>(rate * length) * direction;
  }
};

}  // namespace dualagent
