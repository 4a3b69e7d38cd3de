// polder — eigenvalues of a symmetric tridiagonal matrix, with the ends of its eigenvectors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "polder/core/error.hpp"

namespace polder::sharpness {

/// An eigenvalue of a k x k tridiagonal matrix with the first and the last component of its unit eigenvector: the squared
/// first one is its weight in Gauss quadrature, the last one the error bound of Lanczos' method.
struct ritz_pair {
  double value = 0;
  double first = 0;
  double last = 0;
};

/// All eigenvalues of the symmetric tridiagonal matrix with that diagonal and, beside it, `beside`, in descending order.
///
/// Implicit QL with Wilkinson's shifts; of the eigenvectors only the first and last row are carried along. Cost: O(k^2).
/// Errors: config_error for sizes that do not fit; non_finite_error for numbers that are not finite; polder::error if an
/// eigenvalue does not converge in 60 sweeps.
/// Source: Golub, Welsch, "Calculation of Gauss quadrature rules", Mathematics of Computation 1969.
[[nodiscard]] inline std::vector<ritz_pair> tridiagonal_eigenvalues(std::vector<double> diagonal,
                                                                    std::vector<double> beside) {
  const std::size_t n = diagonal.size();
  require<config_error>(n > 0 && beside.size() + 1 == n, "a tridiagonal matrix with ", n,
                        " numbers on its diagonal has ", n - 1, " beside it, not ", beside.size());
  const auto finite = [](double number) { return std::isfinite(number); };
  require<non_finite_error>(
      std::all_of(diagonal.begin(), diagonal.end(), finite) && std::all_of(beside.begin(), beside.end(), finite),
      "tridiagonal_eigenvalues: the matrix is not finite");
  beside.push_back(0.0);
  std::vector<double> first(n, 0.0);
  std::vector<double> last(n, 0.0);
  first.front() = 1.0;
  last.back() = 1.0;
  const auto rotate = [](std::vector<double>& row, std::size_t i, double c, double s) {
    const double next = row[i + 1];
    row[i + 1] = s * row[i] + c * next;
    row[i] = c * row[i] - s * next;
  };
  for (std::size_t l = 0; l < n; ++l) {
    for (int sweep = 0;; ++sweep) {
      std::size_t m = l;
      while (m + 1 < n && std::abs(beside[m]) > std::numeric_limits<double>::epsilon() *
                                                    (std::abs(diagonal[m]) + std::abs(diagonal[m + 1]))) {
        ++m;
      }
      if (m == l) break;
      require<error>(sweep < 60, "tridiagonal_eigenvalues: eigenvalue ", l, " of ", n, " does not converge");
      double g = (diagonal[l + 1] - diagonal[l]) / (2.0 * beside[l]);
      double r = std::hypot(g, 1.0);
      g = diagonal[m] - diagonal[l] + beside[l] / (g + std::copysign(r, g));
      double s = 1.0;
      double c = 1.0;
      double p = 0.0;
      std::size_t i = m;
      bool split = false;
      while (i-- > l) {
        double f = s * beside[i];
        const double b = c * beside[i];
        r = std::hypot(f, g);
        beside[i + 1] = r;
        if (r == 0.0) {
          diagonal[i + 1] -= p;
          beside[m] = 0.0;
          split = true;
          break;
        }
        s = f / r;
        c = g / r;
        g = diagonal[i + 1] - p;
        r = (diagonal[i] - g) * s + 2.0 * c * b;
        p = s * r;
        diagonal[i + 1] = g + p;
        g = c * r - b;
        rotate(first, i, c, s);
        rotate(last, i, c, s);
      }
      if (split) continue;
      diagonal[l] -= p;
      beside[l] = g;
      beside[m] = 0.0;
    }
  }
  std::vector<ritz_pair> pairs(n);
  for (std::size_t k = 0; k < n; ++k) pairs[k] = {diagonal[k], first[k], last[k]};
  std::sort(pairs.begin(), pairs.end(), [](const ritz_pair& a, const ritz_pair& b) { return a.value > b.value; });
  return pairs;
}

}  // namespace polder::sharpness
