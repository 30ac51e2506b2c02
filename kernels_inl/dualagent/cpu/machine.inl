#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>

#include "dualagent/kernels/simd.inl"

/// The vector instructions that products are compiled for, and the choice among them at run time.
///
/// A machine has vectors of kBytes and their multiply-adds. A kernel is an object whose
/// `on<Machine>()` is the work; `Machine::run` compiles it for that machine. What a kernel calls is
/// inlined into it (`gnu::always_inline`) and takes vectors by reference: those of the machine may
/// be wider than what the rest of the program is compiled for.
namespace dualagent::cpu {

namespace detail {

/// c = a b + c of any vectors of a machine with fused multiply-adds. Assembly, since an intrinsic
/// may not be inlined into a function that is inlined into one for that machine, and since g++ 12
/// makes products of it that are up to 1.2 times as fast; clang fuses one expression by itself.
#if defined(__x86_64__) && !defined(__CUDACC__)
template <class V>
[[gnu::always_inline]] inline void fused_multiply_add(const V& a, const V& b, V& c) {
#if defined(__clang__)
#pragma clang fp contract(on)
  c = a * b + c;
#else
  if constexpr (sizeof(c[0]) == sizeof(float))
    asm("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
  else
    asm("vfmadd231pd %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
#endif
}
#endif

}  // namespace detail

/// What the whole program is compiled for.
struct Compiled {
  static constexpr std::size_t kBytes = kernels::kVectorBytes;
  static constexpr bool kFused = kernels::kFusedMultiplyAdd;
  template <class T>
  using Vec = kernels::Simd<T>;

  template <class V>
  [[gnu::always_inline]] static void multiply_add(const V& a, const V& b, V& c) {
#if defined(__FMA__) && !defined(__CUDACC__)
    detail::fused_multiply_add(a, b, c);
#else
    c = kernels::multiply_add(a, b, c);
#endif
  }
  template <class T>
  [[gnu::always_inline]] static T multiply_add_scalar(T a, T b, T c) {
    return kernels::multiply_add_scalar(a, b, c);
  }
  template <class Kernel>
  [[gnu::noinline]] static void run(const Kernel& kernel) {
    kernel.template on<Compiled>();
  }
};

#if defined(__x86_64__) && !defined(__CUDACC__)
#define DUALAGENT_WIDER_MACHINES 1

namespace detail {

/// What machines with fused multiply-adds have in common.
template <std::size_t bytes>
struct Fused {
  static constexpr std::size_t kBytes = bytes;
  static constexpr bool kFused = true;

  template <class V>
  [[gnu::always_inline]] static void multiply_add(const V& a, const V& b, V& c) {
    fused_multiply_add(a, b, c);
  }
  template <class T>
  [[gnu::always_inline]] static T multiply_add_scalar(T a, T b, T c) {
    return std::fma(a, b, c);
  }
};
template <class T>
struct VecOf32 {
  typedef T Vec __attribute__((vector_size(32)));
};
template <class T>
struct VecOf64 {
  typedef T Vec __attribute__((vector_size(64)));
};

}  // namespace detail

struct Avx2 : detail::Fused<32> {
  template <class T>
  using Vec = typename detail::VecOf32<T>::Vec;

  template <class Kernel>
  [[gnu::noinline, gnu::target("avx2,fma")]] static void run(const Kernel& kernel) {
    kernel.template on<Avx2>();
  }
};

struct Avx512 : detail::Fused<64> {
  template <class T>
  using Vec = typename detail::VecOf64<T>::Vec;

  template <class Kernel>
  [[gnu::noinline, gnu::target("avx512f,avx2,fma")]] static void run(const Kernel& kernel) {
    kernel.template on<Avx512>();
  }
};
#endif

/// Calls `body(machine)` with the best machine that this processor is: Compiled, where the program
/// is compiled for the widest one that the library knows.
template <class Body>
void with_machine(Body&& body) {
#if defined(DUALAGENT_WIDER_MACHINES)
  if constexpr (Compiled::kBytes < Avx512::kBytes) {
    if (__builtin_cpu_supports("avx512f")) return body(Avx512{});
    if constexpr (!kernels::kFusedMultiplyAdd)
      if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return body(Avx2{});
  }
#endif
  body(Compiled{});
}

/// Whether products on this processor round each multiply-add once.
inline bool products_are_fused() {
  bool fused = false;
  with_machine([&](auto machine) { fused = decltype(machine)::kFused; });
  return fused;
}

}  // namespace dualagent::cpu
