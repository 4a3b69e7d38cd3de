// polder — no compression: the numbers themselves, in a checked message.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>

#include "polder/compress/compressor.hpp"
#include "polder/compress/message.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"
#include "polder/ops/quantize.hpp"

namespace polder {

/// No compression: C(v) = v, bit for bit. What the other compressors are compared with.
///
/// State: none. Wire: 40 + sizeof(T) n bytes. Cost: encode and decode read and write each number once.
/// Errors: as the concept says.
struct raw {
  static constexpr bool fixed_size = true;

  template <class T>
  [[nodiscard]] no_compressor_state init(const layout&) const {
    return {};
  }
  [[nodiscard]] double contraction(const layout&) const { return 1.0; }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    return message_header_bytes + sizeof(T) * tensors.size();
  }

  template <class T>
  POLDER_NOINLINE std::size_t compress(no_compressor_state&, std::span<const T> x, const layout& tensors, const stamp&,
                                       std::span<std::byte> out) const {
    detail::check_numbers(codec::raw, x.size(), tensors);
    detail::check_room(codec::raw, out.size(), max_bytes<T>(tensors));
    std::byte* to = out.data() + message_header_bytes;
    for (const tensor_info& tensor : tensors.tensors()) {
      const T* from = x.data() + tensor.offset;
      const std::size_t m = tensor.size();
      ops::bits_of<T> largest = 0;
      for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
        const std::size_t count = std::min(detail::codec_block, m - begin);
        for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, ops::magnitude_bits(from[begin + i]));
        std::memcpy(to, from + begin, count * sizeof(T));
        to += count * sizeof(T);
      }
      if (largest >= ops::infinity_bits<T>) {
        detail::refuse_numbers(codec::raw, tensor, from, std::numeric_limits<double>::infinity(), "");
      }
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
  template <class T>
  [[nodiscard]] message_header header(const layout& tensors) const {
    return {codec::raw, sizeof(T), 0, 0, tensors.size(), max_bytes<T>(tensors) - message_header_bytes};
  }
  template <class T, class Sink>
  POLDER_NOINLINE void decode(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y,
                              const Sink& sink) const {
    detail::check_numbers(codec::raw, y.size(), tensors);
    const std::byte* from = open_message(bytes, header<T>(tensors)).data();
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      ops::bits_of<T> largest = 0;
      T values[detail::codec_block];
      for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
        const std::size_t count = std::min(detail::codec_block, m - begin);
        T* to = y.data() + tensor.offset + begin;
        std::memcpy(values, from, count * sizeof(T));
        for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, ops::magnitude_bits(values[i]));
        for (std::size_t i = 0; i < count; ++i) sink(to[i], values[i]);
        from += count * sizeof(T);
      }
      detail::require_finite_payload(largest < ops::infinity_bits<T>, codec::raw, tensor);
    }
  }
};
static_assert(compressor<raw, float> && compressor<raw, double>);

}  // namespace polder
