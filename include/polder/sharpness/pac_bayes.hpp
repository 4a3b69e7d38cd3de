// polder — a PAC-Bayes complexity: how much noise the parameters bear, and how far they have come.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "polder/core/error.hpp"
#include "polder/sharpness/level_search.hpp"
#include "polder/sharpness/random_points.hpp"

namespace polder::sharpness {

struct pac_bayes_options {
  std::size_t samples = 0;  ///< n of the training set; must be given
  double rise = 0.1;        ///< of the mean loss under noise; as in the LPF study's code
  std::size_t draws = 10;   ///< as there
  double failure = 1e-6;    ///< probability in the bound's logarithm; as there
  double tolerance = 1e-3;  ///< of sigma, relative
  double greatest = 1e6;    ///< sigma at most
  std::uint64_t seed = 1;
};
struct pac_bayes_found {
  double value = 0;
  double sigma = 0;   ///< the noise at which the loss has risen by `rise`
  bool open = false;  ///< it never has, up to the greatest sigma: `sigma` is a lower bound, `value` an upper one
  std::size_t evaluations = 0;
};

/// With the noise that raises the loss by `rise`,
///
///     E L(x + sigma S z) = L(x) + rise,      z ~ N(0, I)
///
///     ||S^-1 (x - x_0)||^2 / (4 sigma^2) + log(2 n / failure)
///
/// x_0 the initial parameters. sigma is found by doubling or halving and bisection along the same draws, so that the
/// mean is a continuous function of it. On a quadratic at its minimum sigma^2 = 2 rise / trace(S H S). S is the diagonal
/// of `scales`, or the identity where none are given; parameters of scale 0 do not count.
///
/// Memory: n numbers. Cost: one evaluation, and `draws` for each of about 10 to 30 values of sigma. Errors: config_error
/// for options out of range, sizes that do not fit, samples left at 0, or a rise that rounding loses beside the loss;
/// non_finite_error if L(x) is not finite.
/// Source: the measure of devansh20la/LPF-SGD.
template <class T, class Loss>
[[nodiscard]] pac_bayes_found pac_bayes(std::span<const T> x, std::span<const T> initial, const Loss& loss,
                                        pac_bayes_options options, std::span<const double> scales = {}) {
  require<config_error>(initial.size() == x.size(), "pac_bayes: ", initial.size(), " initial parameters for ",
                        x.size());
  require<config_error>(options.samples > 0, "pac_bayes: samples is 0: set the size of the training set");
  require<config_error>(options.rise > 0.0 && std::isfinite(options.rise), "pac_bayes: rise is ", options.rise,
                        " but must be a finite number > 0");
  require<config_error>(options.draws > 0, "pac_bayes: draws is 0 but must be at least 1");
  require<config_error>(options.failure > 0.0 && options.failure < 1.0, "pac_bayes: failure is ", options.failure,
                        " but must be in (0, 1)");
  require<config_error>(options.tolerance > 0.0 && options.tolerance < 1.0, "pac_bayes: tolerance is ",
                        options.tolerance, " but must be in (0, 1)");
  require<config_error>(options.greatest > 0.0 && std::isfinite(options.greatest), "pac_bayes: greatest is ",
                        options.greatest, " but must be a finite number > 0");
  detail::random_points<T, Loss> points(loss, x, scales, options.seed, "pac_bayes");
  const auto mean = [&](const auto& loss_of) {
    double sum = 0.0;
    for (std::size_t k = 0; k < options.draws; ++k) sum += loss_of(k);
    return sum / static_cast<double>(options.draws);
  };
  const double loss_here = points.finite_loss(0.0, 0, " at the point itself");
  // Summed as the means under noise are, so that no noise at all is no rise.
  const double here = mean([&](std::size_t) { return loss_here; });
  const level_distance found =
      detail::find_rise([&](double sigma) { return mean([&](std::size_t k) { return points.loss(sigma, k); }); }, here,
                        options.rise, "pac_bayes", "a rise", 0.01, options.tolerance, options.greatest);
  double squares = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double scale = detail::scale_of(scales, i);
    const double way = static_cast<double>(x[i]) - static_cast<double>(initial[i]);
    if (scale > 0.0) squares += way / scale * (way / scale);
  }
  const double bound = std::log(2.0 * static_cast<double>(options.samples) / options.failure);
  return {.value = squares / (4.0 * found.distance * found.distance) + bound,
          .sigma = found.distance,
          .open = found.open,
          .evaluations = points.evaluations()};
}

}  // namespace polder::sharpness
