// polder — softmax and cross-entropy on a backend's own memory.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "polder/core/config.hpp"

namespace polder::nn::detail::device {

/// softmax_cross_entropy of each image, with its scores z (classes, images), and whether the greatest score is its
/// label's. A label out of range makes the loss not-a-number: what is on the device cannot throw.
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
    std::size_t best = 0;
    for (std::size_t k = 1; k < classes; ++k) {
      if (z[k * images + n] > z[best * images + n]) best = k;
    }
    const auto greatest = static_cast<double>(z[best * images + n]);
    double sum = 0, mean = 0;
    for (std::size_t k = 0; k < classes; ++k) {
      const double gap = static_cast<double>(z[k * images + n]) - greatest;
      sum += std::exp(gap);
      mean += gap;
    }
    mean /= static_cast<double>(classes);
    if (dz != nullptr) {
      const double rest = smoothing / static_cast<double>(classes);
      for (std::size_t k = 0; k < classes; ++k) {
        const double p = std::exp(static_cast<double>(z[k * images + n]) - greatest) / sum;
        dz[k * images + n] = static_cast<T>(scale * (p - rest - (k == label ? 1 - smoothing : 0)));
      }
    }
    const bool known = label < classes;
    const double own =
        known ? static_cast<double>(z[label * images + n]) - greatest : std::numeric_limits<double>::quiet_NaN();
    losses[n] = std::log(sum) - (1 - smoothing) * own - (smoothing == 0 ? 0 : smoothing * mean);
    if (correct != nullptr) correct[n] = known && best == label ? 1.0 : 0.0;
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
