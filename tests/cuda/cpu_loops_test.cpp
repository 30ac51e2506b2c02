#include <memory>

#include "cuda/loop_cases.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/cpu/sampling.inl"

using namespace dualagent;

namespace {

/// The serial loops behind the face that the checks need.
struct CpuMachine {
  cpu::Loops loops;
  std::vector<std::shared_ptr<void>> arrays;

  template <class T>
  T* view(const std::vector<T>& values) {
    const auto array = std::make_shared<std::vector<T>>(values);
    arrays.push_back(array);
    return array->data();
  }
  template <class T>
  std::vector<T> fetch(const T* view, std::size_t size) const {
    return {view, view + size};
  }
  std::vector<Token> sample(const std::vector<float>& logits, std::size_t vocab,
                            const std::vector<RandomStream>& random,
                            const std::vector<float>& temperature) {
    std::vector<Token> tokens;
    std::vector<float> e(vocab);
    for (std::size_t r = 0; r < random.size(); ++r) {
      const float* const row = logits.data() + r * vocab;
      const float* const top = std::max_element(row, row + vocab);
      for (std::size_t v = 0; v < vocab; ++v)
        e[v] = kernels::portable_exp((row[v] - *top) * (1.0F / temperature[r]));
      tokens.push_back(static_cast<Token>(temperature[r] == 0.0F
                                              ? static_cast<std::size_t>(top - row)
                                              : cpu::sample(vocab, e.data(), random[r].bits(0))));
    }
    return tokens;
  }
};

}  // namespace

TEST_CASE("the serial loops pass the checks of all loops", "[cuda]") {
  CpuMachine machine;
  loop_cases::check_all(machine);
}
