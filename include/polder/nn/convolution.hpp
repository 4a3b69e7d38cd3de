// polder — two-dimensional convolution.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/nn/convolution_planes.hpp"
#include "polder/nn/initialization.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/product_kernels.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

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

/// In the flat coordinates of convolution_planes, with the place offset(l) of tap l, the planes X and the pitched output Y:
///
///   forward            Y[o, p]   = sum_l W[o, l] X[offset(l) + p]
///   weight gradient    dW[o, l]  = sum_p dY[o, p] X[offset(l) + p]
///   input gradient     dX[c, q]  = sum over o and the taps l of c of W[o, l] dY[o, q - offset(l)]
///
/// with zeros in dY where Y has rubbish, and before and after.
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
        planes_(layer.kernel, layer.stride, layer.padding, in, out) {}

  std::size_t scratch(std::size_t images) const override {
    const std::size_t forward = planes_.size() + out_.channels * planes_.length();
    const std::size_t backward =
        planes_.group(images) * (planes_.size() + planes_.out_size()) + in_.channels * planes_.span();
    return padded(std::max(forward, backward));
  }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    T* const columns = p.scratch;
    T* const pitched = columns + planes_.size();
    std::fill_n(columns, planes_.size(), T{0});
    for (std::size_t image = 0; image < p.images; ++image) {
      convolve(p.parameters, x + image * in_.size(), columns, pitched, false);
      add_bias(p.parameters, pitched, y + image * out_.size());
    }
  }

  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T*) const override {
    const std::size_t many = planes_.group(p.images);
    T* const columns = p.scratch;
    T* const pitched = columns + many * planes_.size();
    T* const spread_dx = pitched + many * planes_.out_size();
    const bool learns = p.gradient != nullptr;
    std::fill_n(columns, many * (planes_.size() + planes_.out_size()), T{0});
    if (dx != nullptr && layer_.stride > 1) std::fill_n(dx, p.images * in_.size(), T{0});

    for (std::size_t first = 0; first < p.images; first += many) {
      const std::size_t images = std::min(many, p.images - first);
      const bool overwrite = p.overwrite && first == 0;
      for (std::size_t image = 0; image < images; ++image) {
        if (learns) planes_.spread(x + (first + image) * in_.size(), columns + image * planes_.size());
        planes_.spread_output(dy + (first + image) * out_.size(), pitched + image * planes_.out_size());
      }
      if (learns) {
        add_weight_gradient(p, images, pitched, columns, overwrite);
        if (layer_.bias) add_bias_gradient(images, dy + first * out_.size(), p.gradient + bias_, overwrite);
      }
      if (dx == nullptr) continue;
      for (std::size_t image = 0; image < images; ++image) {
        for (std::size_t phase = 0; phase < planes_.phases(); ++phase) {
          add_input_gradient(p.parameters, phase, pitched + image * planes_.out_size(), spread_dx, false);
          planes_.gather(phase, spread_dx, dx + (first + image) * in_.size());
        }
      }
    }
  }

  // Each product of two becomes two: that of the first's slope with the second, and that of the first with the second's
  // slope.
  std::size_t tangent_scratch(std::size_t images) const override {
    const std::size_t forward = planes_.size() + out_.channels * planes_.length();
    const std::size_t backward =
        2 * planes_.group(images) * (planes_.size() + planes_.out_size()) + in_.channels * planes_.span();
    return padded(std::max(forward, backward));
  }
  void tangent_forward(const pass<T>& p, tangent<T> x, const T*, T* y_slope, const T*, T*) const override {
    T* const columns = p.scratch;
    T* const pitched = columns + planes_.size();
    std::fill_n(columns, planes_.size(), T{0});
    for (std::size_t image = 0; image < p.images; ++image) {
      convolve(p.direction, x.value + image * in_.size(), columns, pitched, false);
      if (x.slope != nullptr) convolve(p.parameters, x.slope + image * in_.size(), columns, pitched, true);
      add_bias(p.direction, pitched, y_slope + image * out_.size());
    }
  }
  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T>, tangent<T> dy, T* dx_slope,
                        tangent<T>) const override {
    const std::size_t many = planes_.group(p.images);
    T* const columns = p.scratch;
    T* const columns_slope = columns + many * planes_.size();
    T* const pitched = columns_slope + many * planes_.size();
    T* const pitched_slope = pitched + many * planes_.out_size();
    T* const spread_dx = pitched_slope + many * planes_.out_size();
    std::fill_n(columns, 2 * many * (planes_.size() + planes_.out_size()), T{0});
    if (dx_slope != nullptr && layer_.stride > 1) std::fill_n(dx_slope, p.images * in_.size(), T{0});

    for (std::size_t first = 0; first < p.images; first += many) {
      const std::size_t images = std::min(many, p.images - first);
      const bool overwrite = p.overwrite && first == 0;
      for (std::size_t image = 0; image < images; ++image) {
        const tangent<T> in = advanced(x, (first + image) * in_.size());
        const tangent<T> out = advanced(dy, (first + image) * out_.size());
        planes_.spread(in.value, columns + image * planes_.size());
        if (in.slope != nullptr) planes_.spread(in.slope, columns_slope + image * planes_.size());
        planes_.spread_output(out.value, pitched + image * planes_.out_size());
        planes_.spread_output(out.slope, pitched_slope + image * planes_.out_size());
      }
      add_weight_gradient(p, images, pitched_slope, columns, overwrite);
      if (x.slope != nullptr) add_weight_gradient(p, images, pitched, columns_slope, false);
      if (layer_.bias) add_bias_gradient(images, dy.slope + first * out_.size(), p.gradient + bias_, overwrite);
      if (dx_slope == nullptr) continue;
      for (std::size_t image = 0; image < images; ++image) {
        for (std::size_t phase = 0; phase < planes_.phases(); ++phase) {
          add_input_gradient(p.parameters, phase, pitched_slope + image * planes_.out_size(), spread_dx, false);
          add_input_gradient(p.direction, phase, pitched + image * planes_.out_size(), spread_dx, true);
          planes_.gather(phase, spread_dx, dx_slope + (first + image) * in_.size());
        }
      }
    }
  }

 private:
  /// Y (+)= W X for one image
  void convolve(const T* parameters, const T* x, T* columns, T* pitched, bool add) const {
    planes_.spread(x, columns);
    indexed_product(out_.channels, planes_.length(), planes_.depth(), planes_.taps().data(), parameters + weight_,
                    planes_.depth(), columns, pitched, planes_.length(), add);
  }
  /// y = Y without its rubbish + bias
  void add_bias(const T* parameters, const T* pitched, T* y) const {
    for (std::size_t o = 0; o < out_.channels; ++o) {
      const T shift = layer_.bias ? parameters[bias_ + o] : T{0};
      for (std::size_t h = 0; h < out_.height; ++h, y += out_.width) {
        change_row(out_.width, pitched + o * planes_.length() + h * planes_.pitch(), y,
                   [shift](auto v) { return v + shift; });
      }
    }
  }
  void add_weight_gradient(const pass<T>& p, std::size_t images, const T* pitched, const T* columns,
                           bool overwrite) const {
    indexed_dots(images, out_.channels, planes_.length(), planes_.depth(), planes_.taps().data(),
                 pitched + planes_.front(), planes_.out_size(), planes_.out_plane(), columns, planes_.size(),
                 p.gradient + weight_, planes_.depth(), overwrite);
  }
  /// dX (+)= W^T dY for one image and phase
  void add_input_gradient(const T* parameters, std::size_t phase, const T* pitched, T* spread_dx, bool add) const {
    indexed_product(in_.channels, planes_.span(), planes_.back_taps(phase).size(), planes_.back_taps(phase).data(),
                    parameters + weight_, layer_.kernel * layer_.kernel, pitched, spread_dx, planes_.span(), add);
  }

  void add_bias_gradient(std::size_t images, const T* dy, T* gradient, bool overwrite) const {
    for (std::size_t o = 0; o < out_.channels; ++o) {
      vec<T> sum{};
      for (std::size_t image = 0; image < images; ++image) {
        const T* plane = dy + (image * out_.channels + o) * out_.pixels();
        for_vectors<T>(out_.pixels(), [&](auto at) { sum += at.get(plane); });
      }
      gradient[o] = (overwrite ? T{0} : gradient[o]) + sum_of_lanes<T>(sum);
    }
  }

  conv2d layer_;
  shape in_, out_;
  std::size_t weight_, bias_;
  convolution_planes<T> planes_;
};

}  // namespace detail

}  // namespace polder::nn
