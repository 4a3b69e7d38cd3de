// polder — softmax and cross-entropy on a backend's own memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "polder/core/config.hpp"
#include "polder/nn/cross_entropy.hpp"

namespace polder::nn::detail::device {

/// softmax_cross_entropy of each image, with its scores z (classes, images), and whether the greatest score is its
/// label's. What is on the device cannot throw: a label out of range makes the loss not-a-number.
template <class T>
struct cross_entropy {
  std::size_t classes, images;
  double smoothing, scale;
  const T* z;
  const std::int32_t* labels;
  T* dz;            // null: not wanted
  double* losses;   // [images]
  double* correct;  // [images] 1 or 0; null: not wanted

  POLDER_HD void operator()(std::size_t n) const {
    const auto label = static_cast<std::size_t>(labels[n]);
    losses[n] =
        softmax_cross_entropy(classes, z + n, label, smoothing, scale, dz == nullptr ? nullptr : dz + n, images);
    if (correct != nullptr) correct[n] = best_class(classes, z + n, images) == label ? 1.0 : 0.0;
  }
};

/// result = scale · the sum of `count` doubles; one team
struct scaled_sum {
  std::size_t count;
  double scale;
  const double* values;
  double* result;
  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t) const {
    const double* const from = values;
    const double sum = team.sum(count, [from](std::size_t i) { return from[i]; });
    team.each(1, [&](std::size_t) { *result = scale * sum; });
  }
};

}  // namespace polder::nn::detail::device
