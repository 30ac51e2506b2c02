#pragma once

/// Marks a function that CPU loops and CUDA kernels both inline.
#if defined(__CUDACC__)
#define DUALAGENT_HD __host__ __device__
#else
#define DUALAGENT_HD
#endif
