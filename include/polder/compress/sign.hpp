// polder — one bit a number.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>

#include "polder/backend/host_memory.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/message.hpp"
#include "polder/compress/packing.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"
#include "polder/ops/quantize.hpp"

namespace polder {

/// Scaled sign: per tensor of m numbers, the mean magnitude and a bit for each number.
///
///     C(v) = (||v||_1 / m) sign(v),   sign(0) = +1
///     ||C(v) - v||^2 = ||v||^2 - ||v||_1^2 / m        a contraction with delta = ||v||_1^2 / (m ||v||^2) >= 1/m
///
/// 1/m is what a vector of one number that is not 0 has; for Gaussian numbers ||v||_1^2 / (m ||v||^2) tends to 2/pi, the
/// typical_contraction. Consensus steps count on 2 t / (4 - t) of t = 2/pi: neighbors that move against each other lose the
/// same. Without gradients few numbers hold most of what is left after some dozens of rounds, and sign contracts slowly.
///
/// State: none; use it inside error_feedback. Wire: 40 bytes, and per tensor that is not empty 4 (a float32) +
/// ceil(m / 8). Cost: one pass to encode (the magnitudes are summed while the signs are packed), a second one where error
/// feedback wants the rest, which the mean decides; one to decode.
/// Errors: as the concept says; a mean magnitude above float32 is a compress_error.
/// Source: the CompCGA and CompNGC codes. Departures: there sign(0) = 0, which one bit cannot carry; error feedback
/// absorbs the difference. A mean magnitude below 2^-126 is sent as 0.
struct sign {
  static constexpr bool fixed_size = true;
  static constexpr double typical_contraction = 2.0 * std::numbers::inv_pi;

  template <class T>
  [[nodiscard]] no_compressor_state init(const layout&) const {
    return {};
  }
  [[nodiscard]] double contraction(const layout& tensors) const {
    return detail::least_over_tensors(tensors, [](std::size_t m) { return 1.0 / static_cast<double>(m); });
  }
  [[nodiscard]] double effective_contraction(const layout&) const {
    return detail::contraction_together(typical_contraction);
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    std::size_t bytes = message_header_bytes;
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      if (m != 0) bytes += sizeof(float) + detail::packed_bytes(m, 1);
    }
    return bytes;
  }

  template <class T>
  std::size_t compress(no_compressor_state&, std::span<const T> x, const layout& tensors, const stamp&,
                       std::span<std::byte> out) const {
    detail::check_numbers(codec::sign, x.size(), tensors);
    return encode<T>(tensors, out, [&](std::size_t offset) { return detail::plain_input<T>{x.data() + offset}; });
  }
  template <class T>
  std::size_t compress_residual(no_compressor_state&, std::span<const T> v, std::span<T> e, const layout& tensors,
                                const stamp&, std::span<std::byte> out) const {
    detail::check_numbers(codec::sign, v.size(), tensors);
    detail::check_numbers(codec::sign, e.size(), tensors);
    return encode<T>(tensors, out, [&](std::size_t offset) {
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
  template <class T>
  [[nodiscard]] message_header header(const layout& tensors) const {
    return {codec::sign, sizeof(T), 0, 0, tensors.size(), max_bytes<T>(tensors) - message_header_bytes};
  }
  template <class T, class Input>
  std::size_t encode(const layout& tensors, std::span<std::byte> out, const Input& input_at) const {
    detail::check_room(codec::sign, out.size(), max_bytes<T>(tensors));
    std::byte* to = out.data() + message_header_bytes;
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      if (m == 0) continue;
      const auto input = input_at(tensor.offset);
      const double total = encode_signs(input, m, to + sizeof(float));
      const auto mean = static_cast<float>(total / static_cast<double>(m));
      if (!detail::is_finite(mean)) {
        detail::refuse_numbers(codec::sign, tensor, input.all(m), std::numeric_limits<double>::infinity(),
                               "its mean magnitude is above float32");
      }
      const float scale = mean < std::numeric_limits<float>::min() ? 0.0f : mean;
      detail::store_value(to, scale);
      if constexpr (decltype(input)::leaves_rest) leave_rest(input, m, static_cast<T>(scale));
      to += sizeof(float) + detail::packed_bytes(m, 1);
    }
    return detail::seal_message(out, header<T>(tensors));
  }
  /// Packs the signs of a tensor and returns the sum of its magnitudes.
  template <template <class> class Input, class T>
  POLDER_NOINLINE static double encode_signs(const Input<T>& input, std::size_t m, std::byte* to) {
    detail::canonical_sum sum;
    T numbers[detail::codec_block];
    std::uint8_t signs[detail::codec_block];
    for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
      const std::size_t count = std::min(detail::codec_block, m - begin);
      const T* p = input.block(begin, count, numbers);
      sum.add(p, count, ops::magnitude{});
      for (std::size_t i = 0; i < count; ++i) signs[i] = ops::negative{}(p[i]);
      to = detail::pack_block(signs, count, 1, to);
    }
    return sum.total();
  }
  template <class T>
  POLDER_NOINLINE static void leave_rest(const detail::input_with_memory<T>& input, std::size_t m, T scale) {
    T numbers[detail::codec_block];
    for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
      const std::size_t count = std::min(detail::codec_block, m - begin);
      const T* p = input.block(begin, count, numbers);
      input.leave(begin, count, p, [&](std::size_t i) { return ops::with_sign(scale, ops::negative{}(p[i])); });
    }
  }

  template <class T, class Sink>
  POLDER_NOINLINE void decode(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y,
                              const Sink& sink) const {
    detail::check_numbers(codec::sign, y.size(), tensors);
    const std::byte* from = open_message(bytes, header<T>(tensors)).data();
    std::uint8_t signs[detail::codec_block];
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      if (m == 0) continue;
      const auto scale = detail::load_value<float>(from);
      require<compress_error>(detail::is_finite(scale) && scale >= 0.0f, "sign: the message's scale of tensor \"",
                              tensor.name, "\" is ", scale, " but must be a finite number >= 0");
      from += sizeof(float);
      const T positive = static_cast<T>(scale);
      bool clean = true;
      for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
        const std::size_t count = std::min(detail::codec_block, m - begin);
        clean &= detail::unpack_block(from, count, 1, signs);
        T* to = y.data() + tensor.offset + begin;
        for (std::size_t i = 0; i < count; ++i) sink(to[i], ops::with_sign(positive, signs[i]));
        from += detail::packed_bytes(count, 1);
      }
      require<compress_error>(clean, "sign: the message has bits behind the last number of tensor \"", tensor.name,
                              '"');
    }
  }
};
static_assert(compressor<sign, float> && compressor<sign, double>);

}  // namespace polder
