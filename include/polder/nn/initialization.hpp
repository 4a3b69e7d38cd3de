// polder — how wide the first weights of a layer are spread.
#pragma once

#include <cmath>
#include <cstddef>

#include "polder/nn/operation.hpp"

namespace polder::nn {

/// The variance of a layer's first weights, drawn from a normal distribution around 0. Biases begin at 0.
enum class initial_weights {
  he_fan_in,   ///< 2 / fan_in: keeps the scale of activations through ReLU (He et al., ICCV 2015)
  he_fan_out,  ///< 2 / fan_out: keeps the scale of gradients; what residual networks are usually trained from
  lecun,       ///< 1 / fan_in: for layers that no ReLU follows, as the last one
};

namespace detail {

[[nodiscard]] inline initial_values deviation_of(initial_weights rule, std::size_t fan_in, std::size_t fan_out) {
  const double gain = rule == initial_weights::lecun ? 1.0 : 2.0;
  const auto fan = static_cast<double>(rule == initial_weights::he_fan_out ? fan_out : fan_in);
  return {0.0, std::sqrt(gain / fan)};
}

}  // namespace detail
}  // namespace polder::nn
