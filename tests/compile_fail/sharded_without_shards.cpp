// expect: Sharded.collective. needs a collective with reduce_scatter_sum
#include "dualagent/train/update_strategy.hpp"

struct SumsOnly {
  static constexpr std::size_t rank() { return 0; }
  static constexpr std::size_t size() { return 1; }
  template <class T>
  void all_reduce_sum(std::span<T>) {}
};

int main() { dualagent::Sharded across{SumsOnly{}}; }
