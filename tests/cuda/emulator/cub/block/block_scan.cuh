#pragma once

#include "cuda_runtime.h"

namespace cub {

template <class T, int kThreads>
class BlockScan {
 public:
  struct TempStorage {
    T item[kThreads];
  };
  explicit BlockScan(TempStorage& storage) : storage_(storage) {}

  /// `before`: sum of the items of the threads before this one; `all`: of all.
  void ExclusiveSum(T item, T& before, T& all,
                    const cuda_emulator::Place& place = {__builtin_FILE(), __builtin_LINE()}) {
    storage_.item[threadIdx.x] = item;
    __syncthreads(place);
    before = all = T{};
    for (int i = 0; i < kThreads; ++i) {
      if (i == static_cast<int>(threadIdx.x)) before = all;
      all += storage_.item[i];
    }
  }

 private:
  TempStorage& storage_;
};

}  // namespace cub
