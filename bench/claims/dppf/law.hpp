// What the valley width should be: the closed forms of pull and push on a bowl.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace polder_claims::dppf {

/// By what the tau local steps of a round multiply a gap along a direction of curvature h (weight decay included), once
/// the rounds repeat themselves: Nesterov momentum beta, local and never reset,
///
///     (x, v) <- T (x, v),    T = [[1 - eta h (1 + beta), -eta beta^2], [h, beta]],    Q = T^tau
///     rho = Q_11 + Q_12 Q_21 / (1 - Q_22)
///
/// Without momentum it is (1 - eta h)^tau. Good for rho >= 0: below, gaps change sides in every round, and the momentum with
/// them.
[[nodiscard]] inline double gap_factor(double h, double eta, double beta, std::uint64_t tau) {
  using matrix = std::array<double, 4>;
  const matrix t{1.0 - eta * h * (1.0 + beta), -eta * beta * beta, h, beta};
  matrix q{1.0, 0.0, 0.0, 1.0};
  for (std::uint64_t step = 0; step < tau; ++step) {
    q = {t[0] * q[0] + t[1] * q[2], t[0] * q[1] + t[1] * q[3], t[2] * q[0] + t[3] * q[2], t[2] * q[1] + t[3] * q[3]};
  }
  return q[0] + q[1] * q[2] / (1.0 - q[3]);
}

/// The valley width right after a communication, without noise: r = lambda / (1 - (1 - alpha) rho).
[[nodiscard]] inline double width_after(double alpha, double lambda, double rho) {
  return lambda / (1.0 - (1.0 - alpha) * rho);
}

/// The squared length S that one round of noise adds to a gap, from the width r of a run without push:
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
