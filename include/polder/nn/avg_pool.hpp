// polder — average pooling.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>

#include "polder/nn/operation.hpp"
#include "polder/nn/pooling_window.hpp"
#include "polder/nn/shape.hpp"

namespace polder::nn {

namespace detail {

template <class T>
class average final : public operation<T> {
 public:
  average(window w, shape in, shape out)
      : window_(w), in_(in), out_(out), weight_(T{1} / static_cast<T>(w.height * w.width)) {}

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    for_windows(p.images, [&](std::size_t corner, std::size_t to) {
      T sum{0};
      for (std::size_t i = 0; i < window_.height; ++i) {
        for (std::size_t j = 0; j < window_.width; ++j) sum += x[corner + i * in_.width + j];
      }
      y[to] = sum * weight_;
    });
  }

  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T*) const override {
    if (dx == nullptr) return;
    std::fill_n(dx, p.images * in_.size(), T{0});
    for_windows(p.images, [&](std::size_t corner, std::size_t from) {
      const T share = dy[from] * weight_;
      for (std::size_t i = 0; i < window_.height; ++i) {
        for (std::size_t j = 0; j < window_.width; ++j) dx[corner + i * in_.width + j] += share;
      }
    });
  }
  void tangent_forward(const pass<T>& p, tangent<T> x, const T*, T* y_slope, const T*, T*) const override {
    forward(p, x.slope, y_slope, nullptr);
  }
  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T> y, tangent<T> dy, T* dx_slope,
                        tangent<T> saved) const override {
    backward(p, x.value, y.value, dy.slope, dx_slope, saved.value);
  }

 private:
  /// Calls `visit(corner, output)` for each window: where it begins in the input, and the place of its average.
  template <class Visit>
  void for_windows(std::size_t images, const Visit& visit) const {
    std::size_t to = 0;
    for (std::size_t c = 0; c < images * in_.channels; ++c) {
      for (std::size_t h = 0; h < out_.height; ++h) {
        const std::size_t row = c * in_.pixels() + h * window_.stride * in_.width;
        for (std::size_t w = 0; w < out_.width; ++w) visit(row + w * window_.stride, to++);
      }
    }
  }

  window window_;
  shape in_, out_;
  T weight_;
};

}  // namespace detail

/// y[c, h, w] = mean over i, j < size of x[c, stride h + i, stride w + j]
struct avg_pool {
  static constexpr std::string_view name = "avg_pool";

  std::size_t size = 0;    ///< height and width of the window; 0: the whole image (global average pooling)
  std::size_t stride = 0;  ///< 0: as size

  [[nodiscard]] shape output(shape in) const { return area(in).output(in, "avg_pool"); }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder&, shape in) const {
    return std::make_unique<detail::average<T>>(area(in), in, output(in));
  }
  [[nodiscard]] detail::window area(shape in) const {
    if (size == 0) return {in.height, in.width, std::max(in.height, in.width)};
    return {size, size, stride == 0 ? size : stride};
  }
};

}  // namespace polder::nn
