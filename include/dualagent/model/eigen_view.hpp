#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/spelling.hpp"
#include "dualagent/model/architecture.hpp"

/// Tensors of a model as Eigen matrices. Needs Eigen 3.4: the CMake target dualagent::eigen.
namespace dualagent {

/// A matrix of its own, in the order of a model's tensors: [rows, columns], row-major.
template <class Scalar>
using EigenMatrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Numbers that lie elsewhere as a matrix; of const Scalar: to be read only.
template <class Scalar>
using EigenMap = std::conditional_t<std::is_const_v<Scalar>,
                                    Eigen::Map<const EigenMatrix<std::remove_const_t<Scalar>>>,
                                    Eigen::Map<EigenMatrix<std::remove_const_t<Scalar>>>>;

/// The tensor of that name. Errors: Error with the three nearest names for an unknown one.
inline const TensorInfo& find_tensor(std::span<const TensorInfo> tensors, std::string_view name) {
  std::vector<std::pair<std::size_t, std::string_view>> nearest;  // edits, name
  for (const TensorInfo& tensor : tensors) {
    if (tensor.name == name) return tensor;
    nearest.emplace_back(count_edits(name, tensor.name), tensor.name);
  }
  std::stable_sort(nearest.begin(), nearest.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(nearest.size(), 3); ++i)
    names += (i == 0 ? "The nearest are \"" : ", \"") + std::string(nearest[i].second) + "\"";
  throw Error("the model has no tensor \"" + std::string(name) + "\"", "find_tensor", names);
}

/// One tensor of a flat buffer (parameters or gradients) as a matrix: one of one dimension [n] is
/// the column [n, 1]. Errors: Error for a tensor of more than two dimensions.
template <class Scalar>
EigenMap<Scalar> eigen(std::span<Scalar> buffer, const TensorInfo& tensor) {
  if (tensor.shape.empty() || tensor.shape.size() > 2)
    throw Error(tensor.name + " has " + std::to_string(tensor.shape.size()) + " dimensions",
                "eigen", "Only those of one and two are matrices");
  const std::size_t columns = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
  return {buffer.data() + tensor.offset, static_cast<Eigen::Index>(tensor.shape[0]),
          static_cast<Eigen::Index>(columns)};
}

/// A tensor of a model by its Hugging Face name, as a matrix [out, in]; a vector [n] is the column
/// [n, 1]. No copy: it is valid as long as the model. Of a const model it can only be read.
///
/// After writing call `model.weights_changed()`: only then are the new weights used, and only then
/// do tokens carry a new weight version.
/// Errors: as `find_tensor`, and Error for a tensor of more than two dimensions.
/// Example: eigen(model, "model.layers.0.mlp.up_proj.weight").row(3).setZero();
///          model.weights_changed();
template <class Model>
auto eigen(Model& model, std::string_view name) {
  return eigen(model.parameters(), find_tensor(model.tensors(), name));
}

}  // namespace dualagent
