// polder — the quadratic: the objective whose every answer is known.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"

namespace polder {

/// A quadratic bowl around a center, of any shape:
///
///     f(x) = 1/2 (x - c)^T H (x - c),      grad f(x) = H (x - c)
///
/// Built by `diagonal(h, c)` from the curvature of each coordinate, or by `dense(H, c)` from a symmetric row-major
/// n x n matrix; without c the center is 0. H need not be positive: a negative curvature is a saddle. Workers with
/// different centers are the textbook model of heterogeneous data: the mean of their losses has its minimum at
/// (sum_i H_i)^-1 sum_i H_i c_i.
///
/// Parameters of the worker may be float or double: H and c are double, the gradient is computed in double and rounded
/// once. No minibatch: the same loss at every step. Cost: O(n) for diagonal, O(n^2) for dense; no allocation.
/// Errors: config_error for sizes that do not fit, numbers that are not finite, or an H that is not symmetric.
class quadratic {
 public:
  [[nodiscard]] static quadratic diagonal(std::vector<double> h, std::vector<double> c = {}) {
    const std::size_t n = h.size();
    return quadratic(std::move(h), std::move(c), n, false);
  }
  [[nodiscard]] static quadratic dense(std::vector<double> h, std::vector<double> c = {}) {
    const auto n = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(h.size()))));
    require<config_error>(n * n == h.size(), "quadratic: a dense H of ", h.size(),
                          " numbers is not a square matrix: give n x n of them, row by row");
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        require<config_error>(h[i * n + j] == h[j * n + i], "quadratic: H is not symmetric: H(", i, ", ", j, ") is ",
                              h[i * n + j], " but H(", j, ", ", i, ") is ", h[j * n + i], ": give (H + H^T) / 2");
      }
    }
    return quadratic(std::move(h), std::move(c), n, true);
  }

  /// The number of parameters.
  [[nodiscard]] std::size_t size() const { return c_.size(); }
  [[nodiscard]] std::span<const double> center() const { return c_; }

  template <class T>
  double loss_and_gradient(std::span<const T> x, std::span<T> g) const {
    require<config_error>(x.size() == size() && g.size() == size(), "quadratic: ", x.size(), " parameters and ",
                          g.size(), " gradients, but H is for ", size());
    double loss = 0.0;
    for (std::size_t i = 0; i < size(); ++i) {
      const double slope = dense_ ? row_times_offset(i, x) : h_[i] * offset(i, x);
      loss += 0.5 * offset(i, x) * slope;
      g[i] = static_cast<T>(slope);
    }
    return loss;
  }

 private:
  quadratic(std::vector<double> h, std::vector<double> c, std::size_t n, bool dense)
      : h_(std::move(h)), c_(std::move(c)), dense_(dense) {
    require<config_error>(n > 0, "quadratic: H is empty: a quadratic has at least 1 parameter");
    if (c_.empty()) c_.resize(n);
    require<config_error>(c_.size() == n, "quadratic: the center has ", c_.size(), " numbers but H is for ", n);
    for (const double entry : h_) require_finite_entry("H", entry);
    for (const double entry : c_) require_finite_entry("the center", entry);
  }
  static void require_finite_entry(const char* what, double entry) {
    require<config_error>(std::isfinite(entry), "quadratic: ", what, " holds ", entry, " but must be finite");
  }

  template <class T>
  [[nodiscard]] double offset(std::size_t i, std::span<const T> x) const {
    return static_cast<double>(x[i]) - c_[i];
  }
  template <class T>
  [[nodiscard]] double row_times_offset(std::size_t i, std::span<const T> x) const {
    double sum = 0.0;
    for (std::size_t j = 0; j < size(); ++j) sum += h_[i * size() + j] * offset(j, x);
    return sum;
  }

  std::vector<double> h_;  // (n) or (n, n)
  std::vector<double> c_;  // (n)
  bool dense_;
};

}  // namespace polder
