#include "cuda/loop_cases.hpp"
#include "dualagent/cpu/loops.inl"

using namespace dualagent;

namespace {

/// The serial loops behind the face that the checks of CUDA loops need.
struct CpuMachine {
  std::vector<std::vector<float>> buffers;

  float* view(const std::vector<float>& values) {
    buffers.reserve(64);  // views stay valid
    buffers.push_back(values);
    return buffers.back().data();
  }
  std::vector<float> fetch(const float* view, std::size_t size) const {
    return {view, view + size};
  }
  template <class Body>
  void for_each(std::size_t count, const Body& body) {
    cpu::for_each(count, body);
  }
  template <class Operator, class Map>
  auto map_reduce(std::size_t count, const Operator& op, const Map& map) {
    return cpu::map_reduce(count, op, map);
  }
  template <class Operator, class Map>
  auto segmented_map_reduce(const std::vector<std::size_t>& begin, const Operator& op,
                            const Map& map) {
    std::vector<decltype(Operator::identity())> results;
    for (std::size_t s = 0; s + 1 < begin.size(); ++s)
      results.push_back(cpu::map_reduce(begin[s + 1] - begin[s], op,
                                        [&](std::size_t i) { return map(begin[s] + i); }));
    return results;
  }
  template <class ObjectiveOf>
  auto token_loss(const ObjectiveOf& objective, const loop_cases::Columns& in) {
    const auto composed = [&]<class S>(const TokenTerms<S>& t) {
      return objective.loss(t) + objective.regularizer(t);
    };
    std::vector<kernels::TokenGradient<float>> out(in.loss_weight.size());
    for (std::size_t t = 0; t < out.size(); ++t)
      if (in.loss_weight[t] != 0.0F)
        out[t] = kernels::differentiate(
            composed, TokenTerms<float>{.log_prob = in.log_prob[t],
                                        .entropy = in.entropy[t],
                                        .old_log_prob = in.old_log_prob[t],
                                        .reference_log_prob = in.reference_log_prob[t],
                                        .advantage = in.advantage[t]});
    return out;
  }
};

}  // namespace

TEST_CASE("the serial loops pass the checks of CUDA loops", "[cuda]") {
  CpuMachine machine;
  loop_cases::check_for_each(machine);
  loop_cases::check_map_reduce(machine);
  loop_cases::check_segments(machine);
  loop_cases::check_token_loss(machine);
}
