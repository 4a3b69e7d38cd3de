// polder — local entropy: how much volume of low loss lies around a point.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/sharpness/random_points.hpp"
#include "polder/sharpness/trace.hpp"

namespace polder::sharpness {

struct local_entropy_options {
  double gamma = 100.0;     ///< > 0, how narrow the neighborhood is: variance 1 / gamma; as in the LPF study's code
  std::size_t draws = 100;  ///< as there
  std::uint64_t seed = 1;
};
struct local_entropy_found {
  double value = 0;           ///< of the integral: its negative logarithm, larger for sharper
  double loss = 0;            ///< -log E exp(-L(x + z)), `value` without the term that depends on n and gamma alone
  double standard_error = 0;  ///< of both; NaN where it cannot be told (a single draw)
};

/// The negative local entropy:
///
///     -log of the integral of exp(-L(x') - gamma / 2 ||x' - x||^2) over x'
///         = -log E exp(-L(x + z)) - n / 2 log(2 pi / gamma),      z ~ N(0, 1 / gamma I)
///
/// with the mean of `draws` in place of E, summed without overflow. For models of one size only `loss` differs. With
/// `scales` it is that of L(s x̂) as a function of x̂. The standard error is that of the mean, divided by the mean, as
/// d log m = dm / m: it is good where it is well below 1, and says nothing of volume that no draw has found.
///
/// Memory: n and `draws` numbers. Cost: `draws` evaluations. Errors: config_error for options out of range or scales
/// that do not fit; non_finite_error if a loss is not finite.
/// Source: Chaudhari and others, "Entropy-SGD: Biasing Gradient Descent Into Wide Valleys", ICLR 2017.
/// Departures: devansh20la/LPF-SGD draws z of standard deviation 1 / gamma and counts log sqrt(gamma) once for all n
/// coordinates, which is not this integral.
template <class T, class Loss>
[[nodiscard]] local_entropy_found local_entropy(std::span<const T> x, const Loss& loss,
                                                local_entropy_options options = {},
                                                std::span<const double> scales = {}) {
  require<config_error>(options.gamma > 0.0 && std::isfinite(options.gamma), "local_entropy: gamma is ", options.gamma,
                        " but must be a finite number > 0");
  require<config_error>(options.draws > 0, "local_entropy: draws is 0 but must be at least 1");
  detail::random_points<T, Loss> points(loss, x, scales, options.seed, "local_entropy");
  std::vector<double> losses(options.draws);
  for (std::size_t k = 0; k < options.draws; ++k) {
    losses[k] = points.finite_loss(1.0 / std::sqrt(options.gamma), k, " at draw ", k, " with gamma ", options.gamma,
                                   ": take a larger gamma");
  }
  const double least = *std::min_element(losses.begin(), losses.end());
  for (double& number : losses) number = std::exp(least - number);
  const estimate mean = detail::mean_of(losses);
  const double free = least - std::log(mean.value);
  const double volume = 0.5 * static_cast<double>(x.size()) * std::log(2.0 * std::numbers::pi / options.gamma);
  return {.value = free - volume, .loss = free, .standard_error = mean.standard_error / mean.value};
}

}  // namespace polder::sharpness
