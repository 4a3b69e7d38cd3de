// polder — the few macros of the library, and nothing else.
#pragma once

#if defined(__CUDACC__)
#define POLDER_HD __host__ __device__  ///< marks element functions: the same source runs on host and device
#else
#define POLDER_HD
#endif

#if defined(__GNUC__) || defined(__clang__) || defined(__CUDACC__)
#define POLDER_RESTRICT __restrict__  ///< promises that the arrays of one pass do not overlap
#else
#define POLDER_RESTRICT
#endif

#if defined(__GNUC__) || defined(__clang__)
#define POLDER_INLINE inline __attribute__((always_inline))  ///< for the bodies of hot loops
#else
#define POLDER_INLINE inline
#endif

// Before a pass over memory that has to be a function of its own: inside a long one g++ may leave its loops slow.
#if defined(__GNUC__) || defined(__clang__)
#define POLDER_NOINLINE __attribute__((noinline))
#else
#define POLDER_NOINLINE
#endif

// Before a loop of at most sixteen rounds whose number the compiler knows. Not for nvcc, which warns of the pragma.
#if defined(__GNUC__) && !defined(__CUDACC__)
#define POLDER_UNROLL _Pragma("GCC unroll 16")
#else
#define POLDER_UNROLL
#endif
