// polder — error feedback: what a message left out is in the next one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "polder/backend/host_memory.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/core/config.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"

namespace polder {

template <class K>
struct error_feedback;

namespace detail {
template <class K>
inline constexpr bool is_error_feedback = false;
template <class K>
inline constexpr bool is_error_feedback<error_feedback<K>> = true;
}  // namespace detail

/// Error feedback around any compressor C: what a message leaves out is kept and added to the next input.
///
///     p = v + e;   q = C(p), which is sent;   e <- p - q            e = 0 at the start
///
/// So the sum of all q and the last e is the sum of all v, up to rounding. C should be a contraction (sign, top_k, and
/// qsgd and random_k with scaling::contraction): around an unbiased compressor of large variance the memory may grow.
///
/// Parameters: inner, the compressor; an error_feedback as well, whose type is then spelled out
/// (`error_feedback<error_feedback<half>>`), because one in braces is taken for a copy. The inner one is then given the last
/// error twice less the one before: its memory stays bounded if C loses less than a third of what it gets, and may grow
/// without bound if not.
/// State: e (n numbers) and the inner one; one state for each receiver that is sent inputs of its own. Wire: as inner.
/// Cost: on top of encoding with inner, one pass that reads v and reads and writes e, and one decode into e. Sign and qsgd
/// (residual_compressor) have it inside their passes, of which each also reads e and the last writes it.
/// Errors: those of inner; config_error where v and layout have not the same size. After an error the memory is of no
/// use.
/// Source: the NGC and CGA codes, which keep one memory for each neighbor and tensor.
template <class K>
struct error_feedback {
  static_assert(compressor<K, float> || compressor<K, double>,
                "error_feedback wraps a compressor: qsgd, sign, top_k, …; see docs/reference/parts.md");

  static constexpr bool fixed_size = K::fixed_size;

  K inner{};

  template <class T>
  struct state {
    host_buffer<T> memory;  ///< e
    compressor_state_t<K, T> inner;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("error_feedback", memory.view());
      inner.visit([&](const std::string& name, auto values) { visitor("error_feedback." + name, values); });
    }
  };

  template <class T>
  [[nodiscard]] state<T> init(const layout& tensors) const {
    return {host_buffer<T>(tensors.size()), inner.template init<T>(tensors)};
  }
  /// That of inner: what a message carries of the vector and the memory together.
  [[nodiscard]] double contraction(const layout& tensors) const
    requires contracting_compressor<K>
  {
    return inner.contraction(tensors);
  }
  [[nodiscard]] double effective_contraction(const layout& tensors) const
    requires contracting_compressor<K>
  {
    return polder::effective_contraction(inner, tensors);
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    return inner.template max_bytes<T>(tensors);
  }

  template <class T>
  POLDER_NOINLINE std::size_t compress(state<T>& s, std::span<const T> v, const layout& tensors, const stamp& which,
                                       std::span<std::byte> out) const {
    const std::span<T> e = s.memory.view();
    require<config_error>(v.size() == e.size() && tensors.size() == e.size(), "error_feedback: the memory has ",
                          e.size(), " numbers, the vector ", v.size(), ", the layout ", tensors.size());
    if constexpr (residual_compressor<K, T>) {
      return inner.template compress_residual<T>(s.inner, v, e, tensors, which, out);
    } else {
      for (std::size_t i = 0; i < e.size(); ++i) e[i] += v[i];
      const std::size_t bytes = inner.template compress<T>(s.inner, e, tensors, which, out);
      inner.template decompress_add<T>(out.first(bytes), tensors, -1.0, e);
      return bytes;
    }
  }
  template <class T>
  void decompress(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y) const {
    inner.template decompress<T>(bytes, tensors, y);
  }
  template <class T>
  void decompress_add(std::span<const std::byte> bytes, const layout& tensors, double weight, std::span<T> y) const {
    inner.template decompress_add<T>(bytes, tensors, weight, y);
  }
};
template <class K>
error_feedback(K) -> error_feedback<K>;

}  // namespace polder
