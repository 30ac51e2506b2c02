#pragma once

/// DUALAGENT_HD marks a function that CPU loops and CUDA kernels both inline, DUALAGENT_FLATTEN one
/// that inlines whatever it calls, a user's loss too. clang must be told: it calls an operation on
/// numbers with derivatives where g++ and nvcc inline it, and then all of them go through memory.
#if defined(__CUDACC__)
#define DUALAGENT_HD __host__ __device__
#define DUALAGENT_FLATTEN
#elif defined(__clang__)
#define DUALAGENT_HD __attribute__((always_inline))
#define DUALAGENT_FLATTEN __attribute__((flatten))
#else
#define DUALAGENT_HD
#define DUALAGENT_FLATTEN
#endif
