// polder — two-dimensional convolution.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/nn/initialization.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/product_kernels.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"
#include "polder/nn/transposition.hpp"
#include "polder/nn/window_planes.hpp"

namespace polder::nn {

namespace detail {
template <class T>
class convolution;
}

/// y[o] = bias[o] + sum over c, i, j of weight[o, c, i, j] x[c, stride h + i - padding, stride w + j - padding]
///
/// Tensors: weight (channels, in.channels, kernel, kernel), bias (channels).
/// Cost: 2 channels · in.channels · kernel² floating-point operations per output pixel, three times that in training.
struct conv2d {
  static constexpr std::string_view name = "conv";

  std::size_t channels = 1;  ///< of the output
  std::size_t kernel = 3;    ///< height and width of the window
  std::size_t stride = 1;
  std::size_t padding = 0;  ///< zeros around the input, on each side
  bool bias = true;
  initial_weights weights = initial_weights::he_fan_in;

  [[nodiscard]] shape output(shape in) const {
    require<config_error>(channels >= 1 && kernel >= 1 && stride >= 1, "conv2d: channels ", channels, ", kernel ",
                          kernel, " and stride ", stride, " must be at least 1");
    require<config_error>(kernel <= in.height + 2 * padding && kernel <= in.width + 2 * padding, "conv2d: kernel ",
                          kernel, " does not fit into ", in.height, " x ", in.width, " input ",
                          padding == 0 ? text("without padding") : text("with padding ", padding),
                          ": use a smaller kernel, more padding or fewer layers that shrink the image before it");
    return {channels, (in.height + 2 * padding - kernel) / stride + 1, (in.width + 2 * padding - kernel) / stride + 1};
  }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder& b, shape in) const {
    return std::make_unique<detail::convolution<T>>(b, *this, in, output(in));
  }
};

namespace detail {

/// Convolution without a column matrix: the image is copied into planes (see window_planes) in which the row of columns
/// that belongs to weight (c, i, j) *is* a plane from some place on. With X for the planes of the image and V for those
/// of dy, the products are
///
///   forward            y[o, p]   = sum_l W[o, l] X[place(l) + p]
///   weight gradient    dW[o, l]  = sum_p dy[o, p] X[place(l) + p]
///   input gradient     dx[c, q]  = sum over o and the taps l of c of W[o, l] V[place'(o, l) + q]
///
/// The second takes dy with the pixels first, so that a vector holds the channels of one pixel and no sum goes across a
/// vector. The third is a correlation of dy with the window turned around; with a stride s, it is s² of them: one for
/// each place that a pixel can have in the grid of windows, with every s-th row and column of the window.
template <class T>
class convolution final : public operation<T> {
 public:
  convolution(binder& b, const conv2d& layer, shape in, shape out)
      : layer_(layer),
        in_(in),
        out_(out),
        weight_(b.add("weight", {out.channels, in.channels, layer.kernel, layer.kernel},
                      deviation_of(layer.weights, in.channels * layer.kernel * layer.kernel,
                                   out.channels * layer.kernel * layer.kernel))),
        bias_(layer.bias ? b.add("bias", {out.channels}, {}) : 0),
        depth_(in.channels * layer.kernel * layer.kernel),
        windows_(in.channels, along(in.height, out.height), along(in.width, out.width), out.channels),
        taps_(windows_.terms([&](std::size_t c, std::size_t i, std::size_t j) { return weight_place(c, i, j); })) {
    with_vector_for<T>(out.channels, [&](auto bytes) {
      constexpr std::size_t count = bytes / sizeof(T);
      wide_ = (out.channels + count - 1) / count * count;
    });
    const std::size_t k = layer.kernel;
    while (layer.stride == 1 && run_ < std::min(k, longest_run)) ++run_;
    while (k % run_ != 0) --run_;
    for (std::size_t c = 0; c < in.channels; ++c) {
      for (std::size_t i = 0; i < k; i += run_) {
        for (std::size_t j = 0; j < k; ++j)
          runs_.push_back({index(weight_place(c, i, j)), index(windows_.place(c, i, j))});
      }
    }
    for (std::size_t row = 0; row < std::min(layer.stride, k); ++row) {
      for (std::size_t column = 0; column < std::min(layer.stride, k); ++column) {
        const phase rows = phase_of(row, in.height), columns = phase_of(column, in.width);
        if (rows.count != 0 && columns.count != 0) back_.push_back(turned_around(rows, columns));
      }
    }
  }

  std::size_t scratch(std::size_t) const override {
    const std::size_t forward = windows_.size() + out_.channels * windows_.length();
    const std::size_t weights = windows_.size() + (out_.pixels() + depth_) * wide_;
    std::size_t most = std::max(forward, weights);
    for (const correlation& part : back_) {
      most = std::max(most, part.windows.size() + in_.channels * part.windows.length());
    }
    return padded(most);
  }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    correlate_images(p, p.parameters, {{x, p.parameters}}, y);
  }

  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T*) const override {
    if (p.gradient != nullptr) {
      add_weight_gradient(p, x, dy, p.overwrite);
      if (layer_.bias) add_bias_gradient(p, dy);
    }
    if (dx != nullptr) correlate_back(p, {{dy, p.parameters}}, dx);
  }

  // Each product of two becomes two: that of the first's slope with the second, and that of the first with the second's
  // slope.
  std::size_t tangent_scratch(std::size_t images) const override { return scratch(images); }
  void tangent_forward(const pass<T>& p, tangent<T> x, const T*, T* y_slope, const T*, T*) const override {
    correlate_images(p, p.direction, {{x.value, p.direction}, {x.slope, p.parameters}}, y_slope);
  }
  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T>, tangent<T> dy, T* dx_slope,
                        tangent<T>) const override {
    add_weight_gradient(p, x.value, dy.slope, p.overwrite);
    if (x.slope != nullptr) add_weight_gradient(p, x.slope, dy.value, false);
    if (layer_.bias) add_bias_gradient(p, dy.slope);
    if (dx_slope != nullptr) correlate_back(p, {{dy.slope, p.parameters}, {dy.value, p.direction}}, dx_slope);
  }

 private:
  /// The pixels of the input that have the same place in the grid of windows, along one axis.
  struct phase {
    std::size_t place;   // in the window of their first tap
    std::size_t first;   // pixel
    std::size_t count;   // of pixels
    std::size_t window;  // number of the window whose tap `place` is at the first pixel
    std::size_t taps;
  };
  struct correlation {
    phase rows, columns;
    window_planes<T> windows;
    std::vector<term> taps;
  };

  static std::uint32_t index(std::size_t i) { return static_cast<std::uint32_t>(i); }
  std::size_t weight_place(std::size_t c, std::size_t i, std::size_t j) const {
    return (c * layer_.kernel + i) * layer_.kernel + j;
  }
  window_axis along(std::size_t in, std::size_t out) const {
    return {in, out, layer_.kernel, layer_.stride, static_cast<std::ptrdiff_t>(layer_.padding)};
  }
  phase phase_of(std::size_t place, std::size_t pixels) const {
    const std::size_t s = layer_.stride;
    const std::size_t first = (place + s - layer_.padding % s) % s;
    return {place, first, first < pixels ? (pixels - first + s - 1) / s : 0, (first + layer_.padding) / s,
            (layer_.kernel - place + s - 1) / s};
  }
  /// Pixel first + s u gets W[place + s i] dy[window + u - i] from the taps i, the last of them first.
  static window_axis backward_along(const phase& of, std::size_t out) {
    return {out, of.count, of.taps, 1,
            static_cast<std::ptrdiff_t>(of.taps - 1) - static_cast<std::ptrdiff_t>(of.window)};
  }
  correlation turned_around(const phase& rows, const phase& columns) const {
    window_planes<T> windows(out_.channels, backward_along(rows, out_.height), backward_along(columns, out_.width),
                             in_.channels);
    std::vector<term> taps = windows.terms([&](std::size_t o, std::size_t i, std::size_t j) {
      return o * depth_ + weight_place(0, rows.place + layer_.stride * (rows.taps - 1 - i),
                                       columns.place + layer_.stride * (columns.taps - 1 - j));
    });
    return {rows, columns, std::move(windows), std::move(taps)};
  }

  /// A factor of a sum of products: images, or nothing where their slope is 0, and the parameters that they meet.
  struct factor {
    const T* images;
    const T* parameters;
  };
  /// y = the sum of W x over the factors + bias
  void correlate_images(const pass<T>& p, const T* bias, std::initializer_list<factor> factors, T* y) const {
    T* const planes = p.scratch;
    T* const pitched = planes + windows_.size();
    const bool whole = windows_.exact();
    std::fill_n(planes, windows_.size(), T{0});
    for (std::size_t image = 0; image < p.images; ++image, y += out_.size()) {
      bool add = false;
      for (const factor& f : factors) {
        if (f.images == nullptr) continue;
        windows_.spread(f.images + image * in_.size(), planes);
        windows_.correlate(out_.channels, taps_, f.parameters + weight_, depth_, planes, whole ? y : pitched,
                           whole ? out_.pixels() : windows_.length(), add);
        add = true;
      }
      if (!whole) {
        finish(bias, pitched, windows_.length(), windows_.pitch(), y);
      } else if (layer_.bias) {
        finish(bias, y, out_.pixels(), out_.width, y);
      }
    }
  }
  /// dx = the sum of W^T dy over the factors
  void correlate_back(const pass<T>& p, std::initializer_list<factor> factors, T* dx) const {
    if (layer_.stride > 1) std::fill_n(dx, p.images * in_.size(), T{0});
    T* const planes = p.scratch;
    for (const correlation& part : back_) {
      T* const pitched = planes + part.windows.size();
      const bool whole = layer_.stride == 1 && part.windows.exact();
      std::fill_n(planes, part.windows.size(), T{0});
      for (std::size_t image = 0; image < p.images; ++image) {
        T* const to = dx + image * in_.size();
        bool add = false;
        for (const factor& f : factors) {
          part.windows.spread(f.images + image * out_.size(), planes);
          part.windows.correlate(in_.channels, part.taps, f.parameters + weight_, layer_.kernel * layer_.kernel, planes,
                                 whole ? to : pitched, whole ? in_.pixels() : part.windows.length(), add);
          add = true;
        }
        if (!whole) gather(part, pitched, to);
      }
    }
  }

  /// y = pitched + bias
  void finish(const T* bias, const T* pitched, std::size_t plane, std::size_t pitch, T* y) const {
    const bool rows = pitch != out_.width;
    const std::size_t count = rows ? out_.width : out_.pixels();
    for (std::size_t o = 0; o < out_.channels; ++o, pitched += plane) {
      const T shift = layer_.bias ? bias[bias_ + o] : T{0};
      for (std::size_t h = 0; h < (rows ? out_.height : 1); ++h, y += count) {
        change_row(count, pitched + h * pitch, y, [shift](auto v) { return v + shift; });
      }
    }
  }

  void gather(const correlation& part, const T* POLDER_RESTRICT pitched, T* POLDER_RESTRICT image) const {
    const std::size_t s = layer_.stride;
    for (std::size_t c = 0; c < in_.channels; ++c, image += in_.pixels(), pitched += part.windows.length()) {
      for (std::size_t u = 0; u < part.rows.count; ++u) {
        T* const to = image + (part.rows.first + s * u) * in_.width + part.columns.first;
        const T* const from = pitched + u * part.windows.pitch();
        if (s == 1) {
          copy_row(in_.width, from, to);
        } else {
          for (std::size_t v = 0; v < part.columns.count; ++v) to[v * s] = from[v];
        }
      }
    }
  }

  void add_weight_gradient(const pass<T>& p, const T* x, const T* dy, bool overwrite) const {
    T* const planes = p.scratch;
    T* const pixels = planes + windows_.size();
    T* const sums = pixels + out_.pixels() * wide_;  // (depth, channels out)
    T* const gradient = p.gradient + weight_;
    const bool rows = windows_.pitch() != out_.width;
    const std::size_t height = rows ? out_.height : 1, width = rows ? out_.width : out_.pixels();
    with_vector_for<T>(out_.channels, [&](auto bytes) {
      std::fill_n(planes, windows_.size(), T{0});
      if (overwrite) {
        std::fill_n(sums, depth_ * wide_, T{0});
      } else {
        transpose_to_vectors<T, bytes>(out_.channels, depth_, gradient, depth_, sums, wide_);
      }
      for (std::size_t image = 0; image < p.images; ++image) {
        windows_.spread(x + image * in_.size(), planes);
        transpose_to_vectors<T, bytes>(out_.channels, out_.pixels(), dy + image * out_.size(), out_.pixels(), pixels,
                                       wide_);
        outer_products<T, bytes>(height, width, planes, windows_.pitch(), runs_.size(), runs_.data(), run_, pixels,
                                 wide_, sums, layer_.kernel);
      }
      transpose_from_vectors<T, bytes>(depth_, out_.channels, sums, wide_, gradient, depth_);
    });
  }

  void add_bias_gradient(const pass<T>& p, const T* dy) const {
    for (std::size_t o = 0; o < out_.channels; ++o) {
      vec<T> sum{};
      for (std::size_t image = 0; image < p.images; ++image) {
        const T* plane = dy + (image * out_.channels + o) * out_.pixels();
        for_vectors<T>(out_.pixels(), [&](auto at) { sum += at.get(plane); });
      }
      T& gradient = p.gradient[bias_ + o];
      gradient = (p.overwrite ? T{0} : gradient) + sum_of_lanes<T>(sum);
    }
  }

  conv2d layer_;
  shape in_, out_;
  std::size_t weight_, bias_;
  std::size_t depth_;     // weights of a channel out
  std::size_t wide_ = 0;  // channels out, in whole vectors
  window_planes<T> windows_;
  std::vector<term> taps_;  // place in a row of the weights and in the planes
  std::size_t run_ = 1;     // rows of a window column that are taken together
  std::vector<tap_run> runs_;
  std::vector<correlation> back_;
};

}  // namespace detail

}  // namespace polder::nn
