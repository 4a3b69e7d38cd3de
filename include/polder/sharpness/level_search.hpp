// polder — how far a loss stays below a level along a line.
#pragma once

#include <algorithm>

#include "polder/core/error.hpp"

namespace polder::sharpness {

/// Where a loss reaches a level.
struct level_distance {
  double distance = 0;
  bool open = false;  ///< it does not, up to the farthest distance, which is given then
};

/// A distance at which `loss_at(distance)` reaches `level`: doubles or halves the distance from `start` until the level
/// lies between two distances, then bisects to the relative `tolerance`. The smallest one where the loss crosses the
/// level once. A loss that is not finite is above every level.
template <class LossAt>
[[nodiscard]] level_distance find_level(const LossAt& loss_at, double level, double start, double tolerance,
                                        double farthest) {
  const auto above = [&](double distance) {
    const double loss = loss_at(distance);
    return !(loss < level);
  };
  double inside = std::min(start, farthest);
  double outside = inside;
  if (above(inside)) {
    // A level that is reached however near: the halving ends at the smallest distance that can be told from 0.
    while (inside > 0.0 && above(inside /= 2.0)) outside = inside;
  } else {
    do {
      if (outside >= farthest) return {.distance = farthest, .open = true};
      inside = outside;
      outside = std::min(2.0 * outside, farthest);
    } while (!above(outside));
  }
  while (outside - inside > tolerance * outside) {
    const double middle = inside + (outside - inside) / 2.0;
    if (middle <= inside || middle >= outside) break;
    (above(middle) ? outside : inside) = middle;
  }
  return {.distance = inside + (outside - inside) / 2.0};
}

namespace detail {

/// The level loss + rise. Throws config_error where rounding loses the rise, which `what` calls `name`.
inline double raised(double loss, double rise, const char* what, const char* name) {
  require<config_error>(loss + rise > loss, what, ": ", name, " of ", rise, " is lost beside a loss of ", loss,
                        ": set a larger one");
  return loss + rise;
}

/// find_level for the level loss + rise, of a measure that divides by the distance. Throws config_error as raised does,
/// and where the loss has risen however near, which rounding of the loss does to a rise that is hardly larger than it.
template <class LossAt>
[[nodiscard]] level_distance find_rise(const LossAt& loss_at, double loss, double rise, const char* what,
                                       const char* name, double start, double tolerance, double farthest) {
  const level_distance found = find_level(loss_at, raised(loss, rise, what, name), start, tolerance, farthest);
  require<config_error>(found.distance > 0.0, what, ": the loss has risen by ", name, " of ", rise,
                        " however near: it is not continuous there, or rounds to more than that: set a larger one");
  return found;
}

}  // namespace detail

}  // namespace polder::sharpness
