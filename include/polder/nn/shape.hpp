// polder — the shape of one image as it passes through a network.
#pragma once

#include <cstddef>
#include <string>

#include "polder/core/error.hpp"

namespace polder::nn {

/// Extents of one image or activation, without the batch: (channels, height, width), row-major. A vector of n features
/// is (n, 1, 1).
struct shape {
  std::size_t channels = 1;
  std::size_t height = 1;
  std::size_t width = 1;

  [[nodiscard]] constexpr std::size_t size() const { return channels * height * width; }
  [[nodiscard]] constexpr std::size_t pixels() const { return height * width; }
  friend constexpr bool operator==(const shape&, const shape&) = default;
};

/// As in "3 x 32 x 32".
[[nodiscard]] inline std::string to_string(const shape& s) { return text(s.channels, " x ", s.height, " x ", s.width); }

}  // namespace polder::nn
