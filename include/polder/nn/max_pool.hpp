// polder — max pooling.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "polder/core/config.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/pooling_window.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn {

namespace detail {

template <class T>
class maximum final : public operation<T> {
 public:
  maximum(window w, shape in, shape out) : window_(w), in_(in), out_(out) {}

  /// Per output the place of its maximum in the window, as a number of type T.
  std::size_t saved() const override { return padded(out_.size()); }

  // Linear once the places are known.
  void tangent_forward(const pass<T>& p, tangent<T> x, const T*, T* y_slope, const T* saved, T*) const override {
    if (halves()) {
      tangent_halves(p.images, x.slope, y_slope, saved);
    } else {
      for_planes(p.images,
                 [&](std::size_t from, std::size_t to) { tangent_any(x.slope + from, y_slope + to, saved + to); });
    }
  }
  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T> y, tangent<T> dy, T* dx_slope,
                        tangent<T> saved) const override {
    backward(p, x.value, y.value, dy.slope, dx_slope, saved.value);
  }

  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    if (halves()) {
      forward_halves(p.images, x, y, saved);
    } else {
      for_planes(p.images, [&](std::size_t from, std::size_t to) { forward_any(x + from, y + to, saved + to); });
    }
  }

  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T* saved) const override {
    if (dx == nullptr) return;
    const bool covered = halves() && 2 * out_.width == in_.width && 2 * out_.height == in_.height;
    if (!covered) std::fill_n(dx, p.images * in_.size(), T{0});
    if (halves()) {
      backward_halves(p.images, dy, dx, saved, covered);
    } else {
      for_planes(p.images, [&](std::size_t from, std::size_t to) { backward_any(dy + to, dx + from, saved + to); });
    }
  }

 private:
  bool halves() const { return window_.height == 2 && window_.width == 2 && window_.stride == 2; }

  template <class Visit>
  void for_planes(std::size_t images, const Visit& visit) const {
    for (std::size_t c = 0; c < images * in_.channels; ++c) visit(c * in_.pixels(), c * out_.pixels());
  }

  /// The usual 2 x 2 windows without branches, a vector of outputs at a time: calls `many(from, to)` for the windows
  /// whose upper left corner is at `from` and whose outputs are at `to`. A row's last vector may reach into the next
  /// rows of inputs and outputs, also into the lower row of its own windows: hence from right to left. Over the end of
  /// the batch it must not reach; there, or if no vector may reach anywhere, `one` takes single windows.
  template <std::size_t Bytes, class Many, class One>
  void for_halves(std::size_t images, bool reach, const Many& many, const One& one) const {
    constexpr std::size_t count = Bytes / sizeof(T);
    const std::size_t inputs = images * in_.size(), outputs = images * out_.size();
    for_planes(images, [&](std::size_t from, std::size_t to) {
      for (std::size_t h = 0; h < out_.height; ++h, from += 2 * in_.width, to += out_.width) {
        for (std::size_t left = (out_.width + count - 1) / count; left-- > 0;) {
          const std::size_t w = left * count;
          if (reach && to + w + count <= outputs && from + in_.width + 2 * (w + count) <= inputs) {
            many(from + 2 * w, to + w);
          } else {
            for (std::size_t i = w; i < std::min(w + count, out_.width); ++i) one(from + 2 * i, to + i);
          }
        }
      }
    });
  }

  // Comparisons are in the same order as in forward_any, so the first of equals wins.
  void forward_halves(std::size_t images, const T* x, T* y, T* place) const {
    with_vector_for<T>(out_.width, [&](auto bytes) {
      const auto best = [&](auto width, std::size_t from, std::size_t to) {
        best_of_four<width>(x + from, x + from + in_.width, y + to, place + to);
      };
      for_halves<bytes>(
          images, true, [&](std::size_t from, std::size_t to) { best(bytes, from, to); },
          [&](std::size_t from, std::size_t to) { best(std::integral_constant<std::size_t, sizeof(T)>{}, from, to); });
    });
  }
  void backward_halves(std::size_t images, const T* dy, T* dx, const T* place, bool covered) const {
    with_vector_for<T>(out_.width, [&](auto bytes) {
      const auto back = [&](auto width, std::size_t from, std::size_t to) {
        to_the_best<width>(dy + to, place + to, dx + from, dx + from + in_.width);
      };
      for_halves<bytes>(
          images, covered, [&](std::size_t from, std::size_t to) { back(bytes, from, to); },
          [&](std::size_t from, std::size_t to) { back(std::integral_constant<std::size_t, sizeof(T)>{}, from, to); });
    });
  }

  void tangent_halves(std::size_t images, const T* x, T* y, const T* place) const {
    with_vector_for<T>(out_.width, [&](auto bytes) {
      const auto take = [&](auto width, std::size_t from, std::size_t to) {
        from_the_best<width>(x + from, x + from + in_.width, place + to, y + to);
      };
      for_halves<bytes>(
          images, true, [&](std::size_t from, std::size_t to) { take(bytes, from, to); },
          [&](std::size_t from, std::size_t to) { take(std::integral_constant<std::size_t, sizeof(T)>{}, from, to); });
    });
  }

  /// The maximum of each 2 x 2 window and its place, for a vector of `Bytes` or, as a vector of one, a single number.
  template <std::size_t Bytes>
  static POLDER_INLINE void best_of_four(const T* upper, const T* lower, T* y, T* place) {
    if constexpr (Bytes == sizeof(T)) {
      const bool right = beats(upper[1], upper[0]), low_right = beats(lower[1], lower[0]);
      const T ab = upper[right ? 1 : 0], cd = lower[low_right ? 1 : 0];
      const bool below = beats(cd, ab);
      *y = below ? cd : ab;
      *place = below ? (low_right ? T{3} : T{2}) : (right ? T{1} : T{0});
    } else {
      using vector = typename vector_of<T, Bytes>::type;
      constexpr std::size_t count = Bytes / sizeof(T);
      constexpr auto lane = std::make_index_sequence<count>{};
      vector left, rest;
      std::memcpy(&left, upper, Bytes);
      std::memcpy(&rest, upper + count, Bytes);
      const vector a = every_second<0>(left, rest, lane), b = every_second<1>(left, rest, lane);
      std::memcpy(&left, lower, Bytes);
      std::memcpy(&rest, lower + count, Bytes);
      const vector c = every_second<0>(left, rest, lane), d = every_second<1>(left, rest, lane);
      const vector zero{};
      const auto right = (b > a) | (b != b), low_right = (d > c) | (d != d);
      const vector ab = right ? b : a, cd = low_right ? d : c;
      const auto below = (cd > ab) | (cd != cd);
      const vector best = below ? cd : ab;
      const vector where = below ? (low_right ? zero + T{3} : zero + T{2}) : (right ? zero + T{1} : zero);
      std::memcpy(y, &best, Bytes);
      std::memcpy(place, &where, Bytes);
    }
  }
  /// The number at `place` of each 2 x 2 window.
  template <std::size_t Bytes>
  static POLDER_INLINE void from_the_best(const T* upper, const T* lower, const T* place, T* y) {
    if constexpr (Bytes == sizeof(T)) {
      const T* const row = *place < T{2} ? upper : lower;
      *y = *place == T{0} || *place == T{2} ? row[0] : row[1];
    } else {
      using vector = typename vector_of<T, Bytes>::type;
      constexpr std::size_t count = Bytes / sizeof(T);
      constexpr auto lane = std::make_index_sequence<count>{};
      vector left, rest, where;
      std::memcpy(&where, place, Bytes);
      std::memcpy(&left, upper, Bytes);
      std::memcpy(&rest, upper + count, Bytes);
      const vector a = every_second<0>(left, rest, lane), b = every_second<1>(left, rest, lane);
      std::memcpy(&left, lower, Bytes);
      std::memcpy(&rest, lower + count, Bytes);
      const vector c = every_second<0>(left, rest, lane), d = every_second<1>(left, rest, lane);
      const vector ab = where == T{0} ? a : b, cd = where == T{2} ? c : d;
      const vector chosen = where < T{2} ? ab : cd;
      std::memcpy(y, &chosen, Bytes);
    }
  }
  /// dx of both lines of windows: dy at the place of the maximum, else 0.
  template <std::size_t Bytes>
  static POLDER_INLINE void to_the_best(const T* dy, const T* place, T* upper, T* lower) {
    if constexpr (Bytes == sizeof(T)) {
      upper[0] = *place == T{0} ? *dy : T{0};
      upper[1] = *place == T{1} ? *dy : T{0};
      lower[0] = *place == T{2} ? *dy : T{0};
      lower[1] = *place == T{3} ? *dy : T{0};
    } else {
      using vector = typename vector_of<T, Bytes>::type;
      constexpr std::size_t count = Bytes / sizeof(T);
      constexpr auto lane = std::make_index_sequence<count>{};
      vector slope, where;
      std::memcpy(&slope, dy, Bytes);
      std::memcpy(&where, place, Bytes);
      const vector zero{};
      const auto write = [&](T left, T* line) {
        const vector even = where == left ? slope : zero, odd = where == left + T{1} ? slope : zero;
        const vector first = in_turns<0>(even, odd, lane), second = in_turns<1>(even, odd, lane);
        std::memcpy(line, &first, Bytes);
        std::memcpy(line + count, &second, Bytes);
      };
      write(T{0}, upper);
      write(T{2}, lower);
    }
  }

  void forward_any(const T* x, T* y, T* place) const {
    for (std::size_t h = 0; h < out_.height; ++h) {
      for (std::size_t w = 0; w < out_.width; ++w, ++y, ++place) {
        const T* corner = x + h * window_.stride * in_.width + w * window_.stride;
        std::size_t best = 0;
        *y = *corner;
        for (std::size_t i = 1; i < window_.height * window_.width; ++i) {
          const T candidate = corner[i / window_.width * in_.width + i % window_.width];
          if (beats(candidate, *y)) {
            *y = candidate;
            best = i;
          }
        }
        *place = static_cast<T>(best);
      }
    }
  }
  void tangent_any(const T* x, T* y, const T* place) const {
    for (std::size_t h = 0; h < out_.height; ++h) {
      for (std::size_t w = 0; w < out_.width; ++w, ++y, ++place) {
        const auto i = static_cast<std::size_t>(*place);
        *y = x[(h * window_.stride + i / window_.width) * in_.width + w * window_.stride + i % window_.width];
      }
    }
  }
  void backward_any(const T* dy, T* dx, const T* place) const {
    for (std::size_t h = 0; h < out_.height; ++h) {
      for (std::size_t w = 0; w < out_.width; ++w, ++dy, ++place) {
        const auto i = static_cast<std::size_t>(*place);
        dx[(h * window_.stride + i / window_.width) * in_.width + w * window_.stride + i % window_.width] += *dy;
      }
    }
  }

  /// Not-a-number beats all: it must reach the loss, where the run stops.
  static bool beats(T candidate, T best) { return candidate > best || candidate != candidate; }

  window window_;
  shape in_, out_;
};

}  // namespace detail

/// y[c, h, w] = max over i, j < size of x[c, stride h + i, stride w + j]; the gradient goes to the first of equals.
struct max_pool {
  static constexpr std::string_view name = "max_pool";

  std::size_t size = 2;    ///< height and width of the window
  std::size_t stride = 0;  ///< 0: as size

  [[nodiscard]] shape output(shape in) const { return area().output(in, "max_pool"); }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder&, shape in) const {
    return std::make_unique<detail::maximum<T>>(area(), in, output(in));
  }
  [[nodiscard]] detail::window area() const { return {size, size, stride == 0 ? size : stride}; }
};

}  // namespace polder::nn
