// polder — the window of a pooling layer.
#pragma once

#include <cstddef>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/nn/shape.hpp"

namespace polder::nn::detail {

/// A window that slides over each channel. Rows and columns that do not fill a window at the end are left out.
struct window {
  std::size_t height, width, stride;

  [[nodiscard]] shape output(shape in, std::string_view layer) const {
    require<config_error>(height >= 1 && width >= 1 && stride >= 1, layer, ": size and stride must be at least 1");
    require<config_error>(height <= in.height && width <= in.width, layer, ": window ", height, " x ", width,
                          " does not fit into ", in.height, " x ", in.width, " input: use a smaller window");
    return {in.channels, (in.height - height) / stride + 1, (in.width - width) / stride + 1};
  }
};

}  // namespace polder::nn::detail
