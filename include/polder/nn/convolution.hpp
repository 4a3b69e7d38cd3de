// polder — two-dimensional convolution.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
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

/// Convolution without a column matrix. The image is copied once into planes with a border of zeros and a fixed
/// distance between rows, `pitch`; then the row of columns that belongs to weight (c, i, j) *is* the plane of channel c
/// from some offset on, and the product over columns becomes a product over overlapping rows. With a stride s, each
/// plane is split into the s² planes of every s-th row and column, in which the same holds. The row's last `pitch -
/// width` results are rubbish and dropped; as right border of a row serves the left one of the next, they are few.
///
/// Let `offset(l)` be the place of tap l, P the pitched output. In these flat coordinates
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
        bias_(layer.bias ? b.add("bias", {out.channels}, {}) : 0) {
    const std::size_t s = layer.stride, k = layer.kernel, pad = layer.padding;
    pitch_ = s == 1 ? std::max(in.width + pad, out.width) : (in.width + 2 * pad + s - 1) / s;
    phases_ = std::min(s, k);
    const std::size_t reach = (k - 1) / s * (pitch_ + 1);
    length_ = rounded((out.height - 1) * pitch_ + out.width);
    const std::size_t rows = (in.height + 2 * pad + s - 1) / s;
    span_ = rounded(rows * pitch_ + pad);
    plane_ = padded(std::max(span_, reach + length_));
    front_ = padded(reach);
    out_plane_ = padded(front_ + std::max(length_, span_));
    depth_ = in.channels * k * k;

    for (std::size_t c = 0; c < in.channels; ++c) {
      for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t j = 0; j < k; ++j) {
          const std::size_t plane = (c * phases_ + i % s) * phases_ + j % s;
          taps_.push_back({index((c * k + i) * k + j), index(plane * plane_ + i / s * pitch_ + j / s)});
        }
      }
    }
    back_taps_.resize(phases_ * phases_);
    for (std::size_t o = 0; o < out.channels; ++o) {
      for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t j = 0; j < k; ++j) {
          back_taps_[i % s * phases_ + j % s].push_back(
              {index(o * depth_ + i * k + j), index(o * out_plane_ + front_ - (i / s * pitch_ + j / s))});
        }
      }
    }
  }

  std::size_t scratch(std::size_t images) const override {
    const std::size_t forward = planes() + out_.channels * length_;
    const std::size_t backward = group(images) * (planes() + out_planes()) + in_.channels * span_;
    return padded(std::max(forward, backward));
  }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    T* const columns = p.scratch;
    T* const pitched = columns + planes();
    const T* const bias = p.parameters + bias_;
    std::fill_n(columns, planes(), T{0});
    for (std::size_t image = 0; image < p.images; ++image) {
      spread(x + image * in_.size(), columns);
      indexed_product(out_.channels, length_, depth_, taps_.data(), p.parameters + weight_, depth_, columns, pitched,
                      length_);
      T* to = y + image * out_.size();
      for (std::size_t o = 0; o < out_.channels; ++o) {
        const T shift = layer_.bias ? bias[o] : T{0};
        for (std::size_t h = 0; h < out_.height; ++h, to += out_.width) {
          change_row(out_.width, pitched + o * length_ + h * pitch_, to, [shift](auto v) { return v + shift; });
        }
      }
    }
  }

  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T*) const override {
    const std::size_t many = group(p.images);
    T* const columns = p.scratch;
    T* const pitched = columns + many * planes();
    T* const spread_dx = pitched + many * out_planes();
    std::fill_n(columns, many * (planes() + out_planes()), T{0});
    if (dx != nullptr && layer_.stride > 1) std::fill_n(dx, p.images * in_.size(), T{0});

    for (std::size_t first = 0; first < p.images; first += many) {
      const std::size_t images = std::min(many, p.images - first);
      const bool overwrite = p.overwrite && first == 0;
      for (std::size_t image = 0; image < images; ++image) {
        spread(x + (first + image) * in_.size(), columns + image * planes());
        spread_output(dy + (first + image) * out_.size(), pitched + image * out_planes());
      }
      indexed_dots(images, out_.channels, length_, depth_, taps_.data(), pitched + front_, out_planes(), out_plane_,
                   columns, planes(), p.gradient + weight_, depth_, overwrite);
      if (layer_.bias) add_bias_gradient(images, dy + first * out_.size(), p.gradient + bias_, overwrite);
      if (dx == nullptr) continue;
      for (std::size_t image = 0; image < images; ++image) {
        for (std::size_t phase = 0; phase < back_taps_.size(); ++phase) {
          indexed_product(in_.channels, span_, back_taps_[phase].size(), back_taps_[phase].data(),
                          p.parameters + weight_, layer_.kernel * layer_.kernel, pitched + image * out_planes(),
                          spread_dx, span_);
          gather(phase / phases_, phase % phases_, spread_dx, dx + (first + image) * in_.size());
        }
      }
    }
  }

 private:
  static std::uint32_t index(std::size_t i) { return static_cast<std::uint32_t>(i); }
  static std::size_t rounded(std::size_t count) { return (count + lanes<T> - 1) / lanes<T> * lanes<T>; }
  std::size_t planes() const { return in_.channels * phases_ * phases_ * plane_; }
  std::size_t out_planes() const { return out_.channels * out_plane_; }
  /// Images whose weight gradients are summed before the vectors' lanes are: small images would spend their time there.
  std::size_t group(std::size_t images) const {
    return std::clamp<std::size_t>(1024 / length_, 1, std::max<std::size_t>(images, 1));
  }

  /// The first row or column of the image in a phase.
  std::size_t first_of(std::size_t phase) const {
    return (phase + layer_.stride - layer_.padding % layer_.stride) % layer_.stride;
  }
  /// Calls `visit(h, place)` for the image's rows in one phase, with the place where such a row begins in its plane.
  template <class Visit>
  void for_rows(std::size_t row_phase, const Visit& visit) const {
    const std::size_t s = layer_.stride, pad = layer_.padding;
    for (std::size_t h = first_of(row_phase); h < in_.height; h += s) visit(h, (h + pad) / s * pitch_);
  }

  void spread(const T* POLDER_RESTRICT image, T* POLDER_RESTRICT planes) const {
    const std::size_t s = layer_.stride, pad = layer_.padding;
    for (std::size_t c = 0; c < in_.channels; ++c, image += in_.pixels()) {
      for (std::size_t row_phase = 0; row_phase < phases_; ++row_phase) {
        for (std::size_t phase = 0; phase < phases_; ++phase, planes += plane_) {
          for_rows(row_phase, [&](std::size_t h, std::size_t place) {
            const T* POLDER_RESTRICT from = image + h * in_.width;
            if (s == 1) {
              copy_row(in_.width, from, planes + place + pad);
            } else {
              const std::size_t w = first_of(phase);
              T* POLDER_RESTRICT to = planes + place + (w + pad) / s;
              for (std::size_t i = w; i < in_.width; i += s) *to++ = from[i];
            }
          });
        }
      }
    }
  }

  void gather(std::size_t row_phase, std::size_t phase, const T* POLDER_RESTRICT planes,
              T* POLDER_RESTRICT image) const {
    const std::size_t s = layer_.stride, pad = layer_.padding;
    for (std::size_t c = 0; c < in_.channels; ++c, image += in_.pixels(), planes += span_) {
      for_rows(row_phase, [&](std::size_t h, std::size_t place) {
        T* POLDER_RESTRICT to = image + h * in_.width;
        if (s == 1) {
          copy_row(in_.width, planes + place + pad, to);
        } else {
          const std::size_t w = first_of(phase);
          const T* POLDER_RESTRICT from = planes + place + (w + pad) / s;
          for (std::size_t i = w; i < in_.width; i += s) to[i] = *from++;
        }
      });
    }
  }

  void spread_output(const T* POLDER_RESTRICT dy, T* POLDER_RESTRICT pitched) const {
    for (std::size_t o = 0; o < out_.channels; ++o) {
      T* to = pitched + o * out_plane_ + front_;
      for (std::size_t h = 0; h < out_.height; ++h, dy += out_.width, to += pitch_) copy_row(out_.width, dy, to);
    }
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
  std::size_t pitch_ = 0, phases_ = 1, length_ = 0, span_ = 0, plane_ = 0, front_ = 0, out_plane_ = 0, depth_ = 0;
  std::vector<term> taps_;                    // (c, i, j): place in a row of the weights and in the planes
  std::vector<std::vector<term>> back_taps_;  // per phase (o, i, j): place in the weights of c = 0 and in dY
};

}  // namespace detail

}  // namespace polder::nn
