// polder — memory and sums shared by the backends that run on the host.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"

namespace polder {

/// Owns `size` numbers in host memory, aligned to a cache line.
template <class T>
class host_buffer {
 public:
  static constexpr std::size_t alignment = 64;

  host_buffer() = default;
  /// All zero.
  explicit host_buffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    require<backend_error>(size <= std::numeric_limits<std::size_t>::max() / 2 / sizeof(T), "cannot get memory for ",
                           size, " numbers of ", sizeof(T), " bytes: is the size right?");
    void* memory = ::operator new(size * sizeof(T), std::align_val_t{alignment}, std::nothrow);
    require<backend_error>(memory != nullptr, "cannot get ", size * sizeof(T),
                           " bytes of memory: use fewer workers or a smaller model");
    std::memset(memory, 0, size * sizeof(T));
    data_.reset(static_cast<T*>(memory));
  }

  [[nodiscard]] host_view<T> view() { return {data_.get(), size_}; }
  [[nodiscard]] host_view<const T> view() const { return {data_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] T* data() { return data_.get(); }
  [[nodiscard]] const T* data() const { return data_.get(); }

 private:
  struct release {
    void operator()(T* memory) const { ::operator delete(memory, std::align_val_t{alignment}); }
  };
  std::unique_ptr<T, release> data_;
  std::size_t size_ = 0;
};

namespace detail {

/// Obligation 3 of a tensor backend, for host memory.
struct host_memory {
  using space = host_space;
  template <class T>
  using buffer = host_buffer<T>;

  template <class T>
  [[nodiscard]] host_buffer<T> zeros(std::size_t n) const {
    return host_buffer<T>(n);
  }
  template <class From, class T>
  void copy(host_view<From> from, host_view<T> to) const {
    constexpr auto largest = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
    // the second half cannot fail, but without it g++ warns of copies longer than any memory
    require<config_error>(from.size == to.size && from.size <= largest / sizeof(T), "copy: ", from.size,
                          " numbers do not fit into ", to.size);
    if (from.size != 0) std::memmove(to.data, from.data, from.size * sizeof(T));
  }
  template <class From, class T>
  void to_host(host_view<From> from, std::span<T> to) const {
    copy(from, host_view<T>(to));
  }
  template <class From, class T>
  void from_host(std::span<From> from, host_view<T> to) const {
    copy(host_view<From>(from), to);
  }
};

/// Keeps the compiler from carrying values past this line in registers. Without it the product that ends an element
/// could be contracted with the addition of a sum: a fused multiply-add has other bits, and whether one is made would
/// depend on inlining.
POLDER_INLINE void settle([[maybe_unused]] const double* values) {
#if defined(__GNUC__) || defined(__clang__)
  asm volatile("" : : "r"(values) : "memory");
#endif
}

/// The lanes of a canonical block folded in halves; they are spent.
[[nodiscard]] inline double fold_lanes(double (&lanes)[sum_lanes]) {
  for (std::size_t half = sum_lanes / 2; half != 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/// One canonical block: the lanes of `count` <= sum_block values of `value(i)`, folded.
template <class Value>
[[nodiscard]] inline double sum_one_block(std::size_t count, const Value& value) {
  double lanes[sum_lanes] = {};
  for (std::size_t i = 0; i < count; i += sum_lanes) {
    const std::size_t width = std::min(sum_lanes, count - i);
    double values[sum_lanes];
    for (std::size_t lane = 0; lane < width; ++lane) values[lane] = value(i + lane);
    settle(values);
    for (std::size_t lane = 0; lane < width; ++lane) lanes[lane] += values[lane];
  }
  return fold_lanes(lanes);
}

}  // namespace detail
}  // namespace polder
