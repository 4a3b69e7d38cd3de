// polder — stochastic quantization to a few bits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "polder/compress/compressor.hpp"
#include "polder/compress/message.hpp"
#include "polder/compress/packing.hpp"
#include "polder/compress/rounding.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"
#include "polder/core/error.hpp"
#include "polder/ops/quantize.hpp"

namespace polder {

/// Stochastic quantization (QSGD): each number becomes one of s + 1 levels of its bucket's norm, and a sign.
///
///     r_i = s |v_i| / ||v||_2                                  v: one tensor, or one bucket of it, of m numbers
///     l_i = floor(r_i) + Bernoulli(r_i - floor(r_i)) <= s
///     C(v)_i = c ||v||_2 sign(v_i) l_i / s
///     c = 1 (unbiased: E[C(v)] = v)  or  c = 1 / (1 + min(m / s^2, sqrt(m) / s)) (contraction with delta >= c)
///     E||C(v) - v||^2 <= (1 - delta) ||v||^2,    delta = 1 - (1 - c)^2 - c^2 min(m / (4 s^2), sqrt(m) / s)
///
/// A quarter of m / s^2, because no Bernoulli number has a variance above 1/4. Unbiased, delta may be below 0: no contraction.
///
/// Parameters:
///   bits in 1..8, default 8: a quarter of float32, a choice of this library.
///   levels, default sign_inside: level and sign share the b bits, s = 2^(b-1) - 1, b >= 2. sign_beside: s = 2^b - 1 as
///     in the literature, and one bit more for the sign, which the literature does not count.
///   scale, default unbiased, the original method; use contraction inside error_feedback and CHOCO.
///   bucket, default 0: one norm for each tensor, as the reference codes. Else 64..4096 numbers share a norm (the last
///     bucket of a tensor may be shorter): the error grows with the bucket instead of the tensor.
/// State: none. Wire: 40 bytes, and per bucket of m > 0 numbers 4 (the norm, a float32) + ceil(b m / 8), with
/// sign_beside + ceil(m / 8).
/// Cost: buckets are encoded in one pass (norm, levels, packing while the bucket is in cache), whole tensors in two;
/// one pass to decode. 16 random bits a number.
/// Errors: as the concept says; config_error for bits, bucket and enums; a norm above 2^127 is a compress_error.
/// Source: the ChocoSGD, NGC and AdaG codes. Departures: those divide by a norm of 0; here C(0) = 0. The norm is
/// rounded up to a float32, and a norm up to 2^-100 is sent as 0. Levels are rounded with 16 random bits, so that
/// expectations are exact to 2^-17 of a level in double and 2^-15 in float.
struct qsgd {
  enum class level_mode : std::uint8_t { sign_inside = 0, sign_beside = 1 };
  static constexpr bool fixed_size = true;
  static constexpr double smallest_norm = 0x1p-100;
  static constexpr double largest_norm = 0x1p127;  // s times the rounded unit must not become infinite

  unsigned bits = 8;
  level_mode levels = level_mode::sign_inside;
  scaling scale = scaling::unbiased;
  std::size_t bucket = 0;

  /// s, the highest level.
  [[nodiscard]] constexpr std::uint32_t highest_level() const {
    return (1u << (levels == level_mode::sign_inside ? bits - 1 : bits)) - 1;
  }
  /// c for a bucket of m numbers.
  [[nodiscard]] double shrinkage(std::size_t m) const {
    if (scale == scaling::unbiased) return 1.0;
    const double s = highest_level();
    const double count = static_cast<double>(m);
    return 1.0 / (1.0 + std::min(count / (s * s), std::sqrt(count) / s));
  }

  /// delta of the bucket with the most numbers.
  [[nodiscard]] double contraction(const layout& tensors) const {
    check();
    return detail::least_over_tensors(tensors, [this](std::size_t m) { return contraction_of(bucket_of(m)); });
  }

  template <class T>
  [[nodiscard]] no_compressor_state init(const layout&) const {
    check();
    return {};
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    check();
    std::size_t bytes = message_header_bytes;
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      const std::size_t width = bucket_of(m);
      if (m == 0) continue;
      bytes += m / width * bucket_bytes(width);
      if (m % width != 0) bytes += bucket_bytes(m % width);
    }
    return bytes;
  }

  template <class T>
  std::size_t compress(no_compressor_state&, std::span<const T> x, const layout& tensors, const stamp& which,
                       std::span<std::byte> out) const {
    detail::check_numbers(codec::qsgd, x.size(), tensors);
    return encode<T>(tensors, which, out,
                     [&](std::size_t offset) { return detail::plain_input<T>{x.data() + offset}; });
  }
  template <class T>
  std::size_t compress_residual(no_compressor_state&, std::span<const T> v, std::span<T> e, const layout& tensors,
                                const stamp& which, std::span<std::byte> out) const {
    detail::check_numbers(codec::qsgd, v.size(), tensors);
    detail::check_numbers(codec::qsgd, e.size(), tensors);
    return encode<T>(tensors, which, out, [&](std::size_t offset) {
      return detail::input_with_memory<T>{v.data() + offset, e.data() + offset};
    });
  }
  template <class T>
  void decompress(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y) const {
    decode(bytes, tensors, y, detail::overwrite{});
  }
  template <class T>
  void decompress_add(std::span<const std::byte> bytes, const layout& tensors, double weight, std::span<T> y) const {
    decode(bytes, tensors, y, detail::add_weighted<T>{static_cast<T>(weight)});
  }

 private:
  void check() const {
    require<config_error>(levels == level_mode::sign_inside || levels == level_mode::sign_beside, "qsgd: levels is ",
                          static_cast<int>(levels), " but must be sign_inside or sign_beside");
    const unsigned least = levels == level_mode::sign_inside ? 2 : 1;
    require<config_error>(bits >= least && bits <= 8, "qsgd: bits is ", bits, " but must lie in [", least,
                          ", 8] (1 only with sign_beside)");
    require<config_error>(bucket == 0 || (bucket >= 64 && bucket <= 4096), "qsgd: bucket is ", bucket,
                          " but must lie in [64, 4096], or be 0: the whole tensor");
    require<config_error>(scale == scaling::unbiased || scale == scaling::contraction, "qsgd: scale is ",
                          static_cast<int>(scale), " but must be unbiased or contraction");
  }
  [[nodiscard]] double contraction_of(std::size_t m) const {
    const double s = highest_level();
    const double count = static_cast<double>(m);
    const double c = shrinkage(m);
    const double variance = std::min(count / (4.0 * s * s), std::sqrt(count) / s);
    return std::max(0.0, 1.0 - (1.0 - c) * (1.0 - c) - c * c * variance);
  }
  [[nodiscard]] std::size_t bucket_of(std::size_t m) const { return bucket == 0 ? m : std::min(bucket, m); }
  [[nodiscard]] bool sign_beside() const { return levels == level_mode::sign_beside; }
  [[nodiscard]] std::size_t bucket_bytes(std::size_t m) const {
    return sizeof(float) + detail::packed_bytes(m, bits) + (sign_beside() ? detail::packed_bytes(m, 1) : 0);
  }
  template <class T>
  [[nodiscard]] message_header header(const layout& tensors) const {
    const auto variant = static_cast<unsigned>(levels) | static_cast<unsigned>(scale) << 1;
    return {codec::qsgd,
            sizeof(T),
            static_cast<std::uint8_t>(variant),
            bits | std::uint64_t{bucket} << 8,
            tensors.size(),
            max_bytes<T>(tensors) - message_header_bytes};
  }
  /// The smallest float that is not below the norm, so that no level exceeds s; 0 for norms that count as 0.
  [[nodiscard]] static float rounded_up(double norm) {
    if (norm <= smallest_norm) return 0.0f;
    const auto nearest = static_cast<float>(norm);
    return static_cast<double>(nearest) < norm ? std::nextafter(nearest, std::numeric_limits<float>::infinity())
                                               : nearest;
  }

  template <class T, class Input>
  std::size_t encode(const layout& tensors, const stamp& which, std::span<std::byte> out, const Input& input_at) const {
    detail::check_room(codec::qsgd, out.size(), max_bytes<T>(tensors));
    const detail::random_blocks random(which.key(purpose::rounding));
    std::byte* to = out.data() + message_header_bytes;
    std::uint64_t block = 0;
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      const auto input = input_at(tensor.offset);
      for (std::size_t begin = 0; begin < m; begin += bucket_of(m)) {
        const std::size_t count = std::min(bucket_of(m), m - begin);
        const float norm = rounded_up(std::sqrt(squared_norm(input, begin, count)));
        if (!(static_cast<double>(norm) <= largest_norm)) {
          detail::refuse_numbers(codec::qsgd, tensor, input.all(m), std::numeric_limits<double>::infinity(),
                                 "its norm is above 2^127");
        }
        encode_bucket(input, begin, count, norm, random, block, to);
        block += (count + detail::codec_block - 1) / detail::codec_block;
        to += bucket_bytes(count);
      }
    }
    return detail::seal_message(out, header<T>(tensors));
  }
  template <template <class> class Input, class T>
  POLDER_NOINLINE static double squared_norm(const Input<T>& input, std::size_t first, std::size_t m) {
    detail::canonical_sum sum;
    T numbers[detail::codec_block];
    for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
      const std::size_t count = std::min(detail::codec_block, m - begin);
      sum.add(input.block(first + begin, count, numbers), count, ops::square{});
    }
    return sum.total();
  }

  template <template <class> class Input, class T>
  POLDER_NOINLINE void encode_bucket(const Input<T>& input, std::size_t first, std::size_t m, float norm,
                                     const detail::random_blocks& random, std::uint64_t block, std::byte* to) const {
    detail::store_value(to, norm);
    to += sizeof norm;
    std::byte* sign_to = to + detail::packed_bytes(m, bits);
    const auto s = highest_level();
    const ops::stochastic_level<T> level{norm > 0.0f ? static_cast<T>(65536.0 * s / static_cast<double>(norm)) : T{0},
                                         s};
    const ops::level_value<T> value = value_of<T>(m, norm);
    const std::uint32_t minus = sign_beside() ? 0u : 1u << (bits - 1);
    T numbers[detail::codec_block];
    std::uint32_t dither[detail::codec_block];
    std::uint8_t codes[detail::codec_block];
    for (std::size_t begin = 0; begin < m; begin += detail::codec_block, ++block) {
      const std::size_t count = std::min(detail::codec_block, m - begin);
      const T* from = input.block(first + begin, count, numbers);
      detail::fill_rounding_bits(random, block, dither);
      for (std::size_t i = 0; i < count; ++i) {
        codes[i] = static_cast<std::uint8_t>(level(from[i], dither[i]) | (from[i] < T{0} ? minus : 0u));
      }
      if constexpr (Input<T>::leaves_rest) {
        input.leave(first + begin, count, from,
                    [&](std::size_t i) { return value(codes[i] & s, ops::negative{}(from[i])); });
      }
      to = detail::pack_block(codes, count, bits, to);
      if (sign_beside()) {
        for (std::size_t i = 0; i < count; ++i) codes[i] = ops::negative{}(from[i]);
        sign_to = detail::pack_block(codes, count, 1, sign_to);
      }
    }
  }
  /// What the levels of a bucket of m numbers stand for.
  template <class T>
  [[nodiscard]] ops::level_value<T> value_of(std::size_t m, float norm) const {
    return {static_cast<T>(shrinkage(m) * static_cast<double>(norm) / highest_level())};
  }

  template <class T, class Sink>
  void decode(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y, const Sink& sink) const {
    check();
    detail::check_numbers(codec::qsgd, y.size(), tensors);
    const std::byte* from = open_message(bytes, header<T>(tensors)).data();
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      for (std::size_t begin = 0; begin < m; begin += bucket_of(m)) {
        const std::size_t count = std::min(bucket_of(m), m - begin);
        const auto norm = detail::load_value<float>(from);
        require<compress_error>(norm >= 0.0f && static_cast<double>(norm) <= largest_norm,
                                "qsgd: the message's norm of tensor \"", tensor.name, "\" is ", norm,
                                " but must lie in [0, 2^127]");
        const bool clean = decode_bucket(from, count, norm, y.data() + tensor.offset + begin, sink);
        require<compress_error>(clean, "qsgd: the message has bits behind the last number of a bucket of tensor \"",
                                tensor.name, '"');
        from += bucket_bytes(count);
      }
    }
  }
  template <class T, class Sink>
  POLDER_NOINLINE bool decode_bucket(const std::byte* from, std::size_t m, float norm, T* y, const Sink& sink) const {
    from += sizeof norm;
    const std::byte* sign_from = from + detail::packed_bytes(m, bits);
    const ops::level_value<T> value = value_of<T>(m, norm);
    const std::uint32_t s = highest_level();
    std::uint8_t codes[detail::codec_block], signs[detail::codec_block];
    bool clean = true;
    for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
      const std::size_t count = std::min(detail::codec_block, m - begin);
      T* to = y + begin;
      clean &= detail::unpack_block(from, count, bits, codes);
      from += detail::packed_bytes(count, bits);
      if (sign_beside()) {
        clean &= detail::unpack_block(sign_from, count, 1, signs);
        sign_from += detail::packed_bytes(count, 1);
        for (std::size_t i = 0; i < count; ++i) sink(to[i], value(codes[i], signs[i]));
      } else {
        for (std::size_t i = 0; i < count; ++i) sink(to[i], value(codes[i] & s, codes[i] & ~s));
      }
    }
    return clean;
  }
};
static_assert(compressor<qsgd, float> && compressor<qsgd, double>);

}  // namespace polder
