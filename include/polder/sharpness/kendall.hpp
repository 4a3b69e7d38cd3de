// polder — Kendall's rank correlation, and how far chance may have moved it: does a measure order models as their
// generalization does?
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/random.hpp"

namespace polder::sharpness {

/// Kendall's tau-b, which corrects for ties:
///
///     tau_b = (concordant - discordant) / sqrt((pairs - ties in a) (pairs - ties in b))
///
/// In [-1, 1]; 0 where one of the two is constant, as nothing is ordered then. Cost: n^2 / 2 comparisons, no memory.
/// Errors: config_error for unequal lengths, fewer than 2 numbers, or not-a-number.
/// Source: Kendall, "The treatment of ties in ranking problems", Biometrika 1945.
[[nodiscard]] inline double kendall_tau_b(std::span<const double> a, std::span<const double> b) {
  require<config_error>(a.size() == b.size(), "kendall_tau_b: ", a.size(), " numbers beside ", b.size());
  require<config_error>(a.size() >= 2, "kendall_tau_b: ", a.size(), " pairs have no order: give at least 2");
  for (std::size_t i = 0; i < a.size(); ++i) {
    require<config_error>(!std::isnan(a[i]) && !std::isnan(b[i]), "kendall_tau_b: pair ", i, " holds not-a-number");
  }
  const auto sign = [](double x, double y) { return std::int64_t{x > y} - std::int64_t{x < y}; };
  std::int64_t agreement = 0;
  std::int64_t untied_a = 0;
  std::int64_t untied_b = 0;
  for (std::size_t i = 1; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::int64_t in_a = sign(a[i], a[j]);
      const std::int64_t in_b = sign(b[i], b[j]);
      agreement += in_a * in_b;
      untied_a += in_a != 0 ? 1 : 0;
      untied_b += in_b != 0 ? 1 : 0;
    }
  }
  if (untied_a == 0 || untied_b == 0) return 0.0;
  return static_cast<double>(agreement) / std::sqrt(static_cast<double>(untied_a) * static_cast<double>(untied_b));
}

struct bootstrap_options {
  double level = 0.95;       ///< in (0, 1), the share of the draws that lie in the interval
  std::size_t draws = 2000;  ///< >= 1
  std::uint64_t seed = 1;
};
/// Where a statistic of a sample may lie.
struct interval {
  double low = 0;
  double high = 0;

  /// Whether a value lies in it, the ends included.
  [[nodiscard]] bool holds(double value) const { return low <= value && value <= high; }
};

/// A percentile interval of a statistic: the sample of n items is drawn anew, with replacement, and the statistic taken of
/// each draw s*_1 <= … <= s*_B:
///
///     [q((1 - level) / 2), q((1 + level) / 2)],      q(p) between the s* around place p (B - 1), counted from 0
///
/// `statistic(std::span<const std::size_t>) -> double` takes the indices of n items, some of them more than once. A draw is
/// a function of seed and number alone.
///
/// Memory: n indices and `draws` numbers. Cost: `draws` statistics. Errors: config_error for options out of range, n = 0 or
/// a statistic that is not-a-number.
/// Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 1979.
template <class Statistic>
[[nodiscard]] interval bootstrap_interval(std::size_t n, const Statistic& statistic, bootstrap_options options = {}) {
  require<config_error>(n > 0, "bootstrap_interval: a sample of 0 items has no statistic");
  require<config_error>(options.level > 0.0 && options.level < 1.0, "bootstrap_interval: level is ", options.level,
                        " but must be in (0, 1)");
  require<config_error>(options.draws > 0, "bootstrap_interval: draws is 0 but must be at least 1");
  std::vector<std::size_t> items(n);
  std::vector<double> found(options.draws);
  for (std::size_t draw = 0; draw < options.draws; ++draw) {
    random_stream random({.seed = options.seed, .purpose = purpose::selection, .step = draw});
    for (std::size_t& item : items) item = static_cast<std::size_t>(random.below(n));
    found[draw] = static_cast<double>(statistic(std::span<const std::size_t>(items)));
    require<config_error>(!std::isnan(found[draw]), "bootstrap_interval: the statistic of draw ", draw,
                          " is not-a-number");
  }
  std::sort(found.begin(), found.end());
  const auto quantile = [&](double p) {
    const double place = p * static_cast<double>(found.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, found.size() - 1);
    return found[below] + (place - static_cast<double>(below)) * (found[above] - found[below]);
  };
  return {quantile((1.0 - options.level) / 2.0), quantile((1.0 + options.level) / 2.0)};
}

/// A bootstrap interval of Kendall's tau-b over pairs that are drawn together. A pair that is drawn twice is tied with
/// itself in both, which tau-b leaves out.
///
/// Cost: `draws` times n^2 / 2 comparisons. Errors: those of kendall_tau_b and bootstrap_interval.
[[nodiscard]] inline interval kendall_interval(std::span<const double> a, std::span<const double> b,
                                               bootstrap_options options = {}) {
  (void)kendall_tau_b(a, b);  // its errors, in the caller's words
  std::vector<double> drawn_a(a.size()), drawn_b(b.size());
  return bootstrap_interval(
      a.size(),
      [&](std::span<const std::size_t> items) {
        for (std::size_t i = 0; i < items.size(); ++i) {
          drawn_a[i] = a[items[i]];
          drawn_b[i] = b[items[i]];
        }
        return kendall_tau_b(drawn_a, drawn_b);
      },
      options);
}

}  // namespace polder::sharpness
