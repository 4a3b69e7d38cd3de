// polder — element functions of the compressors: levels, signs and numbers of 16 bits. No loops, no memory.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::ops {

/// The unsigned integer with the bits of a T.
template <class T>
using bits_of = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;

/// The bits of |x|. As integers they are ordered like the magnitudes; infinity and not-a-number come last.
template <class T>
[[nodiscard]] POLDER_HD constexpr bits_of<T> magnitude_bits(T x) {
  return std::bit_cast<bits_of<T>>(x) & (~bits_of<T>{0} >> 1);
}
/// magnitude_bits of infinity: numbers below it are finite.
template <class T>
inline constexpr bits_of<T> infinity_bits = std::bit_cast<bits_of<T>>(std::numeric_limits<T>::infinity());

/// |x|, without a comparison.
template <class T>
[[nodiscard]] POLDER_HD constexpr T absolute(T x) {
  return std::bit_cast<T>(magnitude_bits(x));
}

/// |x|, for sums of magnitudes.
struct magnitude {
  template <class T>
  POLDER_HD double operator()(T x) const {
    return absolute(static_cast<double>(x));
  }
};

/// x, with the other sign where `is_negative` is 1 (else it is 0), without a branch: in a loop over random signs a
/// processor would guess every second one wrong.
template <class T>
[[nodiscard]] POLDER_HD constexpr T with_sign(T x, std::uint32_t is_negative) {
  return std::bit_cast<T>(std::bit_cast<bits_of<T>>(x) ^ bits_of<T>{is_negative} << (sizeof(T) * 8 - 1));
}

/// 1 where x < 0, else 0: so the sign of zero is +1.
struct negative {
  template <class T>
  POLDER_HD std::uint8_t operator()(T x) const {
    return x < T{0} ? 1 : 0;
  }
};

/// Stochastic rounding of r = s |x| / norm to a whole level: floor(r) + Bernoulli(r - floor(r)), at most s.
///
/// In fixed point with 16 bits after the point, so that whole numbers never move and a level costs one product, one sum
/// and one shift: r is rounded to the nearest 2^-16, so the expectation is off by at most 2^-17 of a level (in
/// float, where r itself rounds, some four times that).
template <class T>
struct stochastic_level {
  T scale{};                   ///< s 2^16 / norm, with |x| <= norm
  std::uint32_t greatest = 1;  ///< s, at most 255
  /// `random`: 16 random bits.
  POLDER_HD std::uint32_t operator()(T x, std::uint32_t random) const {
    const auto fixed = static_cast<std::int32_t>(multiply_add(absolute(x), scale, T(0.5)));
    const std::uint32_t level = (static_cast<std::uint32_t>(fixed) + random) >> 16;
    return level < greatest ? level : greatest;
  }
};

/// The value of a level: unit times level, with its sign.
template <class T>
struct level_value {
  T unit{};  ///< c norm / s
  POLDER_HD T operator()(std::uint32_t level, std::uint32_t is_negative) const {
    return with_sign(unit * static_cast<T>(static_cast<std::int32_t>(level)), is_negative != 0 ? 1u : 0u);
  }
};

/// A double as a float whose last bit says whether something was cut off (rounding to odd), so that rounding once more,
/// to at most 22 bits, gives what rounding the double directly would have given.
[[nodiscard]] POLDER_HD inline float rounded_to_odd(double x) {
  const auto nearest = static_cast<float>(x);
  const double back = static_cast<double>(nearest);
  if (back == x || x != x) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if ((back < 0.0 ? -back : back) > (x < 0.0 ? -x : x)) --bits;
  return std::bit_cast<float>(bits | 1u);
}
[[nodiscard]] POLDER_HD inline float rounded_to_odd(float x) { return x; }

/// bfloat16: the upper half of a float, rounded to nearest, ties to even. Too large a number becomes infinity.
struct to_bf16 {
  template <class T>
  POLDER_HD std::uint16_t operator()(T x) const {
    const auto bits = std::bit_cast<std::uint32_t>(rounded_to_odd(x));
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
    return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
  }
};
struct from_bf16 {
  POLDER_HD float operator()(std::uint16_t half) const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
  }
};

/// IEEE binary16, rounded to nearest, ties to even. Too large a number (65520 and more) becomes infinity.
struct to_fp16 {
  template <class T>
  POLDER_HD std::uint16_t operator()(T x) const {
    const auto bits = std::bit_cast<std::uint32_t>(rounded_to_odd(x));
    const std::uint32_t size = bits & 0x7FFFFFFFu;
    // below 2^-14: adding 0.5 brings the last bit of a subnormal half, 2^-24, to the last bit of the float
    const std::uint32_t small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0.5f) - 0x3F000000u;
    const std::uint32_t usual = (size - 0x38000000u + 0xFFFu + ((size >> 13) & 1u)) >> 13;
    const std::uint32_t large = size > 0x7F800000u ? 0x7E00u : 0x7C00u;
    const std::uint32_t half = size >= 0x47800000u ? large : size < 0x38800000u ? small : usual;
    return static_cast<std::uint16_t>(half | ((bits >> 16) & 0x8000u));
  }
};
struct from_fp16 {
  POLDER_HD float operator()(std::uint16_t half) const {
    const std::uint32_t sign = (half & 0x8000u) << 16;
    const std::uint32_t size = half & 0x7FFFu;
    // the exponent's bias is 15 in a half, 127 in a float: 2^112 lies between, for subnormal halves as well
    const auto usual = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size << 13) * 0x1p112f);
    const std::uint32_t bits = size >= 0x7C00u ? (size << 13) | 0x7F800000u : usual;
    return std::bit_cast<float>(bits | sign);
  }
};

}  // namespace polder::ops
