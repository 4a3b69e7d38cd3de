// polder — two-dimensional convolution on a backend's own memory: an index map and one matrix product.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "polder/core/divider.hpp"
#include "polder/nn/convolution.hpp"
#include "polder/nn/device/shared.hpp"
#include "polder/nn/operation.hpp"

namespace polder::nn {
namespace detail::device {

/// The extents of a convolution of `images` images, and what its indices are divided by.
struct windows {
  std::size_t images;
  std::size_t height, width;  // of the input
  std::size_t out_height, out_width;
  std::size_t kernel, stride, padding;
  divider by_images, by_height, by_width, by_out_width, by_out_pixels, by_columns, by_kernel, by_taps, by_stride;

  windows(const conv2d& layer, shape in, shape out, std::size_t count)
      : images(count),
        height(in.height),
        width(in.width),
        out_height(out.height),
        out_width(out.width),
        kernel(layer.kernel),
        stride(layer.stride),
        padding(layer.padding),
        by_images(count),
        by_height(height),
        by_width(width),
        by_out_width(out_width),
        by_out_pixels(out.pixels()),
        by_columns(columns()),
        by_kernel(kernel),
        by_taps(kernel * kernel),
        by_stride(stride) {}

  [[nodiscard]] POLDER_HD std::size_t out_pixels() const { return out_height * out_width; }
  [[nodiscard]] POLDER_HD std::size_t columns() const { return images * out_pixels(); }
};

/// columns[(c, i, j), (n, h, w)] = x[c, n, stride h + i - padding, stride w + j - padding], 0 outside
template <class T>
struct gather_columns {
  windows of;
  const T* x;
  T* columns;
  POLDER_HD void operator()(std::size_t index) const {
    const auto [tap, column] = of.by_columns.split(narrow(index));
    const auto [c, spot] = of.by_taps.split(tap);
    const auto [i, j] = of.by_kernel.split(spot);
    const auto [n, place] = of.by_out_pixels.split(column);
    const auto [row, across] = of.by_out_width.split(place);
    // numbers before the first row or column wrap around to very large ones
    const std::size_t h = row * of.stride + i - of.padding, w = across * of.stride + j - of.padding;
    columns[index] = h < of.height && w < of.width ? x[((c * of.images + n) * of.height + h) * of.width + w] : T{0};
  }
};

/// dx[c, n, h, w] = the sum of what gather_columns has copied from there
template <class T>
struct sum_columns {
  windows of;
  const T* columns;
  T* dx;
  POLDER_HD void operator()(std::size_t index) const {
    const auto [line, w] = of.by_width.split(narrow(index));
    const auto [plane, h] = of.by_height.split(line);
    const auto [c, n] = of.by_images.split(plane);
    T sum{0};
    for (std::size_t i = 0; i < of.kernel; ++i) {
      const auto [row, beside] = of.by_stride.split(narrow(h + of.padding - i));
      if (beside != 0 || row >= of.out_height) continue;
      for (std::size_t j = 0; j < of.kernel; ++j) {
        const auto [column, next_to] = of.by_stride.split(narrow(w + of.padding - j));
        if (next_to != 0 || column >= of.out_width) continue;
        sum += columns[((c * of.kernel + i) * of.kernel + j) * of.columns() + n * of.out_pixels() + row * of.out_width +
                       column];
      }
    }
    dx[index] = sum;
  }
};

/// With the columns X (in.channels · kernel², images · pixels) of the whole batch:
///
///   Y = W X + b,      dW = dY X^T,      db = dY 1,      dX = W^T dY, summed to dx
template <class T, kernel_backend B>
class convolution final : public operation<T> {
 public:
  convolution(B backend, const conv2d& layer, binder& b, shape in, shape out)
      : backend_(std::move(backend)),
        layer_(layer),
        in_(in),
        out_(out),
        depth_(in.channels * layer.kernel * layer.kernel),
        weight_(b.add("weight", {out.channels, in.channels, layer.kernel, layer.kernel},
                      deviation_of(layer.weights, depth_, out.channels * layer.kernel * layer.kernel))),
        bias_(layer.bias ? b.add("bias", {out.channels}, {}) : 0) {}

  std::size_t scratch(std::size_t images) const override {
    return pointwise() ? 0 : padded(depth_ * images * out_.pixels());
  }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    const windows of = windows_of(p.images);
    backend_.gemm(transpose::no, transpose::no, out_.channels, of.columns(), depth_, T{1}, p.parameters + weight_,
                  depth_, columns(p, of, x), of.columns(), T{0}, y, of.columns());
    if (layer_.bias)
      backend_.each(narrow_count(p.images * out_.size()), add_bias<T>{of.columns(), p.parameters + bias_, y});
  }
  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T*) const override {
    const windows of = windows_of(p.images);
    if (p.gradient != nullptr) {
      backend_.gemm(transpose::no, transpose::yes, out_.channels, depth_, of.columns(), T{1}, dy, of.columns(),
                    columns(p, of, x), of.columns(), p.overwrite ? T{0} : T{1}, p.gradient + weight_, depth_);
      if (layer_.bias) {
        backend_.teams(out_.channels, sum_rows<T>{of.columns(), dy, p.gradient + bias_, p.overwrite});
      }
    }
    if (dx == nullptr) return;
    T* const slopes = pointwise() ? dx : p.scratch;
    backend_.gemm(transpose::yes, transpose::no, depth_, of.columns(), out_.channels, T{1}, p.parameters + weight_,
                  depth_, dy, of.columns(), T{0}, slopes, of.columns());
    if (slopes != dx) backend_.each(narrow_count(p.images * in_.size()), sum_columns<T>{of, slopes, dx});
  }

 private:
  /// Whether the columns are the input itself.
  [[nodiscard]] bool pointwise() const { return layer_.kernel == 1 && layer_.stride == 1 && layer_.padding == 0; }
  [[nodiscard]] windows windows_of(std::size_t images) const { return {layer_, in_, out_, images}; }
  const T* columns(const pass<T>& p, const windows& of, const T* x) const {
    if (pointwise()) return x;
    backend_.each(narrow_count(depth_ * of.columns()), gather_columns<T>{of, x, p.scratch});
    return p.scratch;
  }

  B backend_;
  conv2d layer_;
  shape in_, out_;
  std::size_t depth_;  // weights of a channel out
  std::size_t weight_, bias_;
};

}  // namespace detail::device

template <class T, kernel_backend B>
[[nodiscard]] std::unique_ptr<operation<T>> bind_on(const B& backend, const conv2d& layer, binder& b, shape in) {
  return std::make_unique<detail::device::convolution<T, B>>(backend, layer, b, in, layer.output(in));
}

}  // namespace polder::nn
