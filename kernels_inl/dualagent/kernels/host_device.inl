#pragma once

/// Marks a function that CPU loops and CUDA kernels both inline.
#if defined(__CUDACC__)
#define DUALAGENT_HD __host__ __device__
#else
#define DUALAGENT_HD
#endif

/// clang calls an operation on numbers with derivatives where g++ and nvcc inline it, and then all
/// of them go through memory. DUALAGENT_INLINE marks one that is inlined everywhere,
/// DUALAGENT_FLATTEN a function that inlines whatever it calls, a user's loss too.
#if defined(__clang__) && !defined(__CUDACC__)
#define DUALAGENT_INLINE __attribute__((always_inline))
#define DUALAGENT_FLATTEN __attribute__((flatten))
#else
#define DUALAGENT_INLINE
#define DUALAGENT_FLATTEN
#endif
