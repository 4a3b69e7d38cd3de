// polder — a view: where numbers lie (a space), where they begin, and how many there are.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

namespace polder {

/// Memory that the host reads and writes: every CPU backend, and Thrust's CPP and OMP systems.
struct host_space {};

/// `size` contiguous numbers of type `T` in the memory `Space`. A view owns nothing and is passed by value. The space
/// is part of the type, so that a device pointer can never be handed to host code.
template <class Space, class T>
struct view {
  using space = Space;
  using value_type = std::remove_const_t<T>;

  T* data = nullptr;
  std::size_t size = 0;

  constexpr view() = default;
  constexpr view(T* first, std::size_t count) : data(first), size(count) {}
  /// A view of constant numbers from a view of numbers.
  template <class U>
    requires(std::same_as<const U, T> && !std::is_const_v<U>)
  constexpr view(view<Space, U> other) : data(other.data), size(other.size) {}
  /// On the host, a view is a span and a span is a view.
  template <class U>
    requires(std::same_as<Space, host_space> && (std::same_as<U, T> || std::same_as<const U, T>))
  constexpr view(std::span<U> numbers) : data(numbers.data()), size(numbers.size()) {}
  constexpr operator std::span<T>() const
    requires std::same_as<Space, host_space>
  {
    return {data, size};
  }

  /// The `count` numbers from `offset` on.
  [[nodiscard]] constexpr view part(std::size_t offset, std::size_t count) const { return {data + offset, count}; }
  [[nodiscard]] constexpr view<Space, const value_type> as_const() const { return {data, size}; }
};

template <class T>
using host_view = view<host_space, T>;

/// One term of a weighted sum of vectors.
template <class Space, class T>
struct weighted {
  view<Space, const T> x;
  double weight = 0;
};

}  // namespace polder
