#pragma once

#include <cstring>

#include "cuda_runtime.h"

namespace cub {

template <class T, int kThreads>
class BlockReduce {
 public:
  struct TempStorage {
    T item[kThreads];
  };
  explicit BlockReduce(TempStorage& storage) : storage_(storage) {}

  /// The result is thread 0's; the others get bytes of no meaning.
  template <class Operator>
  T Reduce(T item, Operator op,
           const cuda_emulator::Place& place = {__builtin_FILE(), __builtin_LINE()}) {
    storage_.item[threadIdx.x] = item;
    __syncthreads(place);
    if (threadIdx.x != 0) {
      std::memset(static_cast<void*>(&item), 0xA5, sizeof item);
      return item;
    }
    for (int i = 1; i < kThreads; ++i) item = op(item, storage_.item[i]);
    return item;
  }
  T Sum(T item, const cuda_emulator::Place& place = {__builtin_FILE(), __builtin_LINE()}) {
    return Reduce(
        item, [](T a, T b) { return a + b; }, place);
  }

 private:
  TempStorage& storage_;
};

}  // namespace cub
