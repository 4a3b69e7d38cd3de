// polder — what a plain loop cannot say to the processor: stores past the caches, prefetches, and registers of doubles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "polder/backend/host_memory.hpp"
#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/intrinsics.hpp"

namespace polder::detail {

/// Copies `count` numbers past the caches where the processor can do that. Call finish_streaming() afterwards.
template <class T>
inline void stream_to(T* POLDER_RESTRICT to, const T* POLDER_RESTRICT from, std::size_t count) {
#if defined(__SSE2__)
#if defined(__AVX512F__)
  constexpr std::size_t width = 64;
#elif defined(__AVX__)
  constexpr std::size_t width = 32;
#else
  constexpr std::size_t width = 16;
#endif
  constexpr std::size_t step = width / sizeof(T);
  const std::size_t offset = (reinterpret_cast<std::size_t>(to) / sizeof(T)) % step;
  const std::size_t head = std::min(count, (step - offset) % step);
  std::size_t i = 0;
  for (; i < head; ++i) to[i] = from[i];
  for (; i + step <= count; i += step) {
#if defined(__AVX512F__)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_loadu_si512(from + i));
#elif defined(__AVX__)
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
#else
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
#endif
  }
  for (; i < count; ++i) to[i] = from[i];
#else
  std::memcpy(to, from, count * sizeof(T));
#endif
}

/// Makes streamed numbers visible to other threads in the order of the program.
inline void finish_streaming() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

/// Asks for numbers that the next block will read.
template <class T>
inline void prefetch([[maybe_unused]] const T* numbers, [[maybe_unused]] std::size_t count) {
#if defined(__GNUC__) || defined(__clang__)
  constexpr std::size_t line = 64 / sizeof(T);
  for (std::size_t i = 0; i < count; i += line) __builtin_prefetch(numbers + i);
#endif
}

/// As many doubles as fit into a vector register. Sums of floats in double are bound by the conversions; the compiler's
/// own way of widening takes three instructions where one does it.
#if defined(__AVX512F__)
inline constexpr std::size_t pack_size = 8;
#elif defined(__AVX__)
inline constexpr std::size_t pack_size = 4;
#else
inline constexpr std::size_t pack_size = 2;
#endif
typedef double double_pack __attribute__((vector_size(pack_size * sizeof(double))));

POLDER_INLINE void load(const double* from, double_pack& to) { std::memcpy(&to, from, sizeof to); }
POLDER_INLINE void load(const float* from, double_pack& to) {
#if defined(__AVX512F__)
  to = _mm512_cvtps_pd(_mm256_loadu_ps(from));
#elif defined(__AVX__)
  to = _mm256_cvtps_pd(_mm_loadu_ps(from));
#else
  for (std::size_t i = 0; i < pack_size; ++i) to[i] = static_cast<double>(from[i]);
#endif
}
POLDER_INLINE void store(const double_pack& from, double* to) { std::memcpy(to, &from, sizeof from); }
POLDER_INLINE void store(const double_pack& from, float* to) {
  typedef float float_pack __attribute__((vector_size(pack_size * sizeof(float))));
  const auto numbers = __builtin_convertvector(from, float_pack);
  std::memcpy(to, &numbers, sizeof numbers);
}
/// As settle() of numbers in memory, for those of a register: a product that passes is not contracted with a sum.
POLDER_INLINE void settle(double_pack& values) {
#if defined(__AVX512F__)
  asm volatile("" : "+v"(values));
#elif defined(__SSE2__)
  asm volatile("" : "+x"(values));
#else
  double numbers[pack_size];
  std::memcpy(numbers, &values, sizeof numbers);
  settle(numbers);
  std::memcpy(&values, numbers, sizeof numbers);
#endif
}
/// y += weight x as ops::multiply_add() rounds it for single numbers.
POLDER_INLINE void add_product(double_pack& y, double weight, const double_pack& x) {
#if defined(__AVX512F__)
  y = _mm512_fmadd_pd(_mm512_set1_pd(weight), x, y);
#elif defined(__AVX__) && defined(__FMA__)
  y = _mm256_fmadd_pd(_mm256_set1_pd(weight), x, y);
#else
  for (std::size_t i = 0; i < pack_size; ++i) y[i] = ops::multiply_add(weight, x[i], y[i]);
#endif
}

}  // namespace polder::detail
