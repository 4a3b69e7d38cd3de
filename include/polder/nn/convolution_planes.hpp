// polder — where a convolution lays its images, so that columns need not be copied.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "polder/core/config.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/product_kernels.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn::detail {

/// A convolution without a column matrix. The image is copied once into planes with a border of zeros and a fixed
/// distance between rows, `pitch`; then the row of columns that belongs to weight (c, i, j) *is* the plane of channel c
/// from some offset on, and the product over columns becomes a product over overlapping rows. With a stride s, each
/// plane is split into the s² planes of every s-th row and column, in which the same holds. The row's last `pitch -
/// width` results are rubbish and dropped; as right border of a row serves the left one of the next, they are few.
template <class T>
class convolution_planes {
 public:
  convolution_planes(std::size_t kernel, std::size_t stride, std::size_t padding, shape in, shape out)
      : stride_(stride), padding_(padding), in_(in), out_(out) {
    const std::size_t s = stride, k = kernel, pad = padding;
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

  /// Numbers of the planes of an image, and of a pitched output with its zeros.
  [[nodiscard]] std::size_t size() const { return in_.channels * phases_ * phases_ * plane_; }
  [[nodiscard]] std::size_t out_size() const { return out_.channels * out_plane_; }
  /// Numbers of one channel: of the pitched output, of the pitched input gradient.
  [[nodiscard]] std::size_t length() const { return length_; }
  [[nodiscard]] std::size_t span() const { return span_; }
  [[nodiscard]] std::size_t pitch() const { return pitch_; }
  [[nodiscard]] std::size_t depth() const { return depth_; }
  /// Where a channel of the output begins among its zeros, and how far the channels are apart.
  [[nodiscard]] std::size_t front() const { return front_; }
  [[nodiscard]] std::size_t out_plane() const { return out_plane_; }
  /// (c, i, j): place in a row of the weights and in the planes.
  [[nodiscard]] const std::vector<term>& taps() const { return taps_; }
  /// Per phase (o, i, j): place in the weights of c = 0 and in the pitched output.
  [[nodiscard]] const std::vector<term>& back_taps(std::size_t phase) const { return back_taps_[phase]; }
  [[nodiscard]] std::size_t phases() const { return back_taps_.size(); }
  /// Images whose weight gradients are summed before the vectors' lanes are: small images would spend their time there.
  std::size_t group(std::size_t images) const {
    return std::clamp<std::size_t>(1024 / length_, 1, std::max<std::size_t>(images, 1));
  }

  /// Writes an image into its planes; the borders stay as they are: zeros.
  void spread(const T* POLDER_RESTRICT image, T* POLDER_RESTRICT planes) const {
    const std::size_t s = stride_, pad = padding_;
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

  /// Writes the image's numbers of one phase from the planes of all its channels.
  void gather(std::size_t part, const T* POLDER_RESTRICT planes, T* POLDER_RESTRICT image) const {
    const std::size_t s = stride_, pad = padding_, row_phase = part / phases_, phase = part % phases_;
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

  /// Writes an output between its zeros.
  void spread_output(const T* POLDER_RESTRICT dy, T* POLDER_RESTRICT pitched) const {
    for (std::size_t o = 0; o < out_.channels; ++o) {
      T* to = pitched + o * out_plane_ + front_;
      for (std::size_t h = 0; h < out_.height; ++h, dy += out_.width, to += pitch_) copy_row(out_.width, dy, to);
    }
  }

 private:
  static std::uint32_t index(std::size_t i) { return static_cast<std::uint32_t>(i); }
  static std::size_t rounded(std::size_t count) { return (count + lanes<T> - 1) / lanes<T> * lanes<T>; }
  /// The first row or column of the image in a phase.
  std::size_t first_of(std::size_t phase) const { return (phase + stride_ - padding_ % stride_) % stride_; }
  /// Calls `visit(h, place)` for the image's rows in one phase, with the place where such a row begins in its plane.
  template <class Visit>
  void for_rows(std::size_t row_phase, const Visit& visit) const {
    const std::size_t s = stride_, pad = padding_;
    for (std::size_t h = first_of(row_phase); h < in_.height; h += s) visit(h, (h + pad) / s * pitch_);
  }

  std::size_t stride_, padding_;
  shape in_, out_;
  std::size_t pitch_ = 0, phases_ = 1, length_ = 0, span_ = 0, plane_ = 0, front_ = 0, out_plane_ = 0, depth_ = 0;
  std::vector<term> taps_;                    // (c, i, j): place in a row of the weights and in the planes
  std::vector<std::vector<term>> back_taps_;  // per phase (o, i, j): place in the weights of c = 0 and in dY
};

}  // namespace polder::nn::detail
