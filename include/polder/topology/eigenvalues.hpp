// polder — eigenvalues of symmetric matrices, as far as graphs need them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "polder/core/error.hpp"

namespace polder::topology {

namespace detail {

/// A symmetric tridiagonal matrix; beside[k] joins rows k and k + 1.
struct tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> beside;
};

// Householder reflections from the last row to the first. For row `last` with v = a[last][0 .. last) and
// u = v - beside·e_{last-1}, |beside| = |v|, the leading block becomes A - u q^T - q u^T with p = A u / h, h = |u|²/2,
// q = p - (u·p / 2h) u. Only the lower triangle is kept.
inline tridiagonal tridiagonalize(std::vector<double>& a, std::size_t n) {
  tridiagonal t{std::vector<double>(n), std::vector<double>(n == 0 ? 0 : n - 1)};
  std::vector<double> q(n);
  for (std::size_t last = n; last-- > 1;) {
    double* const u = a.data() + last * n;
    double squares = 0;  // of what the reflection shall clear
    for (std::size_t k = 0; k + 1 < last; ++k) squares += u[k] * u[k];
    t.diagonal[last] = u[last];
    t.beside[last - 1] = u[last - 1];
    if (squares == 0) continue;
    squares += u[last - 1] * u[last - 1];
    t.beside[last - 1] = u[last - 1] > 0 ? -std::sqrt(squares) : std::sqrt(squares);
    const double h = squares - u[last - 1] * t.beside[last - 1];
    u[last - 1] -= t.beside[last - 1];
    std::fill_n(q.begin(), last, 0.0);
    for (std::size_t i = 0; i < last; ++i) {
      const double* const row = a.data() + i * n;
      double sum = row[i] * u[i];
      for (std::size_t j = 0; j < i; ++j) {
        sum += row[j] * u[j];
        q[j] += row[j] * u[i];
      }
      q[i] += sum;
    }
    double projection = 0;
    for (std::size_t k = 0; k < last; ++k) projection += u[k] * (q[k] /= h);
    for (std::size_t k = 0; k < last; ++k) q[k] -= projection / (2 * h) * u[k];
    for (std::size_t i = 0; i < last; ++i) {
      double* const row = a.data() + i * n;
      for (std::size_t j = 0; j <= i; ++j) row[j] -= u[i] * q[j] + q[i] * u[j];
    }
  }
  if (n > 0) t.diagonal[0] = a[0];
  return t;
}

// How many eigenvalues of t are below x: the negative pivots of t - x (Sturm).
inline std::size_t count_below(const tridiagonal& t, double x, double smallest_pivot) {
  std::size_t negative = 0;
  double pivot = 1;
  for (std::size_t k = 0; k < t.diagonal.size(); ++k) {
    const double beside = k == 0 ? 0 : t.beside[k - 1];
    pivot = t.diagonal[k] - x - beside * beside / pivot;
    if (std::abs(pivot) < smallest_pivot) pivot = -smallest_pivot;
    if (pivot < 0) ++negative;
  }
  return negative;
}

}  // namespace detail

/// The eigenvalues of a symmetric matrix in ascending order, each to a few units of rounding of the greatest.
///
/// Householder reduction to tridiagonal form, then bisection of Sturm counts: fewer operations than Jacobi's
/// rotations, and no iteration that might not converge.
/// `a`: row-major n x n, finite; only the lower triangle is read. Cost: 4/3 n³ for the reduction, about 55 n² divisions
/// for the bisections; 256 x 256 takes some 30 ms. Throws config_error if a.size() is not n².
/// Source: Golub, Van Loan: "Matrix Computations", 4th edition, 8.3.1 and 8.4.1.
[[nodiscard]] inline std::vector<double> symmetric_eigenvalues(std::vector<double> a, std::size_t n) {
  require<config_error>(a.size() == n * n, "a matrix of ", a.size(), " numbers is not ", n, " x ", n);
  const detail::tridiagonal t = detail::tridiagonalize(a, n);
  double radius = 0;  // of a circle around 0 that holds them all (Gershgorin)
  double steepest = 1;
  for (std::size_t k = 0; k < n; ++k) {
    const double before = k == 0 ? 0 : std::abs(t.beside[k - 1]);
    const double after = k + 1 == n ? 0 : std::abs(t.beside[k]);
    radius = std::max(radius, std::abs(t.diagonal[k]) + before + after);
    steepest = std::max(steepest, after * after);
  }
  const double smallest_pivot = std::numeric_limits<double>::min() * steepest;
  const double resolution = std::numeric_limits<double>::epsilon() * radius;
  std::vector<double> eigenvalues(n);
  double below = -radius - resolution;
  for (std::size_t k = 0; k < n; ++k) {
    double above = radius + resolution;
    while (above - below > resolution) {
      const double middle = below + (above - below) / 2;
      if (middle == below || middle == above) break;
      (detail::count_below(t, middle, smallest_pivot) > k ? above : below) = middle;
    }
    eigenvalues[k] = below + (above - below) / 2;
  }
  return eigenvalues;
}

}  // namespace polder::topology
