// What the valley width should be: the closed forms of pull and push on a bowl.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace polder_claims::dppf {

/// What is left at the end of a round of a gap r that a communication made r_after: rho = r / r_after, along directions of
/// curvature h (weight decay included), once the rounds repeat themselves. Nesterov momentum beta is local and never
/// reset, and tau local steps make of a gap x and its velocity v
///
///     (x, v) <- Q (x, v),    Q = T^tau,    T = [[1 - eta h (1 + beta), -eta beta^2], [h, beta]]
///
/// A communication then multiplies x by c = 1 - alpha + lambda / r. While r is large, c is small and all gaps shrink; they
/// stand still at the smallest c for which diag(c, 1) Q has an eigenvalue of modulus 1, and rho is 1 / c:
///
///     rho = max( (Q_11 - det Q) / (1 - Q_22),    eigenvalue 1: every gap keeps its direction
///                -(Q_11 + det Q) / (1 + Q_22),   eigenvalue -1: gaps change sides in every round
///                det Q )                         a complex pair: gaps turn in the plane of x and v
///
/// Gaps turn in two dimensions or more. On a line they cannot, and the first term holds there, or the second.
/// Without momentum rho is |1 - eta h|^tau. Good while |Q_22| < 1: else velocities grow by themselves, and nothing stands
/// still.
[[nodiscard]] inline double gap_factor(double h, double eta, double beta, std::uint64_t tau) {
  using matrix = std::array<double, 4>;
  const matrix t{1.0 - eta * h * (1.0 + beta), -eta * beta * beta, h, beta};
  matrix q{1.0, 0.0, 0.0, 1.0};
  for (std::uint64_t step = 0; step < tau; ++step) {
    q = {t[0] * q[0] + t[1] * q[2], t[0] * q[1] + t[1] * q[3], t[2] * q[0] + t[3] * q[2], t[2] * q[1] + t[3] * q[3]};
  }
  const double determinant = q[0] * q[3] - q[1] * q[2];
  const double kept = (q[0] - determinant) / (1.0 - q[3]);
  const double flipped = -(q[0] + determinant) / (1.0 + q[3]);
  return std::max({kept, flipped, determinant});
}

/// The valley width right after a communication, without noise: r = lambda / (1 - (1 - alpha) rho).
[[nodiscard]] inline double width_after(double alpha, double lambda, double rho) {
  return lambda / (1.0 - (1.0 - alpha) * rho);
}

/// The squared length S that one round of noise adds to a gap, from the width r of a run without push. Exact without
/// momentum: a velocity carries noise on into later rounds, and the rho of a run without push is another one.
///
///     r_before^2 = rho^2 r^2 + S,    r = (1 - alpha) r_before
[[nodiscard]] inline double noise_of(double alpha, double rho, double width) {
  const double before = width / (1.0 - alpha);
  return before * before - rho * rho * width * width;
}

/// The valley width right after a communication with noise of many directions:
///
///     r_before^2 = rho^2 r^2 + S,    r = (1 - alpha) r_before + lambda
[[nodiscard]] inline double width_with_noise(double alpha, double lambda, double rho, double noise) {
  const double kept = (1.0 - alpha) * rho;
  const double pushed = rho * lambda;
  // r_before^2 (1 - kept^2) - 2 kept pushed r_before - pushed^2 - S = 0
  const double rest = 1.0 - kept * kept;
  const double before =
      (kept * pushed + std::sqrt(kept * kept * pushed * pushed + rest * (pushed * pushed + noise))) / rest;
  return (1.0 - alpha) * before + lambda;
}

}  // namespace polder_claims::dppf
