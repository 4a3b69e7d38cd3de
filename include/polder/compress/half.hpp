// polder — numbers of 16 bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "polder/compress/compressor.hpp"
#include "polder/compress/message.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"
#include "polder/core/error.hpp"
#include "polder/ops/quantize.hpp"

namespace polder {

/// Which 16 bits.
enum class half_format : std::uint8_t { bf16 = 0, fp16 = 1 };

/// Each number in 16 bits, rounded to nearest, ties to even.
///
///     bf16   1 sign, 8 exponent, 7 fraction bits: float's range, |C(x) - x| <= 2^-8 |x| for normal numbers
///     fp16   1 sign, 5 exponent, 10 fraction bits (IEEE binary16): |C(x) - x| <= 2^-11 |x| in [2^-14, 65504]
///     delta = 1 - 2^-16 (bf16) or 1 - 2^-22 (fp16) in that range; smaller numbers may be sent as 0
///
/// Parameters: format, default bf16: no gradient leaves its range. State: none. Wire: 40 + 2 n bytes.
/// Cost: one pass to encode, one to decode.
/// Errors: as the concept says; a number that rounds to infinity (fp16: from 65520 on) is a compress_error.
struct half {
  static constexpr bool fixed_size = true;

  half_format format = half_format::bf16;

  template <class T>
  [[nodiscard]] no_compressor_state init(const layout&) const {
    check();
    return {};
  }
  /// For numbers in the format's range.
  [[nodiscard]] double contraction(const layout&) const {
    check();
    return 1.0 - (format == half_format::bf16 ? 0x1p-16 : 0x1p-22);
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    check();
    return message_header_bytes + 2 * tensors.size();
  }

  template <class T>
  std::size_t compress(no_compressor_state&, std::span<const T> x, const layout& tensors, const stamp&,
                       std::span<std::byte> out) const {
    detail::check_numbers(codec::half, x.size(), tensors);
    detail::check_room(codec::half, out.size(), max_bytes<T>(tensors));
    if (format == half_format::bf16) {
      encode(x, tensors, out.data() + message_header_bytes, ops::to_bf16{}, 0x7F80u, 0x1.FFp127);
    } else {
      encode(x, tensors, out.data() + message_header_bytes, ops::to_fp16{}, 0x7C00u, 65520.0);
    }
    return detail::seal_message(out, header<T>(tensors));
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
    require<config_error>(format == half_format::bf16 || format == half_format::fp16, "half: format is ",
                          static_cast<int>(format), " but must be bf16 or fp16");
  }
  template <class T>
  [[nodiscard]] message_header header(const layout& tensors) const {
    return {codec::half, sizeof(T), static_cast<std::uint8_t>(format), 0, tensors.size(), 2 * tensors.size()};
  }

  template <class T, class Convert>
  POLDER_NOINLINE static void encode(std::span<const T> x, const layout& tensors, std::byte* to, const Convert& convert,
                                     unsigned infinity, double limit) {
    std::uint16_t halves[detail::codec_block];
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      unsigned largest = 0;
      for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
        const std::size_t count = std::min(detail::codec_block, m - begin);
        const T* from = x.data() + tensor.offset + begin;
        for (std::size_t i = 0; i < count; ++i) halves[i] = convert(from[i]);
        for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, halves[i] & 0x7FFFu);
        std::memcpy(to, halves, count * 2);
        to += count * 2;
      }
      if (largest >= infinity) detail::refuse_numbers(codec::half, tensor, x.data() + tensor.offset, limit, "");
    }
  }

  template <class T, class Sink>
  void decode(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y, const Sink& sink) const {
    check();
    detail::check_numbers(codec::half, y.size(), tensors);
    const std::byte* from = open_message(bytes, header<T>(tensors)).data();
    if (format == half_format::bf16) {
      decode_payload(from, tensors, y, sink, ops::from_bf16{}, 0x7F80u);
    } else {
      decode_payload(from, tensors, y, sink, ops::from_fp16{}, 0x7C00u);
    }
  }
  template <class T, class Sink, class Convert>
  POLDER_NOINLINE static void decode_payload(const std::byte* from, const layout& tensors, std::span<T> y,
                                             const Sink& sink, const Convert& convert, unsigned infinity) {
    std::uint16_t halves[detail::codec_block];
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      unsigned largest = 0;
      for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
        const std::size_t count = std::min(detail::codec_block, m - begin);
        T* to = y.data() + tensor.offset + begin;
        std::memcpy(halves, from, count * 2);
        for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, halves[i] & 0x7FFFu);
        for (std::size_t i = 0; i < count; ++i) sink(to[i], static_cast<T>(convert(halves[i])));
        from += count * 2;
      }
      detail::require_finite_payload(largest < infinity, codec::half, tensor);
    }
  }
};
static_assert(compressor<half, float> && compressor<half, double>);

}  // namespace polder
