// polder — the compressor: a vector becomes fewer bytes, and bytes become a vector again.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "polder/core/layout.hpp"
#include "polder/core/random.hpp"

namespace polder {

/// Which message this is: what a compressor's random numbers are a function of. Two messages of a run differ in it.
struct stamp {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;    ///< the low 40 bits count
  std::uint32_t worker = 0;  ///< who compresses; the low 24 bits count
  std::uint32_t edge = 0;    ///< which of the worker's messages of the step; the low 16 bits count

  [[nodiscard]] constexpr random_key key(polder::purpose purpose) const { return {seed, purpose, step, worker, edge}; }
};

/// How a random compressor scales what it sends.
///
///     unbiased      E[C(v)] = v
///     contraction   E||C(v) - v||^2 <= (1 - delta) ||v||^2 with delta > 0: what error feedback and CHOCO need
enum class scaling : std::uint8_t { unbiased = 0, contraction = 1 };

/// The state of compressor K over numbers of type T.
template <class K, class T>
using compressor_state_t = decltype(std::declval<const K&>().template init<T>(std::declval<const layout&>()));

/// compressor — obligations of a compressor `k` of type K for numbers of type T in {float, double}:
///
///  1. K is an aggregate of hyperparameters. `k.template init<T>(layout)` checks them (config_error that names value
///     and range) and returns the state by value; `state.visit(v)` calls v(name, view) for each vector that a
///     checkpoint must hold. All workers of a run use equal compressors and layouts.
///  2. `k.template max_bytes<T>(layout)` is the size of the largest message, header included. With `K::fixed_size`
///     every message has exactly this size, so that a communicator may prepare its transfer once.
///  3. `k.template compress<T>(state, x, layout, stamp, out)` writes one message to the start of `out` and returns its
///     size: the bytes on the wire. `out` has room for max_bytes. It is a function of its arguments only: the same
///     stamp gives the same bits.
///  4. `k.template decompress<T>(bytes, layout, y)` overwrites y with C(x); `k.template decompress_add<T>(bytes,
///     layout, weight, y)` adds weight C(x) to y, with the same C(x) bit for bit. Neither needs the state or the stamp.
///  5. C works tensor by tensor of the layout. C(0) = 0 exactly; tensors of no and of one number are allowed.
///  6. Input that is not finite is a non_finite_error, finite input that the format cannot carry a compress_error; both
///     name the tensor. Sizes that do not agree are a config_error.
///  7. A message that is cut off, altered, of another compressor, layout or version is a compress_error that says what
///     is wrong, never undefined behavior, whatever the bytes are. What is in y then is of no use.
///  8. No call but init allocates memory.
///  9. Optional: `k.contraction(layout)` returns delta in [0, 1]: E||C(v) - v||^2 <= (1 - delta) ||v||^2 for every v, up
///     to the rounding of the numbers that are sent; 0 promises nothing. `k.effective_contraction(layout)`, where there
///     is one, is what a consensus step may count on in its place: many messages together do better or worse than each
///     is guaranteed to.
template <class K, class T>
concept compressor =
    requires(const K k, compressor_state_t<K, T> state, const layout tensors, std::span<const T> x, std::span<T> y,
             const stamp which, std::span<std::byte> out, std::span<const std::byte> bytes) {
      { K::fixed_size } -> std::convertible_to<bool>;
      { k.template max_bytes<T>(tensors) } -> std::same_as<std::size_t>;
      { k.template compress<T>(state, x, tensors, which, out) } -> std::same_as<std::size_t>;
      k.template decompress<T>(bytes, tensors, y);
      k.template decompress_add<T>(bytes, tensors, 1.0, y);
    };

/// In the place of a compressor: vectors travel as they are, without a header.
struct uncompressed {};

/// A compressor that also has the pass of error feedback in one piece: `k.template compress_residual<T>(state, v, e,
/// layout, stamp, out)` writes the message of p = v + e, as compress would, and leaves e <- p - C(p), with the C(p) of
/// decompress bit for bit. Saves error_feedback a pass over memory for p and one for C(p).
template <class K, class T>
concept residual_compressor =
    compressor<K, T> && requires(const K k, compressor_state_t<K, T> state, const layout tensors, std::span<const T> v,
                                 std::span<T> e, const stamp which, std::span<std::byte> out) {
      { k.template compress_residual<T>(state, v, e, tensors, which, out) } -> std::same_as<std::size_t>;
    };

template <class K>
concept contracting_compressor = requires(const K k, const layout tensors) {
  { k.contraction(tensors) } -> std::same_as<double>;
};

/// The contraction that a consensus step may count on: what K says of many messages, else what it guarantees of each.
template <contracting_compressor K>
[[nodiscard]] double effective_contraction(const K& k, const layout& tensors) {
  if constexpr (requires { k.effective_contraction(tensors); }) {
    return k.effective_contraction(tensors);
  } else {
    return k.contraction(tensors);
  }
}

/// The state of compressors that remember nothing.
struct no_compressor_state {
  template <class Visitor>
  void visit(Visitor&&) {}
};

namespace detail {

/// The least that a compressor is: it sends nothing.
struct compressor_archetype {
  static constexpr bool fixed_size = true;
  template <class T>
  no_compressor_state init(const layout&) const {
    return {};
  }
  template <class T>
  std::size_t max_bytes(const layout&) const {
    return 0;
  }
  template <class T>
  std::size_t compress(no_compressor_state&, std::span<const T>, const layout&, const stamp&,
                       std::span<std::byte>) const {
    return 0;
  }
  template <class T>
  void decompress(std::span<const std::byte>, const layout&, std::span<T>) const {}
  template <class T>
  void decompress_add(std::span<const std::byte>, const layout&, double, std::span<T>) const {}
};
static_assert(compressor<compressor_archetype, float> && compressor<compressor_archetype, double>);

}  // namespace detail
}  // namespace polder
