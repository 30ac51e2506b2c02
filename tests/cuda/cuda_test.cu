// The checks of loop_cases.hpp on a CUDA device.
//   bash tests/cuda/run.sh

#include <list>

#include "cuda/loop_cases.hpp"
#include "dualagent/cuda/token_loss.cuh"

namespace gpu = dualagent::cuda;  // CUDA's own headers have a namespace cuda, too

namespace {

struct CudaMachine {
  gpu::Reducer reducer;
  std::list<gpu::Buffer<float>> buffers;

  float* view(const std::vector<float>& values) {
    return buffers.emplace_back(std::span<const float>(values)).data();
  }
  std::vector<float> fetch(const float* view, std::size_t) const {
    for (const auto& buffer : buffers)
      if (buffer.data() == view) return buffer.download();
    return {};
  }
  template <class Body>
  void for_each(std::size_t count, const Body& body) {
    gpu::for_each(count, body);
  }
  template <class Operator, class Map>
  auto map_reduce(std::size_t count, const Operator& op, const Map& map) {
    return reducer.map_reduce(count, op, map);
  }
  template <class Operator, class Map>
  auto segmented_map_reduce(const std::vector<std::size_t>& begin, const Operator& op,
                            const Map& map) {
    const gpu::Buffer<std::size_t> offsets{std::span<const std::size_t>(begin)};
    gpu::Buffer<decltype(Operator::identity())> results(begin.size() - 1);
    reducer.segmented_map_reduce(begin.size() - 1, offsets.data(), op, map, results.data());
    return results.download();
  }
  template <class ObjectiveOf>
  auto token_loss(const ObjectiveOf& objective, const loop_cases::Columns& in) {
    gpu::Buffer<dualagent::kernels::TokenGradient<float>> out(in.loss_weight.size());
    gpu::token_loss(objective, in.loss_weight.size(),
                    {.loss_weight = view(in.loss_weight),
                     .log_prob = view(in.log_prob),
                     .entropy = view(in.entropy),
                     .old_log_prob = view(in.old_log_prob),
                     .reference_log_prob = view(in.reference_log_prob),
                     .advantage = view(in.advantage)},
                    out.data());
    return out.download();
  }
};

}  // namespace

TEST_CASE("the loops of a CUDA device agree with plain loops", "[cuda]") {
  CudaMachine machine;
  loop_cases::check_for_each(machine);
  loop_cases::check_map_reduce(machine);
  loop_cases::check_segments(machine);
}

TEST_CASE("a composed objective in a CUDA kernel agrees with its hand derivation", "[cuda]") {
  CudaMachine machine;
  loop_cases::check_token_loss(machine);
}

TEST_CASE("a buffer that is moved leaves nothing behind", "[cuda]") {
  const std::vector<float> numbers{1, 2, 3};
  gpu::Buffer<float> first{std::span<const float>(numbers)};
  gpu::Buffer<float> second = std::move(first);
  CHECK(second.download() == numbers);
  CHECK(first.size() == 0);
  second.resize(2);
  CHECK(second.download() == std::vector<float>{1, 2});
}

TEST_CASE("a failed CUDA call names itself", "[cuda]") {
  gpu::Buffer<float> buffer;
  CHECK_THROWS_WITH(buffer.resize(std::size_t{1} << 50), ContainsSubstring("cudaMalloc"));
}
