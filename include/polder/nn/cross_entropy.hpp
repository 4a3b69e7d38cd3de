// polder — softmax and cross-entropy, the end of every classifier.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "polder/core/config.hpp"

namespace polder::nn {

/// The class with the greatest score; the first of equals. Scores lie `step` numbers apart.
template <class T>
[[nodiscard]] POLDER_HD constexpr std::size_t best_class(std::size_t classes, const T* z, std::size_t step = 1) {
  std::size_t best = 0;
  for (std::size_t k = 1; k < classes; ++k) {
    if (z[k * step] > z[best * step]) best = k;
  }
  return best;
}

/// Loss of one image with scores z (logits) and class c, in double:
///
///   p = softmax(z);  t_k = (1 - smoothing) [k = c] + smoothing / classes;  loss = -sum_k t_k log p_k
///
/// and, unless `gradient` is null, gradient = scale (p - t). Stable for logits of any size: the greatest is subtracted
/// first. Scores and gradient lie `step` numbers apart. A c that is no class makes the loss not-a-number. Cost: one
/// exponential per class, two with a gradient.
template <class T>
POLDER_HD double softmax_cross_entropy(std::size_t classes, const T* z, std::size_t c, double smoothing, double scale,
                                       T* gradient, std::size_t step = 1) {
  const auto greatest = static_cast<double>(z[best_class(classes, z, step) * step]);
  double sum = 0, mean = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    const double gap = static_cast<double>(z[k * step]) - greatest;
    sum += std::exp(gap);
    mean += gap;
  }
  mean /= static_cast<double>(classes);
  if (gradient != nullptr) {
    const double rest = smoothing / static_cast<double>(classes);
    for (std::size_t k = 0; k < classes; ++k) {
      const double p = std::exp(static_cast<double>(z[k * step]) - greatest) / sum;
      gradient[k * step] = static_cast<T>(scale * (p - rest - (k == c ? 1 - smoothing : 0)));
    }
  }
  if (c >= classes) return std::numeric_limits<double>::quiet_NaN();
  // sum_k t_k (log(sum) - gap_k); without smoothing the other classes have no weight, however far away
  const double own = static_cast<double>(z[c * step]) - greatest;
  return std::log(sum) - (1 - smoothing) * own - (smoothing == 0 ? 0 : smoothing * mean);
}

/// The derivative of that gradient where the scores change by z_slope:
///
///   gradient_slope = scale p_slope,      p_slope_k = p_k (z_slope_k - sum_j p_j z_slope_j)
///
/// The targets t drop out: class and smoothing do not matter. Cost: two exponentials per class.
template <class T>
void softmax_cross_entropy_tangent(std::size_t classes, const T* z, const T* z_slope, double scale, T* gradient_slope) {
  const double greatest = static_cast<double>(*std::max_element(z, z + classes));
  double sum = 0, mean = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    const double e = std::exp(static_cast<double>(z[k]) - greatest);
    sum += e;
    mean += e * static_cast<double>(z_slope[k]);
  }
  mean /= sum;
  for (std::size_t k = 0; k < classes; ++k) {
    const double p = std::exp(static_cast<double>(z[k]) - greatest) / sum;
    gradient_slope[k] = static_cast<T>(scale * p * (static_cast<double>(z_slope[k]) - mean));
  }
}

}  // namespace polder::nn
