#include "cuda/cpu_head.hpp"

#include "dualagent/model/policy_head.hpp"

using namespace dualagent;

CpuHead cpu_head(const policy_formula::Problem& problem, std::size_t width,
                 const std::vector<float>& hidden, const std::vector<float>& weights) {
  CpuHead result{std::vector<float>(hidden.size()), std::vector<float>(weights.size()), {}};
  TokenOutputs outputs;
  outputs.resize(problem.rows);
  ThreadPool pool(1);
  policy_head_loss(pool,
                   PolicyHead<float>{width, hidden, weights, result.d_hidden, result.d_weights},
                   problem.policy_rows(), problem.loss, outputs);
  result.log_prob = outputs.log_prob;
  return result;
}
