// polder — the largest numbers of each tensor.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "polder/compress/compressor.hpp"
#include "polder/compress/message.hpp"
#include "polder/compress/packing.hpp"
#include "polder/compress/selection.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"
#include "polder/ops/quantize.hpp"

namespace polder {
namespace detail {

/// How the positions of k of m numbers are written: a bit for each number, or k offsets, whichever is shorter.
struct index_code {
  unsigned offset_bits = 0;
  bool bitmap = false;
  std::size_t bytes = 0;
};
[[nodiscard]] constexpr index_code index_code_of(std::size_t m, std::size_t k) {
  const auto bits = static_cast<unsigned>(std::bit_width(m == 0 ? m : m - 1));
  const std::size_t map = packed_bytes(m, 1);
  const std::size_t offsets = packed_bytes(k, bits);
  return {bits, map <= offsets, std::min(map, offsets)};
}

}  // namespace detail

/// Top-k: per tensor of m numbers, the k = max(1, floor(keep m)) largest by magnitude; of equal ones the first.
///
///     C(v)_i = v_i where |v_i| is among the k largest, else 0
///     ||C(v) - v||^2 <= (1 - k/m) ||v||^2             a contraction with delta = k/m
///
/// What is left out adds up until it is among the largest. Where all numbers drift at random alike they are sent in turn,
/// those that are sent have drifted for m/k messages, the others for 1, 2, …, m/k - 1, and so a message carries the share
/// 2 k / (m + k) of the squares: what consensus steps count on. In tensors of up to 4 numbers neighbors often leave out the
/// same ones, and it is 2 d / (4 - d) of d = k/m.
///
/// Parameters: keep in (0, 1], the fraction that is kept; default 0.01, a choice of this library.
/// State: none; use it inside error_feedback.
/// Wire: 40 bytes, and per tensor min(ceil(m / 8), ceil(k b / 8)) + 4 k: a bitmap or k offsets of b = ceil(log2 m)
/// bits, and k float32. Cost: 3 passes to encode: one finds the cut nearly, by a sample of the numbers, one exactly, one
/// writes what is above; rare distributions take up to 4 more (float64: 7). Decoding touches k numbers (decompress_add) or
/// n (decompress).
/// Errors: as the concept says; config_error for keep; a number above float32 is a compress_error.
/// Source: the ChocoSGD, NGC and AdaG codes, whose `ratio` is the fraction dropped. Departures: ties are broken by the
/// index, so that the same numbers give the same bits; values travel as float32 whatever T is.
struct top_k {
  static constexpr bool fixed_size = true;

  double keep = 0.01;

  template <class T>
  [[nodiscard]] no_compressor_state init(const layout&) const {
    detail::check_keep(codec::top_k, keep);
    return {};
  }
  [[nodiscard]] double contraction(const layout& tensors) const {
    detail::check_keep(codec::top_k, keep);
    return detail::least_kept_share(keep, tensors);
  }
  [[nodiscard]] double effective_contraction(const layout& tensors) const {
    detail::check_keep(codec::top_k, keep);
    return detail::least_over_tensors(tensors, [this](std::size_t m) {
      const double share = static_cast<double>(detail::kept_of(keep, m)) / static_cast<double>(m);
      return m > 4 || share == 1.0 ? 2.0 * share / (1.0 + share) : detail::contraction_together(share);
    });
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    detail::check_keep(codec::top_k, keep);
    std::size_t bytes = message_header_bytes;
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      const std::size_t k = detail::kept_of(keep, m);
      bytes += detail::index_code_of(m, k).bytes + sizeof(float) * k;
    }
    return bytes;
  }

  template <class T>
  std::size_t compress(no_compressor_state&, std::span<const T> x, const layout& tensors, const stamp&,
                       std::span<std::byte> out) const {
    detail::check_numbers(codec::top_k, x.size(), tensors);
    detail::check_room(codec::top_k, out.size(), max_bytes<T>(tensors));
    std::byte* to = out.data() + message_header_bytes;
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      if (m == 0) continue;
      const std::size_t k = detail::kept_of(keep, m);
      const T* from = x.data() + tensor.offset;
      const detail::magnitude_cut<T> cut = detail::cut_largest(from, m, k);
      std::byte* const values = to + detail::index_code_of(m, k).bytes;
      if (!cut.finite || !write_kept(from, m, k, cut, to, values)) {
        detail::refuse_numbers(codec::top_k, tensor, from, 0x1.FFFFFFp127, "");
      }
      to = values + sizeof(float) * k;
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
    return {codec::top_k,
            sizeof(T),
            0,
            std::bit_cast<std::uint64_t>(keep),
            tensors.size(),
            max_bytes<T>(tensors) - message_header_bytes};
  }

  /// Writes positions and values; false where a value does not fit into float32.
  template <class T>
  POLDER_NOINLINE static bool write_kept(const T* x, std::size_t m, std::size_t k, detail::magnitude_cut<T> cut,
                                         std::byte* to, std::byte* values) {
    const detail::index_code code = detail::index_code_of(m, k);
    detail::bit_writer offsets(to);
    bool fits = true;
    for (std::size_t begin = 0; begin < m; begin += detail::codec_block) {
      const std::size_t count = std::min(detail::codec_block, m - begin);
      const T* from = x + begin;
      detail::block_marks kept(from, count, cut.ties > 0 ? cut.threshold : cut.threshold + 1, ops::infinity_bits<T>);
      kept.for_each([&](std::size_t i) {
        if (ops::magnitude_bits(from[i]) == cut.threshold) {
          if (cut.ties == 0) {
            kept.words[i / 64] &= ~(std::uint64_t{1} << (i % 64));
            return;
          }
          --cut.ties;
        }
        if (!code.bitmap) offsets.put(begin + i, code.offset_bits);
        const auto value = static_cast<float>(from[i]);
        fits &= detail::is_finite(value);
        detail::store_value(values, value);
        values += sizeof value;
      });
      if (code.bitmap) std::memcpy(to + begin / 8, kept.words, detail::packed_bytes(count, 1));
    }
    if (!code.bitmap) offsets.finish();
    return fits;
  }

  template <class T, class Sink>
  POLDER_NOINLINE void decode(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y,
                              const Sink& sink) const {
    detail::check_keep(codec::top_k, keep);
    detail::check_numbers(codec::top_k, y.size(), tensors);
    const std::byte* from = open_message(bytes, header<T>(tensors)).data();
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      if (m == 0) continue;
      const std::size_t k = detail::kept_of(keep, m);
      const detail::index_code code = detail::index_code_of(m, k);
      T* to = y.data() + tensor.offset;
      if constexpr (!Sink::adds) std::fill_n(to, m, T{0});
      const std::byte* values = from + code.bytes;
      bool finite = true;
      const auto take = [&](std::size_t i) {
        const auto value = detail::load_value<float>(values);
        finite &= detail::is_finite(value);
        sink(to[i], static_cast<T>(value));
        values += sizeof value;
      };
      detail::scattered numbers(to, take);
      const auto add = [&](std::size_t i) { numbers.add(i); };
      const bool right = code.bitmap ? read_bitmap(from, m, k, take) : read_offsets(from, m, k, code.offset_bits, add);
      numbers.finish();
      require<compress_error>(right, "top_k: the message's positions in tensor \"", tensor.name, "\" are not ", k,
                              " ascending ones below ", m);
      detail::require_finite_payload(finite, codec::top_k, tensor);
      from += code.bytes + sizeof(float) * k;
    }
  }
  /// Calls take(i) for at most k positions; false where they are not exactly k.
  template <class Take>
  static bool read_bitmap(const std::byte* from, std::size_t m, std::size_t k, const Take& take) {
    std::size_t taken = 0;
    for (std::size_t begin = 0; begin < m; begin += 64) {
      const std::size_t count = std::min(std::size_t{64}, m - begin);
      std::uint64_t set = 0;
      std::memcpy(&set, from + begin / 8, detail::packed_bytes(count, 1));
      taken += static_cast<std::size_t>(std::popcount(set));
      if (taken > k || static_cast<std::size_t>(std::bit_width(set)) > count) return false;
      for (; set != 0; set &= set - 1) take(begin + static_cast<std::size_t>(std::countr_zero(set)));
    }
    return taken == k;
  }
  template <class Take>
  static bool read_offsets(const std::byte* from, std::size_t m, std::size_t k, unsigned bits, const Take& take) {
    detail::bit_reader offsets(from);
    std::size_t first = 0;
    for (std::size_t taken = 0; taken < k; ++taken) {
      const std::size_t at = offsets.get(bits);
      if (at < first || at >= m) return false;
      first = at + 1;
      take(at);
    }
    return offsets.clean();
  }
};
static_assert(compressor<top_k, float> && compressor<top_k, double>);

}  // namespace polder
