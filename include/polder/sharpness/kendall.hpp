// polder — Kendall's rank correlation: does a measure order models as their generalization does?
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "polder/core/error.hpp"

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

}  // namespace polder::sharpness
