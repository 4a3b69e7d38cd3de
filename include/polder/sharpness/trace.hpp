// polder — the trace and the Frobenius norm of a Hessian from random products.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "polder/sharpness/curvature.hpp"

namespace polder::sharpness {

struct trace_options {
  std::size_t draws = 100;  ///< products; curvature tools commonly stop at 100
  std::uint64_t seed = 1;
};

/// An estimate from independent draws.
struct estimate {
  double value = 0;
  double standard_error = 0;  ///< of the value; NaN where it cannot be told (a single draw)
};
struct trace_found {
  estimate trace;
  double frobenius_norm = 0;   ///< sqrt of the mean of ||H v||^2: its square is unbiased
  double frobenius_error = 0;  ///< its standard error; NaN for a single draw
  std::size_t products = 0;
};

namespace detail {

/// v_i = +1 or -1, each with probability 1/2.
inline void draw_signs(random_stream& random, std::span<double> v) {
  for (double& sign : v) sign = (random() >> 31) == 0 ? 1.0 : -1.0;
}
inline estimate mean_of(std::span<const double> draws) {
  const auto count = static_cast<double>(draws.size());
  double mean = 0.0;
  for (const double draw : draws) mean += draw / count;
  double squares = 0.0;
  for (const double draw : draws) squares += (draw - mean) * (draw - mean);
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  return {mean, draws.size() < 2 ? unknown : std::sqrt(squares / (count - 1.0) / count)};
}

}  // namespace detail

/// The trace by Hutchinson's estimator, the Frobenius norm from the same products:
///
///     trace H ~ mean of v^T H v,      ||H||_F^2 ~ mean of ||H v||^2,      v_i = +-1
///
/// Variance of a draw: 2 sum_{i != j} H_ij^2; none for a diagonal H. The norm's standard error is that of the mean of
/// ||H v||^2 divided by 2 ||H||_F, as d sqrt(m) = dm / (2 sqrt(m)). Cost: `draws` products.
/// Source: Hutchinson, "A stochastic estimator of the trace of the influence matrix", 1989.
template <symmetric_operator H>
[[nodiscard]] trace_found hutchinson(H& h, trace_options options = {}) {
  require<config_error>(options.draws > 0, "hutchinson: draws is 0 but must be at least 1");
  std::vector<double> v(h.size()), hv(h.size()), traces, squares;
  random_stream random({.seed = options.seed, .purpose = purpose::probe});
  for (std::size_t draw = 0; draw < options.draws; ++draw) {
    detail::draw_signs(random, v);
    h.multiply(v, hv);
    traces.push_back(detail::dot(v, hv));
    squares.push_back(detail::dot(hv, hv));
  }
  const estimate square = detail::mean_of(squares);
  const double norm = std::sqrt(square.value);
  // H = 0: every draw is 0.
  const double error = norm > 0.0 ? square.standard_error / (2.0 * norm) : square.standard_error;
  return {detail::mean_of(traces), norm, error, options.draws};
}

/// The trace by Hutch++: exact on the range of H that a third of the products finds, Hutchinson's estimator on the rest.
///
///     Q = orthonormal basis of H S,      trace H ~ trace Q^T H Q + mean of g^T P H P g,   P = I - Q Q^T
///
/// S and g are random signs. The error falls as 1 / products instead of 1 / sqrt(products) for a positive H; exact
/// where the rank of H is at most a third of the products. Cost: `draws` products (at least 3), memory n draws / 3
/// doubles. The standard error is that of Hutchinson's estimator on the rest, which has two draws from 4 products on; NaN
/// for 3. Errors: config_error for fewer.
/// Source: Meyer, Musco, Musco, Woodruff, "Hutch++: Optimal Stochastic Trace Estimation", SOSA 2021.
template <symmetric_operator H>
[[nodiscard]] estimate hutch_plus_plus(H& h, trace_options options = {}) {
  require<config_error>(options.draws >= 3, "hutch_plus_plus: draws is ", options.draws, " but must be at least 3");
  const std::size_t n = h.size();
  const std::size_t third = options.draws / 3;
  random_stream random({.seed = options.seed, .purpose = purpose::probe});
  std::vector<double> v(n), hv(n);
  std::vector<std::vector<double>> basis;
  const auto project_out = [&](std::span<double> w) {
    for (int pass = 0; pass < 2; ++pass) {
      for (const std::vector<double>& q : basis) detail::add(w, -detail::dot(q, w), q);
    }
  };
  for (std::size_t k = 0; k < std::min(third, n); ++k) {
    detail::draw_signs(random, v);
    h.multiply(v, hv);
    const double before = detail::norm(hv);
    project_out(hv);
    const double rest = detail::norm(hv);
    if (rest <= 1e-12 * before || rest == 0.0) continue;
    detail::scale(hv, 1.0 / rest);
    basis.push_back(hv);
  }
  double found = 0.0;
  for (const std::vector<double>& q : basis) {
    h.multiply(q, hv);
    found += detail::dot(q, hv);
  }
  std::vector<double> rest;
  for (std::size_t k = 0; k < options.draws - 2 * third; ++k) {
    detail::draw_signs(random, v);
    project_out(v);
    h.multiply(v, hv);
    rest.push_back(detail::dot(v, hv));
  }
  estimate result = detail::mean_of(rest);
  result.value += found;
  return result;
}

}  // namespace polder::sharpness
