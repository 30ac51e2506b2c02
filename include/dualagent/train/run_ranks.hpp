#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/mesh.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// What the ranks of a run agree on. All of them make each call, over the collective and, of a
/// Mesh, both of its axes.
template <class C>
class RunRanks {
 public:
  explicit RunRanks(C& collective) : collective_(&collective) {}

  /// Whether this is the rank that writes files and speaks for all.
  bool is_first() const { return is_first_rank(*collective_); }

  /// Which share of the data is this rank's.
  std::size_t rank() const { return collective_->rank(); }

  /// Whether this rank plays rollouts: of a model on several ranks the first alone does.
  bool plays() const {
    if constexpr (is_mesh<C>) return collective_->model_axis().rank() == 0;
    return true;
  }

  /// Which of the flags some rank has set. Of one rank alone: its own.
  template <std::size_t count>
  std::array<bool, count> any(const std::array<bool, count>& mine) {
    std::array<double, count> sums{};
    for (std::size_t i = 0; i < count; ++i) sums[i] = mine[i] ? 1.0 : 0.0;
    collective_->all_reduce_sum(std::span<double>(sums));
    if constexpr (is_mesh<C>) collective_->model_axis().all_reduce_sum(std::span<double>(sums));
    std::array<bool, count> result{};
    for (std::size_t i = 0; i < count; ++i) result[i] = sums[i] > 0;
    return result;
  }

  /// Until all are here.
  void meet() { any(std::array{false}); }

  /// Errors: Error on every rank of a group whose numbers differ.
  void require_same(std::size_t number, const std::string& what, const std::string& where) {
    const auto check = [&](auto& axis) {
      const std::vector<double> all = gather_numbers(axis, static_cast<double>(number));
      const std::size_t other = first_other(all);
      if (other == all.size()) return;
      throw Error("rank 0 has " + what + " " + std::to_string(static_cast<std::size_t>(all[0])) +
                      ", rank " + std::to_string(other) + " has " +
                      std::to_string(static_cast<std::size_t>(all[other])),
                  where, "All ranks must see one folder, and with the same options");
    };
    check(*collective_);
    if constexpr (is_mesh<C>) check(collective_->model_axis());
  }

 private:
  C* collective_;
};

}  // namespace dualagent
