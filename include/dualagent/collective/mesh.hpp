#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

template <class Data, class Model>
class Mesh;

template <class Context, class Tensor>
class ContextParallel;

template <class T>
inline constexpr bool is_context_parallel = false;
template <class Context, class Tensor>
inline constexpr bool is_context_parallel<ContextParallel<Context, Tensor>> = true;

template <class T>
inline constexpr bool is_mesh = false;
template <class Data, class Model>
inline constexpr bool is_mesh<Mesh<Data, Model>> = true;

/// One readable sentence if Data and Model are not the axes of a mesh.
template <class Data, class Model>
consteval bool check_mesh() {
  static_assert(
      !is_mesh<Data> && !is_mesh<Model>,
      "dualagent: the axes of Mesh{data, model} are collectives of their own, not meshes; "
      "see docs/collectives.md#two-axes");
  static_assert(!is_context_parallel<Data>,
                "dualagent: the ranks of a ContextParallel have one model together: write "
                "Mesh{data, ContextParallel{ranks}}; see docs/ranks.md#long-rows-on-several-ranks");
  if constexpr (!is_mesh<Data> && !is_mesh<Model>)
    static_assert(Collective<Data> && Collective<Model>,
                  "dualagent: Mesh{data, model} takes a collective for each axis, with rank(), "
                  "size(), all_reduce_sum(std::span<float>) and all_reduce_sum(std::span<double>); "
                  "see docs/collectives.md#two-axes");
  return true;
}

/// What each rank brought, in rank order. All ranks must call it.
template <class C>
std::vector<double> gather_numbers(C& collective, double number) {
  std::vector<double> all(collective.size(), 0.0);
  all[collective.rank()] = number;
  collective.all_reduce_sum(std::span<double>(all));
  return all;
}

/// The first rank r whose number is not that of rank r % parts; `all.size()` if there is none.
inline std::size_t first_other(std::span<const double> all, std::size_t parts = 1) {
  std::size_t rank = 0;
  while (rank < all.size() && all[rank] == all[rank % parts]) ++rank;
  return rank;
}

/// The first rank r that brings another number than rank r % parts does, all 64 bits compared;
/// `size()` if there is none. All ranks must call it.
template <class C>
std::size_t first_other_bits(C& collective, std::uint64_t number, std::size_t parts = 1) {
  std::size_t first = collective.size();
  for (const std::uint64_t half : {number >> 32U, number & 0xFFFFFFFFU})  // exact in a double
    first =
        std::min(first, first_other(gather_numbers(collective, static_cast<double>(half)), parts));
  return first;
}

namespace detail {

/// What the ranks of two axes that do not cross are told.
struct AxesError {
  std::string where, remedy;
};

/// Errors: Error on every rank of `axis`, a `group`, unless all bring one number, their `what`.
template <class Axis>
void require_one(Axis& axis, std::size_t number, const std::string& group, const std::string& what,
                 const AxesError& error) {
  const std::vector<double> all = gather_numbers(axis, static_cast<double>(number));
  const std::size_t other = first_other(all);
  if (other == all.size()) return;
  const auto text = [&](std::size_t rank) {
    return std::to_string(static_cast<std::size_t>(all[rank]));
  };
  throw Error("ranks of one " + group + " do not have one " + what + ": rank 0 has " + text(0) +
                  ", rank " + std::to_string(other) + " has " + text(other),
              error.where, error.remedy);
}

}  // namespace detail

/// Ranks along two axes: the data axis deals tasks, averages metrics and sums gradients; the model
/// axis sums what the ranks of one model compute together, e.g. a tensor-parallel product.
///
/// Stands where a collective is taken: as a collective it is its data axis. `model_axis()` is for
/// learners that are one model on several ranks; a learner takes it when it is made. The ranks of a
/// model group (equal data ranks) are given the same tasks. Whole models on them draw the same
/// random numbers; of one model that lies on them rank 0 draws. All ranks must make their mesh at
/// the same time.
/// Errors: the constructor throws Error on every rank of a group that does not lie along its axis.
/// Example: Mesh mesh{data, model};
///          Trainer trainer{pairing, protocol, reward, recipe, mesh, options};
template <class Data, class Model>
class Mesh : public Data {
  static_assert(check_mesh<Data, Model>());

 public:
  Mesh(Data data, Model model) : Data(std::move(data)), model_(std::move(model)) {
    const detail::AxesError error{
        "Mesh",
        "Rank r of a mesh with m ranks on the model axis is rank r / m of the data axis and r % m "
        "of the model axis"};
    detail::require_one(model_, Data::rank(), "model group", "rank of the data axis", error);
    detail::require_one(model_, Data::size(), "model group", "size of the data axis", error);
    detail::require_one(data_axis(), model_.rank(), "data group", "rank of the model axis", error);
  }

  Data& data_axis() { return *this; }
  const Data& data_axis() const { return *this; }
  Model& model_axis() { return model_; }
  const Model& model_axis() const { return model_; }

 private:
  Model model_;
};

/// Whether this is the rank that speaks and writes files for all: rank 0 of a collective, of a mesh
/// the one that is rank 0 on both axes.
template <class C>
bool is_first_rank(const C& collective) {
  if constexpr (is_mesh<C>)
    return collective.rank() == 0 && collective.model_axis().rank() == 0;
  else
    return collective.rank() == 0;
}

}  // namespace dualagent
