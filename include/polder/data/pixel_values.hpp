// polder — what the pixels of a data set become as numbers of a model.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "polder/core/config.hpp"
#include "polder/data/dataset.hpp"

namespace polder::data::detail {

/// value = (pixel · scale - mean) / deviation, a byte by a table of 256 values a channel.
template <std::floating_point T>
struct byte_pixels {
  using pixel = std::uint8_t;
  const T* tables = nullptr;  // (channels, 256)

  [[nodiscard]] POLDER_HD T operator()(std::size_t channel, pixel p) const { return tables[channel * 256 + p]; }
};
/// value = pixel · slope + offset of the channel
template <std::floating_point T>
struct float_pixels {
  using pixel = float;
  const double* lines = nullptr;  // (channels, 2): slope and offset

  [[nodiscard]] POLDER_HD T operator()(std::size_t channel, pixel p) const {
    return static_cast<T>(static_cast<double>(p) * lines[2 * channel] + lines[2 * channel + 1]);
  }
};

/// The numbers that byte_pixels or float_pixels of a data set read; those of the other are empty.
template <std::floating_point T>
struct pixel_values {
  std::vector<T> tables;
  std::vector<double> lines;

  explicit pixel_values(const dataset& images) {
    const bool plain = images.normalization.mean.empty();
    for (std::size_t c = 0; c < images.shape.channels; ++c) {
      const double mean = plain ? 0.0 : images.normalization.mean[c];
      const double deviation = plain ? 1.0 : images.normalization.deviation[c];
      if (std::holds_alternative<std::vector<float>>(images.pixels)) {
        lines.push_back(images.scale / deviation);
        lines.push_back(-mean / deviation);
        continue;
      }
      for (std::size_t value = 0; value < 256; ++value) {
        tables.push_back(static_cast<T>((static_cast<double>(value) * images.scale - mean) / deviation));
      }
    }
  }
};

}  // namespace polder::data::detail
