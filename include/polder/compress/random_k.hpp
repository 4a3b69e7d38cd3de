// polder — numbers at random positions that both sides know.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "polder/compress/compressor.hpp"
#include "polder/compress/message.hpp"
#include "polder/compress/subset.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"
#include "polder/core/error.hpp"
#include "polder/core/random.hpp"

namespace polder {

/// Random-k: per tensor of m numbers, k = max(1, floor(keep m)) distinct positions drawn uniformly. The positions are a
/// function of the stamp, which the message carries: no index is on the wire.
///
///     C(v)_i = v_i (contraction) or v_i m/k (unbiased) where i was drawn, else 0
///     contraction   E||C(v) - v||^2 = (1 - k/m) ||v||^2                           delta = k/m
///     unbiased      E[C(v)] = v,  E||C(v) - v||^2 = (m/k - 1) ||v||^2             delta = 2 - m/k, if that is above 0
///
/// With same_positions all workers lose the same numbers: a consensus step may count on 2 delta / (4 - delta) only.
///
/// Parameters: keep in (0, 1], the fraction that is kept; default 0.01, a choice of this library. scale, default
/// contraction. same_positions, default false: with true the worker and the edge do not count, so that all messages of
/// a step have the same positions and their values may be summed as they are. (In the reference code all ranks share a
/// seed and so, maybe, their positions.)
/// State: none. Wire: 40 bytes, 24 for the stamp, and 4 k (float32) per tensor.
/// Cost: one pass to encode, which looks whether all numbers are finite; decoding touches k numbers (decompress_add) or
/// n (decompress). Both draw about log2(m/k) + 4 random bits twice for each number, and a word for each that is kept.
/// Errors: as the concept says; config_error for keep; a number above float32 is a compress_error.
/// Source: the ChocoSGD, NGC and AdaG codes. Departures: values travel as float32 whatever T is.
struct random_k {
  static constexpr bool fixed_size = true;
  static constexpr std::size_t stamp_bytes = 24;

  double keep = 0.01;
  scaling scale = scaling::contraction;
  bool same_positions = false;

  template <class T>
  [[nodiscard]] no_compressor_state init(const layout&) const {
    check();
    return {};
  }
  [[nodiscard]] double contraction(const layout& tensors) const {
    check();
    const double share = detail::least_kept_share(keep, tensors);
    return scale == scaling::contraction ? share : std::max(0.0, 2.0 - 1.0 / share);
  }
  [[nodiscard]] double effective_contraction(const layout& tensors) const {
    const double delta = contraction(tensors);
    return same_positions ? detail::contraction_together(delta) : delta;
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    check();
    std::size_t bytes = message_header_bytes + stamp_bytes;
    for (const tensor_info& tensor : tensors.tensors()) bytes += sizeof(float) * detail::kept_of(keep, tensor.size());
    return bytes;
  }

  template <class T>
  POLDER_NOINLINE std::size_t compress(no_compressor_state&, std::span<const T> x, const layout& tensors,
                                       const stamp& which, std::span<std::byte> out) const {
    detail::check_numbers(codec::random_k, x.size(), tensors);
    detail::check_room(codec::random_k, out.size(), max_bytes<T>(tensors));
    std::byte* to = out.data() + message_header_bytes;
    const stamp drawn{which.seed, which.step, same_positions ? 0 : which.worker, same_positions ? 0 : which.edge};
    detail::store_value(to, drawn.seed);
    detail::store_value(to + 8, drawn.step);
    detail::store_value(to + 16, drawn.worker);
    detail::store_value(to + 20, drawn.edge);
    to += stamp_bytes;
    detail::subset_drawer positions(drawn.key(purpose::selection));
    for (const tensor_info& tensor : tensors.tensors()) {
      const T* from = x.data() + tensor.offset;
      const std::size_t m = tensor.size();
      std::uint32_t largest = 0;
      const auto look_at = [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          largest = std::max(largest, ops::magnitude_bits(static_cast<float>(from[i])));
        }
      };
      positions.draw(m, detail::kept_of(keep, m), look_at, [&](std::size_t i) {
        detail::store_value(to, static_cast<float>(from[i]));
        to += sizeof(float);
      });
      if (largest >= ops::infinity_bits<float>) {
        detail::refuse_numbers(codec::random_k, tensor, from, 0x1.FFFFFFp127, "");
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
  void check() const {
    detail::check_keep(codec::random_k, keep);
    require<config_error>(scale == scaling::unbiased || scale == scaling::contraction, "random_k: scale is ",
                          static_cast<int>(scale), " but must be unbiased or contraction");
  }
  template <class T>
  [[nodiscard]] message_header header(const layout& tensors) const {
    const auto variant = static_cast<unsigned>(scale) | (same_positions ? 2u : 0u);
    return {codec::random_k,
            sizeof(T),
            static_cast<std::uint8_t>(variant),
            std::bit_cast<std::uint64_t>(keep),
            tensors.size(),
            max_bytes<T>(tensors) - message_header_bytes};
  }

  template <class T, class Sink>
  POLDER_NOINLINE void decode(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y,
                              const Sink& sink) const {
    check();
    detail::check_numbers(codec::random_k, y.size(), tensors);
    const std::byte* from = open_message(bytes, header<T>(tensors)).data();
    const stamp drawn{detail::load_value<std::uint64_t>(from), detail::load_value<std::uint64_t>(from + 8),
                      detail::load_value<std::uint32_t>(from + 16), detail::load_value<std::uint32_t>(from + 20)};
    require<compress_error>(!same_positions || (drawn.worker == 0 && drawn.edge == 0),
                            "random_k: the message's positions are of worker ", drawn.worker, ", edge ", drawn.edge,
                            ", but all workers are to have the same");
    from += stamp_bytes;
    detail::subset_drawer positions(drawn.key(purpose::selection));
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t m = tensor.size();
      const std::size_t k = detail::kept_of(keep, m);
      if (k == 0) continue;
      const double stretch = scale == scaling::unbiased ? static_cast<double>(m) / static_cast<double>(k) : 1.0;
      T* to = y.data() + tensor.offset;
      if constexpr (!Sink::adds) std::fill_n(to, m, T{0});
      bool finite = true;
      detail::scattered numbers(to, [&](std::size_t i) {
        const auto value = static_cast<T>(stretch * static_cast<double>(detail::load_value<float>(from)));
        finite &= detail::is_finite(value);
        sink(to[i], value);
        from += sizeof(float);
      });
      const auto nothing = [](std::size_t, std::size_t) {};
      positions.draw(m, k, nothing, [&](std::size_t i) { numbers.add(i); });
      numbers.finish();
      detail::require_finite_payload(finite, codec::random_k, tensor);
    }
  }
};
static_assert(compressor<random_k, float> && compressor<random_k, double>);

}  // namespace polder
