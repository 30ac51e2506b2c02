#pragma once

#include <cstddef>
#include <vector>

#include "support/policy_formula.hpp"

/// policy_head_loss on the CPU, apart from the CUDA tests, since nvcc cannot read its products.
struct CpuHead {
  std::vector<float> d_hidden;   // [T, D]
  std::vector<float> d_weights;  // [V, D]
  std::vector<double> log_prob;  // [T]
};

CpuHead cpu_head(const policy_formula::Problem& problem, std::size_t width,
                 const std::vector<float>& hidden, const std::vector<float>& weights);
