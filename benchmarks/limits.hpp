#pragma once

#include <algorithm>
#include <cstddef>
#include <ctime>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/kernels/simd.inl"

/// What the machine could do at best, measured by small loops on all threads of a pool.
namespace bench {

namespace detail {

/// Best rate of `amount` per call of `body(worker)` on all workers, by the time that they had a
/// processor: other programs on the machine do not count.
template <class Body>
double best_rate(dualagent::ThreadPool& pool, double amount, Body&& body) {
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t begin = std::clock();
    pool.run(body);
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    best = std::max(best, amount * static_cast<double>(pool.size()) / seconds);
  }
  return best;
}

/// Keeps the compiler from leaving out what leads to a vector.
inline void use(dualagent::kernels::Simd<float>& value) { asm volatile("" : "+m"(value)); }

}  // namespace detail

/// Floating-point operations per second of independent multiply-adds in registers.
inline double multiply_add_rate(dualagent::ThreadPool& pool) {
  namespace kernels = dualagent::kernels;
  constexpr std::size_t kSteps = 5'000'000, kChains = 12;
  const double operations = 2.0 * kSteps * kChains * kernels::kLanes<float>;
  return detail::best_rate(pool, operations * static_cast<double>(pool.size()),
                           [](std::size_t worker) {
                             const auto x = kernels::broadcast(0.5F + static_cast<float>(worker));
                             kernels::Simd<float> sum[kChains] = {};
                             for (auto& chain : sum) detail::use(chain);  // or all are one chain
                             for (std::size_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 12
                               for (std::size_t i = 0; i < kChains; ++i)
                                 sum[i] = kernels::multiply_add(sum[i], x, x);
                             for (auto& chain : sum) detail::use(chain);
                           });
}

/// Bytes per second read from memory, each worker its own 256 MiB.
inline double read_rate(dualagent::ThreadPool& pool) {
  namespace kernels = dualagent::kernels;
  constexpr std::size_t kBytes = std::size_t{256} << 20U, kVectors = 8;
  constexpr std::size_t kFloats = kBytes / sizeof(float), kLanes = kernels::kLanes<float>;
  const dualagent::AlignedVector<float> memory(pool.size() * kFloats, 1.0F);
  return detail::best_rate(pool, static_cast<double>(pool.size() * kBytes),
                           [&](std::size_t worker) {
                             const float* const from = memory.data() + worker * kFloats;
                             kernels::Simd<float> sum[kVectors] = {};
                             for (std::size_t i = 0; i < kFloats; i += kVectors * kLanes)
#pragma GCC unroll 8
                               for (std::size_t v = 0; v < kVectors; ++v)
                                 sum[v] += kernels::load<float>(from + i + v * kLanes);
                             for (auto& part : sum) detail::use(part);
                           });
}

}  // namespace bench
