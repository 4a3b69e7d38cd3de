// polder — the low-pass filtered loss: the mean of the loss over a Gaussian around a point.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/sharpness/random_points.hpp"
#include "polder/sharpness/trace.hpp"

namespace polder::sharpness {

struct low_pass_options {
  double sigma = 0.01;      ///< > 0, as in the authors' study, where it is relative to filters
  std::size_t draws = 100;  ///< as there
  std::uint64_t seed = 1;
};

/// LPF: the loss seen through a Gaussian, with the standard error of its estimate:
///
///     E L(x + sigma S z) ~ mean over draws,      z ~ N(0, I)
///
/// On a quadratic it is L(x) + sigma^2 / 2 trace(S H S). S is the diagonal of `scales` (filter_scales), or the identity
/// where none are given. `loss(std::span<const T>) -> double` is the mean over all samples.
///
/// Memory: n numbers. Cost: `draws` evaluations. Errors: config_error for options out of range or scales that do not
/// fit; non_finite_error if a loss is not finite.
/// Source: Bisla, Wang, Choromanska, "Low-Pass Filtering SGD for Recovering Flat Optima in the Deep Learning
/// Optimization Landscape", AISTATS 2022; the authors' code devansh20la/LPF-SGD.
template <class T, class Loss>
[[nodiscard]] estimate low_pass(std::span<const T> x, const Loss& loss, low_pass_options options = {},
                                std::span<const double> scales = {}) {
  require<config_error>(options.sigma > 0.0 && std::isfinite(options.sigma), "low_pass: sigma is ", options.sigma,
                        " but must be a finite number > 0");
  require<config_error>(options.draws > 0, "low_pass: draws is 0 but must be at least 1");
  detail::random_points<T, Loss> points(loss, x, scales, options.seed, "low_pass");
  std::vector<double> losses(options.draws);
  for (std::size_t k = 0; k < options.draws; ++k) {
    losses[k] =
        points.finite_loss(options.sigma, k, " at draw ", k, " with sigma ", options.sigma, ": take a smaller sigma");
  }
  return detail::mean_of(losses);
}

}  // namespace polder::sharpness
