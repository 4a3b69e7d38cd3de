// polder — how far a loss stays below a level along a line.
#pragma once

#include <algorithm>

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

}  // namespace polder::sharpness
