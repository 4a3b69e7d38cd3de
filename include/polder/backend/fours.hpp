// polder — four elements at a time: a pass with accesses of 16 bytes and more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::detail {

template <class T>
struct alignas(16) four {
  T numbers[4];
};

/// Whether vectors that begin there may be read and written four elements at a time.
template <class... Ts>
[[nodiscard]] bool in_fours(const Ts*... data) {
  return ((reinterpret_cast<std::uintptr_t>(data) % 16 == 0) && ...);
}

/// Moves four numbers whose outer address, on a device, is divisible by 16. The device's compiler wants to see the type to
/// make one access of them, the host's a copy that no aliasing rule forbids.
template <class T>
POLDER_HD void move_four(T* to, const T* from) {
#if defined(__CUDA_ARCH__)
  *reinterpret_cast<four<T>*>(to) = *reinterpret_cast<const four<T>*>(from);
#else
  std::memcpy(to, from, sizeof(four<T>));
#endif
}

/// Elements 4 i to 4 i + 3; anything if the stream is only written.
template <access Mode, class Space, class T>
POLDER_HD four<T> load_four(const stream<Mode, Space, T>& from, std::size_t i) {
  four<T> x{};
  if constexpr (Mode != access::out) move_four(x.numbers, from.data + 4 * i);
  return x;
}
template <access Mode, class Space, class T>
POLDER_HD void store_four(const stream<Mode, Space, T>& to, std::size_t i, const four<T>& x) {
  if constexpr (Mode != access::in) move_four(to.data + 4 * i, x.numbers);
}

/// A number as an element function gets it: what is only read is const.
template <access Mode, class T>
POLDER_HD std::conditional_t<Mode == access::in, const T&, T&> as_element(T& x) {
  return x;
}

/// call(k, x…) for the elements 4 i + k of each stream, k = 0 to 3.
template <class Call, access... Modes, class Space, class... Ts>
POLDER_HD void each_of_four(const Call& call, std::size_t i, const stream<Modes, Space, Ts>&... streams) {
  const auto run = [&](auto... x) {
    for (std::size_t k = 0; k < 4; ++k) call(k, as_element<Modes>(x.numbers[k])...);
    (store_four(streams, i, x), ...);
  };
  run(load_four(streams, i)...);
}

/// The elements 4 i to 4 i + 3 of a weighted sum: terms in order, in double, rounded once.
template <class T, class Terms>
POLDER_HD four<T> weighted_four(const Terms& terms, std::size_t count, std::size_t i) {
  double y[4] = {};
  for (std::size_t term = 0; term < count; ++term) {
    four<T> x;
    move_four(x.numbers, terms[term].x.data + 4 * i);
    for (std::size_t k = 0; k < 4; ++k) {
      y[k] = ops::multiply_add(terms[term].weight, static_cast<double>(x.numbers[k]), y[k]);
    }
  }
  return {{static_cast<T>(y[0]), static_cast<T>(y[1]), static_cast<T>(y[2]), static_cast<T>(y[3])}};
}

}  // namespace polder::detail
