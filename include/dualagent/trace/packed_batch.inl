#pragma once

/// Definitions of packed_batch.hpp; see core/compiled.hpp.

#include "dualagent/trace/packed_batch.hpp"

namespace dualagent {

DUALAGENT_INLINE PackedBatch::operator BatchColumns() const {  // implicit
  return {.tokens = size(),
          .rows = rows(),
          .token = tokens.data(),
          .row_begin = row_begin.data(),
          .loss_weight = loss_weight.data(),
          .agent = agent.data(),
          .sampler_log_prob = sampler_log_prob.data(),
          .weight_version = weight_version.data(),
          .rollout = rollout.data(),
          .temperature = temperature,
          .old_weight_version = old_weight_version,
          .loss = {.old_log_prob = old_log_prob.data(),
                   .reference_log_prob = reference_log_prob.data(),
                   .advantage = advantage.data(),
                   .sequence_log_ratio = sequence_log_ratio.data(),
                   .old_value = old_value.data(),
                   .value_target = value_target.data(),
                   .importance_weight = importance_weight.data()}};
}

DUALAGENT_INLINE std::size_t PackedBatch::row_of(std::size_t t) const {
  const auto next = std::upper_bound(row_begin.begin(), row_begin.end(), t);
  return static_cast<std::size_t>(next - row_begin.begin()) - 1;
}

DUALAGENT_INLINE std::size_t PackedBatch::append_row(std::span<const Token> row,
                                                     std::uint32_t rollout_index) {
  if (row.empty()) throw Error("a training row is empty", "PackedBatch::append_row");
  const std::size_t begin = tokens.size();
  for_each_column(*this, [&](auto& column, const auto&) { column.resize(begin + row.size()); });
  std::copy(row.begin(), row.end(), tokens.begin() + static_cast<std::ptrdiff_t>(begin));
  std::fill_n(importance_weight.begin() + static_cast<std::ptrdiff_t>(begin), row.size(), 1.0);
  row_begin.push_back(tokens.size());
  rollout.push_back(rollout_index);
  return begin;
}

DUALAGENT_INLINE std::size_t PackedBatch::append_row_of(const PackedBatch& other, std::size_t row) {
  const std::size_t begin = tokens.size();
  const auto first = static_cast<std::ptrdiff_t>(other.row_begin[row]);
  const auto last = static_cast<std::ptrdiff_t>(other.row_begin[row + 1]);
  for_each_column(other, [&](auto& to, const auto& from) {
    to.insert(to.end(), from.begin() + first, from.begin() + last);
  });
  row_begin.push_back(tokens.size());
  rollout.push_back(other.rollout[row]);
  return begin;
}

}  // namespace dualagent
