// polder — vectors of the processor's own width, for the loops that the compiler would not vectorize by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "polder/core/config.hpp"

namespace polder::nn::detail {

#if defined(__AVX512F__)
inline constexpr std::size_t vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr std::size_t vector_bytes = 32;
#else
inline constexpr std::size_t vector_bytes = 16;
#endif

/// So many bytes of numbers with element-wise arithmetic (an extension of GCC and Clang).
template <class T, std::size_t Bytes = vector_bytes>
struct vector_of {
  typedef T type __attribute__((vector_size(Bytes)));
};
template <class T>
using vec = typename vector_of<T>::type;
template <class T>
inline constexpr std::size_t lanes = vector_bytes / sizeof(T);

template <class T>
[[nodiscard]] POLDER_INLINE vec<T> load(const T* from) {
  vec<T> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class T>
POLDER_INLINE void store(T* to, vec<T> v) {
  std::memcpy(to, &v, sizeof v);
}

/// Calls `work` with the bytes of the narrowest vector that holds `count` numbers, or of the widest there is.
template <class T, class Work>
POLDER_INLINE void with_vector_for(std::size_t count, const Work& work) {
  if constexpr (vector_bytes >= 64) {
    if (count * sizeof(T) > 32) return work(std::integral_constant<std::size_t, 64>{});
  }
  if constexpr (vector_bytes >= 32) {
    if (count * sizeof(T) > 16) return work(std::integral_constant<std::size_t, 32>{});
  }
  work(std::integral_constant<std::size_t, 16>{});
}

/// The lanes of a and b in a row, in another order. nvcc loses the expansion of a pack in the compilers' own shuffle.
template <class Vector, std::size_t... From>
[[nodiscard]] POLDER_INLINE Vector shuffled(const Vector& a, const Vector& b, std::index_sequence<From...>) {
#if defined(__CUDACC__)
  constexpr std::size_t from[] = {From...};
  std::remove_cvref_t<decltype(a[0])> lanes_of_both[2 * sizeof...(From)], taken[sizeof...(From)];
  std::memcpy(lanes_of_both, &a, sizeof a);
  std::memcpy(lanes_of_both + sizeof...(From), &b, sizeof b);
  for (std::size_t i = 0; i < sizeof...(From); ++i) taken[i] = lanes_of_both[from[i]];
  Vector result;
  std::memcpy(&result, taken, sizeof result);
  return result;
#else
  return __builtin_shufflevector(a, b, static_cast<int>(From)...);
#endif
}
/// The even (Odd = 0) or odd lanes of two vectors in a row.
template <std::size_t Odd, class Vector, std::size_t... I>
[[nodiscard]] POLDER_INLINE Vector every_second(const Vector& a, const Vector& b, std::index_sequence<I...>) {
  return shuffled(a, b, std::index_sequence<(2 * I + Odd)...>{});
}
/// The lanes of two vectors in turns: the first (Upper = 0) or the second half of them.
template <std::size_t Upper, class Vector, std::size_t... I>
[[nodiscard]] POLDER_INLINE Vector in_turns(const Vector& even, const Vector& odd, std::index_sequence<I...>) {
  constexpr std::size_t count = sizeof...(I);
  return shuffled(even, odd, std::index_sequence<((Upper * count + I) / 2 + (I % 2) * count)...>{});
}

/// The sum of a vector's lanes, folded in halves.
template <class T, std::size_t Bytes = vector_bytes, class Vector>
[[nodiscard]] POLDER_INLINE T sum_of_lanes(const Vector& v) {
  if constexpr (Bytes == 16) {
    T parts[16 / sizeof(T)];
    std::memcpy(parts, &v, sizeof parts);
    if constexpr (sizeof(T) == 4) return (parts[0] + parts[2]) + (parts[1] + parts[3]);
    return parts[0] + parts[1];
  } else {
    using half = typename vector_of<T, Bytes / 2>::type;
    half halves[2];
    std::memcpy(halves, &v, sizeof halves);
    return sum_of_lanes<T, Bytes / 2>(halves[0] + halves[1]);
  }
}

/// e^x in each lane, with a relative error below 2.5e-7 (float) or 5e-16 (double). Results outside the range of normal
/// numbers become the nearest one in it: finite and positive. Not-a-number stays.
///
/// x = n ln 2 + r with |r| <= ln(2) / 2; e^r by its Taylor series, 2^n through the exponent's bits.
template <class T>
[[nodiscard]] POLDER_INLINE vec<T> exponential(vec<T> x) {
  constexpr bool single = std::is_same_v<T, float>;
  using whole = std::conditional_t<single, std::int32_t, std::int64_t>;
  constexpr T limit = single ? T(87.0) : T(708.0);
  constexpr T magic = single ? T(12582912.0) : T(6755399441055744.0);  // 1.5 times 2^23 or 2^52: adding it rounds
  constexpr T high = single ? T(0.693359375) : T(6.93145751953125e-1);
  constexpr T low = single ? T(-2.12194440e-4) : T(1.42860682030941723212e-6);
  constexpr int terms = single ? 7 : 13;
  constexpr int mantissa = single ? 23 : 52;
  constexpr whole bias = single ? 127 : 1023;

  x = x > limit ? vec<T>{} + limit : x;
  x = x < -limit ? vec<T>{} - limit : x;
  const vec<T> shifted = x * T(1.44269504088896340736) + magic;
  const vec<T> n = shifted - magic;
  const vec<T> r = (x - n * high) - n * low;
  T factor = 1;
  T coefficients[terms + 1];
  for (int i = 0; i <= terms; ++i) {
    coefficients[i] = factor;
    factor /= static_cast<T>(i + 1);
  }
  vec<T> e = vec<T>{} + coefficients[terms];
  for (int i = terms - 1; i >= 0; --i) e = e * r + coefficients[i];
  const vec<whole> exponent = __builtin_convertvector(n, vec<whole>);
  const vec<whole> bits = (exponent + bias) << mantissa;
  vec<T> scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return e * scale;
}

/// 1 / (1 + e^-x)
template <class T>
[[nodiscard]] POLDER_INLINE vec<T> sigmoid(vec<T> x) {
  return T{1} / (T{1} + exponential<T>(-x));
}

/// The place of a loop over vectors: all lanes from `index` on, or the first `count` of them.
template <class T>
struct full_lanes {
  std::size_t index;
  POLDER_INLINE vec<T> get(const T* from) const { return load(from + index); }
  POLDER_INLINE void put(T* to, vec<T> v) const { store(to + index, v); }
  /// v, with zeros in the lanes beyond the end.
  POLDER_INLINE vec<T> inside(vec<T> v) const { return v; }
};
template <class T>
struct partial_lanes {
  std::size_t index, count;
  POLDER_INLINE vec<T> get(const T* from) const {
    vec<T> v{};
    std::memcpy(&v, from + index, count * sizeof(T));
    return v;
  }
  POLDER_INLINE void put(T* to, vec<T> v) const { std::memcpy(to + index, &v, count * sizeof(T)); }
  POLDER_INLINE vec<T> inside(vec<T> v) const {
    vec<T> kept{};
    std::memcpy(&kept, &v, count * sizeof(T));
    return kept;
  }
};

/// Calls `body(at)` for the elements of [0, n), a vector at a time and in order. The last, partial vector goes through
/// a copy, so that every element sees the same instructions.
template <class T, class Body>
POLDER_INLINE void for_vectors(std::size_t n, const Body& body) {
  std::size_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) body(full_lanes<T>{i});
  if (i != n) body(partial_lanes<T>{i, n - i});
}

/// to_i = change(from_i) for a short row: whole vectors, of which the last may overlap the one before. The rows do not
/// overlap, unless they are the same and n is a multiple of the vector length.
template <class T, std::size_t Bytes = vector_bytes, class Change>
POLDER_INLINE void change_row(std::size_t n, const T* from, T* to, const Change& change) {
  if constexpr (Bytes == sizeof(T)) {
    if (n != 0) *to = change(*from);
  } else {
    using vector = typename vector_of<T, Bytes>::type;
    constexpr std::size_t count = Bytes / sizeof(T);
    if (n < count) return change_row<T, Bytes / 2>(n, from, to, change);
    const auto vector_at = [&](std::size_t i) {
      vector v;
      std::memcpy(&v, from + i, sizeof v);
      v = change(v);
      std::memcpy(to + i, &v, sizeof v);
    };
    std::size_t i = 0;
    for (; i + count <= n; i += count) vector_at(i);
    if (i != n) vector_at(n - count);
  }
}
template <class T>
POLDER_INLINE void copy_row(std::size_t n, const T* from, T* to) {
  change_row(n, from, to, [](auto v) { return v; });
}

}  // namespace polder::nn::detail
