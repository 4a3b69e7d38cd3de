// polder — the image of a convolution laid out so that each weight meets a row of consecutive numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "polder/core/config.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/product_kernels.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn::detail {

/// One axis of a correlation: y[u] = sum over i < taps of w[i] x[stride u + i - padding], with zeros outside of x.
struct window_axis {
  std::size_t in = 1, out = 1;  ///< lengths of x and y
  std::size_t taps = 1, stride = 1;
  std::ptrdiff_t padding = 0;  ///< below 0: so many numbers at the beginning of x are passed over

  /// The u < limit at which stride u + shift - padding is inside of x.
  struct range {
    std::size_t begin, end;
  };
  [[nodiscard]] range inside(std::size_t shift, std::size_t limit) const {
    const auto s = static_cast<std::ptrdiff_t>(stride);
    const std::ptrdiff_t before = padding - static_cast<std::ptrdiff_t>(shift);
    const std::ptrdiff_t after = before + static_cast<std::ptrdiff_t>(in);  // the first that is not
    const auto end = std::min(limit, after <= 0 ? 0 : static_cast<std::size_t>((after + s - 1) / s));
    const auto begin = before <= 0 ? 0 : static_cast<std::size_t>((before + s - 1) / s);
    return {std::min(begin, end), end};
  }
  /// The places of y and, by the stride, of x that a window can reach.
  [[nodiscard]] std::size_t reach() const { return out + (taps - 1) / stride; }
};

/// The planes of an image, by which y[h, w] = sum over c, i, j of w[c, i, j] x[c, rows.stride h + i - rows.padding, …]
/// becomes a product with overlapping rows: with p = h pitch() + w,
///
///   y[p] = sum over c, i, j of w[c, i, j] planes[place(c, i, j) + p]
///
/// A plane holds every stride-th row of a channel, and zeros around it. Its columns lie in one of two ways:
///
///   apart     a copy of the plane for each j, of which a row is as long as a row of y: no results are rubbish but the
///             last few that fill a vector
///   together  every stride-th column, and j begins further to the right. A row's border of zeros, which serves as the
///             left one of the next, makes it longer than a row of y: the results between are rubbish and dropped.
///
/// Copies cost time, rubbish costs products: the planes are built in the way that is cheaper for the number of products
/// that are taken of each number.
template <class T>
class window_planes {
 public:
  window_planes(std::size_t channels, window_axis rows, window_axis columns, std::size_t products)
      : channels_(channels), rows_(rows), columns_(columns), row_phases_(std::min(rows.stride, rows.taps)) {
    const std::size_t phases = std::min(columns.stride, columns.taps);
    std::size_t pitch = columns.out;
    for (std::size_t phase = 0; phase < phases; ++phase) {
      const auto [begin, end] = columns.inside(phase, columns.reach());
      pitch = std::max({pitch, end, columns.reach() - begin});
    }
    const std::size_t spared = vectors((rows.out - 1) * pitch + columns.out) - vectors(rows.out * columns.out);
    const std::size_t copied = (columns.taps - phases) * rows.reach() * vectors(columns.out);
    apart_ = spared * rows.taps * columns.taps * products > products_per_copy * copied;
    copies_ = apart_ ? columns.taps : phases;
    pitch_ = apart_ ? columns.out : pitch;
    length_ = vectors((rows.out - 1) * pitch_ + columns.out) * lanes<T>;
    const std::size_t farthest =
        (rows.taps - 1) / rows.stride * pitch_ + (apart_ ? 0 : (columns.taps - 1) / columns.stride);
    plane_ = padded(std::max((rows.reach() - 1) * pitch_ + columns.reach(), farthest + length_));

    const std::size_t blocks = (length_ / lanes<T> + block_vectors - 1) / block_vectors;
    for (std::size_t b = 0; b < blocks; ++b) {
      const std::size_t begin = length_ / lanes<T> * b / blocks * lanes<T>;
      const std::size_t end = length_ / lanes<T> * (b + 1) / blocks * lanes<T>;
      const window_axis::range taps = taps_of_rows(begin / pitch_, std::min((end - 1) / pitch_, rows.out - 1));
      blocks_.push_back({begin, end, taps.begin, taps.end});
    }
  }

  [[nodiscard]] std::size_t size() const { return channels_ * row_phases_ * copies_ * plane_; }
  /// The results' places p are below this, a multiple of the vector length.
  [[nodiscard]] std::size_t length() const { return length_; }
  [[nodiscard]] std::size_t pitch() const { return pitch_; }
  /// Whether the results are y itself.
  [[nodiscard]] bool exact() const { return length_ == rows_.out * columns_.out; }

  [[nodiscard]] std::size_t place(std::size_t c, std::size_t i, std::size_t j) const {
    const std::size_t copy = apart_ ? j : j % columns_.stride;
    const std::size_t plane = (c * row_phases_ + i % rows_.stride) * copies_ + copy;
    return plane * plane_ + i / rows_.stride * pitch_ + (apart_ ? 0 : j / columns_.stride);
  }
  /// All taps, row by row of the window, with the place of their weight in a row of weights.
  template <class WeightPlace>
  [[nodiscard]] std::vector<term> terms(const WeightPlace& weight_place) const {
    std::vector<term> all;
    all.reserve(channels_ * rows_.taps * columns_.taps);
    for (std::size_t i = 0; i < rows_.taps; ++i) {
      for (std::size_t c = 0; c < channels_; ++c) {
        for (std::size_t j = 0; j < columns_.taps; ++j) {
          all.push_back(
              {static_cast<std::uint32_t>(weight_place(c, i, j)), static_cast<std::uint32_t>(place(c, i, j))});
        }
      }
    }
    return all;
  }

  /// Writes an image into planes that were filled with zeros.
  void spread(const T* POLDER_RESTRICT image, T* POLDER_RESTRICT planes) const {
    const std::size_t s = columns_.stride;
    for (std::size_t c = 0; c < channels_; ++c, image += rows_.in * columns_.in) {
      for (std::size_t phase = 0; phase < row_phases_; ++phase) {
        const window_axis::range height = rows_.inside(phase, rows_.reach());
        for (std::size_t copy = 0; copy < copies_; ++copy, planes += plane_) {
          const window_axis::range width = columns_.inside(copy, apart_ ? columns_.out : columns_.reach());
          const std::size_t count = width.end - width.begin;
          if (count == 0) continue;
          const std::size_t first = from_start(s * width.begin + copy, columns_.padding);
          for (std::size_t u = height.begin; u < height.end; ++u) {
            const std::size_t row = from_start(rows_.stride * u + phase, rows_.padding);
            const T* POLDER_RESTRICT from = image + row * columns_.in + first;
            T* POLDER_RESTRICT to = planes + u * pitch_ + width.begin;
            if (s == 1) {
              copy_row(count, from, to);
            } else {
              for (std::size_t v = 0; v < count; ++v) to[v] = from[v * s];
            }
          }
        }
      }
    }
  }

  /// Y[o y_row + p] (+)= sum_l W[o w_row + terms_l.a] planes[terms_l.b + p] for o < `products`, with the terms as from
  /// terms(). Of the rows of a window, those that meet nothing but the border are left out.
  void correlate(std::size_t products, const std::vector<term>& terms, const T* w, std::size_t w_row, const T* planes,
                 T* y, std::size_t y_row, bool add = false) const {
    const std::size_t row = channels_ * columns_.taps;
    for (const block& b : blocks_) {
      indexed_product(products, b.end - b.begin, (b.last_tap - b.first_tap) * row, terms.data() + b.first_tap * row, w,
                      w_row, planes + b.begin, y + b.begin, y_row, add);
    }
  }

 private:
  /// Results that are worked out together, and the rows of the window that they need.
  struct block {
    std::size_t begin, end, first_tap, last_tap;
  };
  /// Copying a vector takes as long as about this many products of vectors.
  static constexpr std::size_t products_per_copy = 3;

  static std::size_t vectors(std::size_t count) { return (count + lanes<T> - 1) / lanes<T>; }
  static std::size_t from_start(std::size_t place, std::ptrdiff_t padding) {
    return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(place) - padding);
  }
  [[nodiscard]] window_axis::range taps_of_rows(std::size_t first, std::size_t last) const {
    const auto at = [this](std::size_t row) { return static_cast<std::ptrdiff_t>(rows_.stride * row) - rows_.padding; };
    const auto taps = static_cast<std::ptrdiff_t>(rows_.taps);
    const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>(-at(last), 0, taps);
    const std::ptrdiff_t end =
        std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(rows_.in) - at(first), begin, taps);
    return {static_cast<std::size_t>(begin), static_cast<std::size_t>(end)};
  }

  std::size_t channels_;
  window_axis rows_, columns_;
  std::size_t row_phases_, copies_ = 1, pitch_ = 1, length_ = 0, plane_ = 0;
  bool apart_ = false;
  std::vector<block> blocks_;
};

}  // namespace polder::nn::detail
