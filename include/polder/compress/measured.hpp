// polder — a compressor that keeps account of what it loses.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

#include "polder/backend/host_memory.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder {

/// Any compressor C, with its errors measured on the way: the messages are those of C, byte for byte.
///
///     messages    how many there were
///     input       sum ||v||^2 over them
///     lost        sum ||v - C(v)||^2
///
/// so that sqrt(lost / input) is the relative compression error and sqrt(lost / messages) its mean length. Inside
/// error_feedback v is what is compressed, the memory included: `error_feedback{measured{sign{}}}`.
///
/// Parameters: inner, the compressor; on, default true: without it nothing is measured and nothing is spent.
/// State: 3 doubles and that of the inner one; with `on` n numbers of scratch. Wire: as inner.
/// Cost: on top of encoding with inner, one decode, and two passes that read a vector, the first of which copies it.
/// Errors: those of inner; config_error where v and layout have not the same size.
template <class K>
struct measured {
  static constexpr bool fixed_size = K::fixed_size;

  K inner{};
  bool on = true;

  template <class T>
  struct state {
    host_buffer<double> sums;  ///< messages, input, lost
    host_buffer<T> scratch;    // v - C(v)
    compressor_state_t<K, T> inner;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("measured", sums.view());
      inner.visit([&](const std::string& name, auto values) { visitor("measured." + name, values); });
    }
  };

  template <class T>
  [[nodiscard]] state<T> init(const layout& tensors) const {
    return {host_buffer<double>(3), host_buffer<T>(on ? tensors.size() : 0), inner.template init<T>(tensors)};
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    return inner.template max_bytes<T>(tensors);
  }
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
  std::size_t compress(state<T>& s, std::span<const T> v, const layout& tensors, const stamp& which,
                       std::span<std::byte> out) const {
    const std::size_t bytes = inner.template compress<T>(s.inner, v, tensors, which, out);
    if (!on) return bytes;
    const std::span<T> rest = s.scratch.view();
    require<config_error>(v.size() == rest.size() && tensors.size() == rest.size(), "measured: the scratch has ",
                          rest.size(), " numbers, the vector ", v.size(), ", the layout ", tensors.size());
    std::copy(v.begin(), v.end(), rest.begin());
    inner.template decompress_add<T>(out.first(bytes), tensors, -1.0, rest);
    double* const sums = s.sums.data();
    sums[0] += 1.0;
    sums[1] += squared_norm<T>(v);
    sums[2] += squared_norm<T>(rest);
    return bytes;
  }
  template <class T>
  void decompress(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y) const {
    inner.template decompress<T>(bytes, tensors, y);
  }
  template <class T>
  void decompress_add(std::span<const std::byte> bytes, const layout& tensors, double weight, std::span<T> y) const {
    inner.template decompress_add<T>(bytes, tensors, weight, y);
  }

 private:
  template <class T>
  static double squared_norm(std::span<const T> x) {
    detail::canonical_sum sum;
    for (std::size_t begin = 0; begin < x.size(); begin += sum_block) {
      sum.add(x.data() + begin, std::min(sum_block, x.size() - begin), ops::square{});
    }
    return sum.total();
  }
};
template <class K>
measured(K) -> measured<K>;
template <class K>
measured(K, bool) -> measured<K>;

}  // namespace polder
