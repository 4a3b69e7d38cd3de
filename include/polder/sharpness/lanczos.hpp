// polder — Lanczos' method: extreme eigenvalues and the spectral density from products with a vector.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "polder/sharpness/curvature.hpp"
#include "polder/sharpness/tridiagonal.hpp"

namespace polder::sharpness {

/// The k steps of Lanczos' method that have been done: Q^T H Q is tridiagonal.
struct lanczos_run {
  std::vector<double> diagonal;
  std::vector<double> beside;  ///< between the steps
  double residual = 0;         ///< length of the next direction; 0: the space is invariant under H
};

/// Lanczos' method with full reorthogonalization, from a random unit vector:
///
///     w = H q_k - beta_{k-1} q_{k-1},    alpha_k = q_k . w,    w -= alpha_k q_k,    w -= Q (Q^T w) twice
///     beta_k = ||w||,    q_{k+1} = w / beta_k
///
/// Without the reorthogonalization rounding makes copies of eigenvalues that have converged. `enough(run)` is asked after
/// each step and ends the method. From one vector it sees one copy of each eigenvalue of an operator that is exact to
/// rounding; the noise of difference_hessian lets further copies of equal ones come in.
/// Cost: a product and O(n k) operations a step; memory n k doubles. Errors: config_error for no steps or an empty
/// operator; non_finite_error if a product is not finite, or too large to be squared.
template <symmetric_operator H, class Enough>
lanczos_run lanczos(H& h, std::uint64_t seed, std::uint64_t draw, std::size_t most_steps, Enough&& enough) {
  const std::size_t n = h.size();
  require<config_error>(n > 0 && most_steps > 0, "lanczos: ", most_steps, " steps on a matrix for ", n,
                        " numbers: both must be at least 1");
  lanczos_run run;
  std::vector<std::vector<double>> basis;
  std::vector<double> w(n);
  random_stream random({.seed = seed, .purpose = purpose::probe, .step = draw});
  for (double& number : w) number = random.normal();
  detail::scale(w, 1.0 / detail::norm(w));
  double largest = 0.0;
  for (std::size_t k = 0; k < std::min(most_steps, n); ++k) {
    basis.push_back(w);
    h.multiply(basis.back(), w);
    if (k > 0) detail::add(w, -run.beside.back(), basis[k - 1]);
    run.diagonal.push_back(detail::dot(basis.back(), w));
    detail::add(w, -run.diagonal.back(), basis.back());
    for (int pass = 0; pass < 2; ++pass) {
      for (const std::vector<double>& q : basis) detail::add(w, -detail::dot(q, w), q);
    }
    run.residual = detail::norm(w);
    require<non_finite_error>(std::isfinite(run.diagonal.back()) && std::isfinite(run.residual), "lanczos: step ",
                              k + 1, " gives ", run.diagonal.back(), " beside ", run.residual,
                              ": the operator's products must be finite, and their squares");
    largest = std::max({largest, std::abs(run.diagonal.back()), run.residual});
    if (run.residual <= 1e-14 * largest) run.residual = 0.0;
    if (run.residual == 0.0 || enough(run) || k + 1 == std::min(most_steps, n)) break;
    run.beside.push_back(run.residual);
    detail::scale(w, 1.0 / run.residual);
  }
  return run;
}

/// An eigenvalue and how far it may be from one of H: |value - eigenvalue| <= error for an operator that is exact to
/// rounding. The error of central differences (difference_hessian) comes on top.
struct eigenvalue {
  double value = 0;
  double error = 0;
};

struct eigenvalue_options {
  std::size_t count = 1;         ///< how many, from the largest down
  double tolerance = 1e-3;       ///< relative to the value of largest magnitude; where curvature tools commonly stop
  std::size_t most_steps = 100;  ///< products at most
  std::uint64_t seed = 1;        ///< of the first vector
};
struct eigenvalues_found {
  std::vector<eigenvalue> largest;  ///< in descending order; fewer than asked where H has fewer different ones
  double smallest = 0;              ///< the least Ritz value, an upper bound of the least eigenvalue
  std::size_t products = 0;
  bool converged = false;
};

/// The largest eigenvalues of H, with bounds: lambda_max of a Hessian is the curvature along its sharpest direction.
///
/// Lanczos' method until the bounds beta_k |last component of the Ritz vector| of all `count` are within the tolerance, or
/// most_steps products. By algebraic value, not by magnitude: a saddle's most negative curvature is `smallest`.
/// Equal eigenvalues of an exact operator are found once. Errors: config_error for count, tolerance or most_steps of 0,
/// non_finite_error for products that are not finite.
/// Source: Lanczos 1950; Parlett, "The Symmetric Eigenvalue Problem", chapter 13 (bounds).
template <symmetric_operator H>
[[nodiscard]] eigenvalues_found largest_eigenvalues(H& h, eigenvalue_options options = {}) {
  require<config_error>(options.count > 0, "largest_eigenvalues: count is 0 but must be at least 1");
  require<config_error>(options.tolerance > 0.0, "largest_eigenvalues: tolerance is ", options.tolerance,
                        " but must be above 0");
  eigenvalues_found found;
  const auto read = [&](const lanczos_run& run) {
    const std::vector<ritz_pair> pairs = tridiagonal_eigenvalues(run.diagonal, run.beside);
    const double scale = std::max(std::abs(pairs.front().value), std::abs(pairs.back().value));
    found.largest.clear();
    found.converged = run.residual == 0.0 || pairs.size() >= options.count;
    for (std::size_t i = 0; i < std::min(options.count, pairs.size()); ++i) {
      const double error = run.residual * std::abs(pairs[i].last);
      found.largest.push_back({pairs[i].value, error});
      found.converged = found.converged && error <= options.tolerance * scale;
    }
    found.smallest = pairs.back().value;
    found.products = run.diagonal.size();
    return found.converged;
  };
  // A start that happens to miss the eigenvector would converge to the next one: ten steps at least.
  read(lanczos(h, options.seed, 0, options.most_steps,
               [&](const lanczos_run& run) { return run.diagonal.size() >= 10 && read(run); }));
  return found;
}

/// A density of eigenvalues as weighted points: the weights sum to 1.
struct spectrum_points {
  std::vector<double> values;
  std::vector<double> weights;

  /// sum_i w_i f(value_i), an estimate of trace f(H) / n.
  template <class Function>
  [[nodiscard]] double mean(const Function& f) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * f(values[i]);
    return sum;
  }
  /// The density at t, each point smoothed by a Gaussian of that standard deviation.
  [[nodiscard]] double density(double t, double deviation) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double z = (t - values[i]) / deviation;
      sum += weights[i] * std::exp(-0.5 * z * z);
    }
    return sum / (deviation * std::sqrt(2.0 * std::numbers::pi));
  }
};

struct spectrum_options {
  std::size_t steps = 80;  ///< of Lanczos' method, per draw
  std::size_t draws = 5;   ///< random vectors
  std::uint64_t seed = 1;
};

/// The spectral density by stochastic Lanczos quadrature: from each random vector the Ritz values theta_i with weights
/// (first component of their vector)^2, so that
///
///     trace f(H) ~ n / draws sum_draws sum_i w_i f(theta_i)
///
/// Exact for polynomials of degree below 2 steps up to the randomness of the vectors. Cost: steps x draws products.
/// Source: Ubaru, Chen, Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature", SIAM J. Matrix Anal. 2017.
template <symmetric_operator H>
[[nodiscard]] spectrum_points spectral_density(H& h, spectrum_options options = {}) {
  require<config_error>(options.draws > 0, "spectral_density: draws is 0 but must be at least 1");
  spectrum_points points;
  for (std::uint64_t draw = 0; draw < options.draws; ++draw) {
    const lanczos_run run = lanczos(h, options.seed, draw, options.steps, [](const lanczos_run&) { return false; });
    for (const ritz_pair& pair : tridiagonal_eigenvalues(run.diagonal, run.beside)) {
      points.values.push_back(pair.value);
      points.weights.push_back(pair.first * pair.first / static_cast<double>(options.draws));
    }
  }
  return points;
}

}  // namespace polder::sharpness
