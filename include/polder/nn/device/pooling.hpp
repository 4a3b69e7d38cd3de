// polder — pooling on a backend's own memory. Each place is written from one index alone: gradients are gathered from
// the windows that cover a pixel, not scattered to the pixels of a window.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "polder/core/divider.hpp"
#include "polder/nn/avg_pool.hpp"
#include "polder/nn/device/shared.hpp"
#include "polder/nn/max_pool.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/pooling_window.hpp"

namespace polder::nn {
namespace detail::device {

/// A window that slides over planes of (height, width).
struct plane_windows {
  window size;
  std::size_t height, width;
  std::size_t out_height, out_width;
  divider by_height, by_width, by_out_height, by_out_width, by_size_width, by_stride;

  plane_windows(window w, shape in, shape out)
      : size(w),
        height(in.height),
        width(in.width),
        out_height(out.height),
        out_width(out.width),
        by_height(height),
        by_width(width),
        by_out_height(out_height),
        by_out_width(out_width),
        by_size_width(w.width),
        by_stride(w.stride) {}

  /// The upper left corner of output `i`, over all planes.
  [[nodiscard]] POLDER_HD std::size_t corner(std::size_t i) const {
    const auto [line, column] = by_out_width.split(narrow(i));
    const auto [plane, row] = by_out_height.split(line);
    return (plane * height + row * size.stride) * width + column * size.stride;
  }
  /// The number of a tap as an offset from the corner.
  [[nodiscard]] POLDER_HD std::size_t offset(std::size_t tap) const {
    const auto [row, column] = by_size_width.split(narrow(tap));
    return row * width + column;
  }
  /// Calls visit(output, tap) for the windows that cover input `i`, in rising order.
  template <class Visit>
  POLDER_HD void for_covering(std::size_t i, const Visit& visit) const {
    const auto [line, w] = by_width.split(narrow(i));
    const auto [plane, h] = by_height.split(line);
    for (std::size_t row = first(h, size.height); row < out_height && row * size.stride <= h; ++row) {
      for (std::size_t column = first(w, size.width); column < out_width && column * size.stride <= w; ++column) {
        visit((plane * out_height + row) * out_width + column,
              (h - row * size.stride) * size.width + w - column * size.stride);
      }
    }
  }

 private:
  /// The first window that reaches as far as `place`.
  [[nodiscard]] POLDER_HD std::size_t first(std::size_t place, std::size_t extent) const {
    return place < extent ? 0 : by_stride.quotient(narrow(place - extent)) + std::size_t{1};
  }
};

/// The maximum and the number of its tap; the first of equals wins, not-a-number beats all.
template <class T>
struct take_maximum {
  plane_windows of;
  const T* x;
  T *y, *place;
  POLDER_HD void operator()(std::size_t i) const {
    const T* const corner = x + of.corner(i);
    T best = *corner;
    std::size_t tap = 0;
    for (std::size_t k = 1; k < of.size.height * of.size.width; ++k) {
      const T candidate = corner[of.offset(k)];
      if (candidate > best || candidate != candidate) {
        best = candidate;
        tap = k;
      }
    }
    y[i] = best;
    place[i] = static_cast<T>(tap);
  }
};
template <class T>
struct maximum_back {
  plane_windows of;
  const T *dy, *place;
  T* dx;
  POLDER_HD void operator()(std::size_t i) const {
    T sum{0};
    of.for_covering(i, [&](std::size_t output, std::size_t tap) {
      if (place[output] == static_cast<T>(tap)) sum += dy[output];
    });
    dx[i] = sum;
  }
};
template <class T>
struct take_average {
  plane_windows of;
  const T* x;
  T* y;
  T weight;
  POLDER_HD void operator()(std::size_t i) const {
    const T* const corner = x + of.corner(i);
    T sum{0};
    for (std::size_t k = 0; k < of.size.height * of.size.width; ++k) sum += corner[of.offset(k)];
    y[i] = sum * weight;
  }
};
template <class T>
struct average_back {
  plane_windows of;
  const T* dy;
  T* dx;
  T weight;
  POLDER_HD void operator()(std::size_t i) const {
    T sum{0};
    of.for_covering(i, [&](std::size_t output, std::size_t) { sum += dy[output]; });
    dx[i] = sum * weight;
  }
};

template <class T, kernel_backend B>
class maximum final : public operation<T> {
 public:
  maximum(B backend, window w, shape in, shape out)
      : backend_(std::move(backend)), windows_(w, in, out), in_(in.size()), out_(out.size()) {}
  /// Per output the number of the tap of its maximum, as a number of type T.
  std::size_t saved() const override { return padded(out_); }
  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    backend_.each(narrow_count(p.images * out_), take_maximum<T>{windows_, x, y, saved});
  }
  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T* saved) const override {
    if (dx != nullptr) backend_.each(narrow_count(p.images * in_), maximum_back<T>{windows_, dy, saved, dx});
  }

 private:
  B backend_;
  plane_windows windows_;
  std::size_t in_, out_;
};

template <class T, kernel_backend B>
class average final : public operation<T> {
 public:
  average(B backend, window w, shape in, shape out)
      : backend_(std::move(backend)),
        windows_(w, in, out),
        in_(in.size()),
        out_(out.size()),
        weight_(T{1} / static_cast<T>(w.height * w.width)) {}
  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    backend_.each(narrow_count(p.images * out_), take_average<T>{windows_, x, y, weight_});
  }
  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T*) const override {
    if (dx != nullptr) backend_.each(narrow_count(p.images * in_), average_back<T>{windows_, dy, dx, weight_});
  }

 private:
  B backend_;
  plane_windows windows_;
  std::size_t in_, out_;
  T weight_;
};

}  // namespace detail::device

template <class T, kernel_backend B>
[[nodiscard]] std::unique_ptr<operation<T>> bind_on(const B& backend, const max_pool& layer, binder&, shape in) {
  return std::make_unique<detail::device::maximum<T, B>>(backend, layer.area(), in, layer.output(in));
}
template <class T, kernel_backend B>
[[nodiscard]] std::unique_ptr<operation<T>> bind_on(const B& backend, const avg_pool& layer, binder&, shape in) {
  return std::make_unique<detail::device::average<T, B>>(backend, layer.area(in), in, layer.output(in));
}

}  // namespace polder::nn
