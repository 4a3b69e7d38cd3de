// polder — epsilon-sharpness: how short a way uphill raises the loss by epsilon.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/view.hpp"
#include "polder/objective/objective.hpp"
#include "polder/sharpness/curvature.hpp"
#include "polder/sharpness/filters.hpp"
#include "polder/sharpness/level_search.hpp"

namespace polder::sharpness {

struct epsilon_sharpness_options {
  double epsilon = 0.1;     ///< > 0, the rise of the loss; as in the LPF study's code
  double tolerance = 1e-6;  ///< of the distance, relative
  double farthest = 1e6;    ///< a rise that is not reached so far is open
};
struct epsilon_sharpness_found {
  double value = 0;             ///< 1 / distance: larger for sharper
  double distance = 0;          ///< along the gradient until the loss has risen by epsilon
  bool open = false;            ///< it has not: the value is an upper bound
  std::size_t evaluations = 0;  ///< of the loss, one of them with the gradient
};

/// One over the distance, along the gradient, at which the loss has risen by epsilon:
///
///     u = S g / ||S g||,      L(x + t S u) = L(x) + epsilon,      sharpness = 1 / t
///
/// One direction, not the maximum over a box. On a quadratic t = (sqrt(|g|^2 + 2 epsilon h) - |g|) / h with h = u^T H u
/// and |g| the gradient's length. S is the diagonal of `scales` (filter_scales), or the identity where none are given.
/// The distance is found by doubling or halving and bisection.
///
/// Memory: 2 n numbers, and n of double. Cost: one gradient, and about 30 evaluations of the loss: `f.loss(x)` where the
/// objective has it, else of `loss_and_gradient`. Errors: config_error for options out of range, scales that do not fit,
/// a gradient of 0, which has no direction, or an epsilon that rounding loses beside the loss; non_finite_error if loss
/// or gradient is not finite.
/// Source: the measure of devansh20la/LPF-SGD, after Keskar and others, ICLR 2017.
template <class T, class F>
[[nodiscard]] epsilon_sharpness_found epsilon_sharpness(const F& f, std::span<const T> x,
                                                        epsilon_sharpness_options options = {},
                                                        std::span<const double> scales = {}) {
  static_assert(objective<F, host_space, T>,
                "epsilon_sharpness needs an objective on the host: "
                "`loss_and_gradient(std::span<const T> x, std::span<T> g) const`");
  require<config_error>(options.epsilon > 0.0 && std::isfinite(options.epsilon), "epsilon_sharpness: epsilon is ",
                        options.epsilon, " but must be a finite number > 0");
  require<config_error>(options.tolerance > 0.0 && options.tolerance < 1.0, "epsilon_sharpness: tolerance is ",
                        options.tolerance, " but must be in (0, 1)");
  require<config_error>(options.farthest > 0.0 && std::isfinite(options.farthest), "epsilon_sharpness: farthest is ",
                        options.farthest, " but must be a finite number > 0");
  detail::require_scales(scales, x.size(), "epsilon_sharpness");
  std::vector<T> g(x.size()), point(x.size());
  std::vector<double> uphill(x.size());
  std::size_t evaluations = 1;
  double here = static_cast<double>(f.loss_and_gradient(x, std::span<T>(g)));
  for (std::size_t i = 0; i < g.size(); ++i) uphill[i] = detail::scale_of(scales, i) * static_cast<double>(g[i]);
  const double length = detail::norm(uphill);
  require<non_finite_error>(std::isfinite(here) && std::isfinite(length), "epsilon_sharpness: the loss is ", here,
                            " and the gradient's length ", length);
  require<config_error>(length > 0.0,
                        "epsilon_sharpness: the gradient is 0, so there is no way uphill: measure curvature instead "
                        "(largest_eigenvalues)");
  const auto loss = [&](std::span<const T> at) {
    ++evaluations;
    if constexpr (has_loss<F, T>) {
      return static_cast<double>(f.loss(at));
    } else {
      return static_cast<double>(f.loss_and_gradient(at, std::span<T>(g)));
    }
  };
  // The two ways to the loss may round apart, and the search must not take that for a rise.
  if constexpr (has_loss<F, T>) here = loss(x);
  const level_distance found = detail::find_rise(
      [&](double distance) {
        for (std::size_t i = 0; i < x.size(); ++i) {
          const double move = distance / length * detail::scale_of(scales, i) * uphill[i];
          point[i] = static_cast<T>(static_cast<double>(x[i]) + move);
        }
        return loss(std::span<const T>(point));
      },
      here, options.epsilon, "epsilon_sharpness", "an epsilon", 1.0, options.tolerance, options.farthest);
  return {.value = 1.0 / found.distance, .distance = found.distance, .open = found.open, .evaluations = evaluations};
}

}  // namespace polder::sharpness
