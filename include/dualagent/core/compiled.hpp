#pragma once

/// Where the library's functions are compiled: in every program (header-only, the default), or
/// once.
///
/// A header NAME.hpp declares. Its larger functions that are not templates are defined in NAME.inl
/// beside it, which NAME.hpp includes at its end. A program that links the CMake target
/// `dualagent::compiled` is compiled with DUALAGENT_COMPILED: then no header includes its NAME.inl,
/// and what the CPU transformer of `float` consists of is declared as `extern template`.
/// Same source, same results.

/// Before the definition of such a function.
#if defined(DUALAGENT_COMPILED)
#define DUALAGENT_INLINE
#else
#define DUALAGENT_INLINE inline
#endif
