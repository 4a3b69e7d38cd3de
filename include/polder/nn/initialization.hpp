// polder — how wide the first weights of a layer are spread.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "polder/core/random.hpp"
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

/// Fills x, a vector of the binder's layout: each tensor from its layer's distribution, as a function of the seed and
/// the tensor's place in the layout alone.
template <class T>
void draw_initial_values(const binder& names, std::span<T> x, std::uint64_t seed) {
  const auto& tensors = names.layout().tensors();
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const initial_values first = names.initial()[t];
    const std::span<T> values = x.subspan(tensors[t].offset, tensors[t].size());
    random_stream random({.seed = seed, .purpose = purpose::initialization, .step = t});
    for (T& value : values) {
      value = static_cast<T>(first.deviation == 0 ? first.mean : first.mean + first.deviation * random.normal());
    }
  }
}

}  // namespace polder::nn
