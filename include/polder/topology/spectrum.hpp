// polder — how fast a mixing matrix brings the workers together.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/topology/eigenvalues.hpp"
#include "polder/topology/graph.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/topology/requirements.hpp"

namespace polder::topology {

/// The eigenvalues of a static symmetric mixing matrix, in ascending order. Throws config_error for another matrix.
/// Cost: O(workers³), some 30 ms for 256.
[[nodiscard]] inline std::vector<double> eigenvalues(const mixing_matrix& w) {
  require<config_error>(w.period() == 1 && !find_asymmetry(w), "eigenvalues of the mixing matrix of ", w.on().name(),
                        ": they are real for a static symmetric matrix only; for others ask contraction()");
  return symmetric_eigenvalues(w.dense(0), static_cast<std::size_t>(w.size()));
}

/// The second greatest eigenvalue (0 for one worker); as eigenvalues().
[[nodiscard]] inline double lambda_2(const mixing_matrix& w) {
  return w.size() == 1 ? 0 : eigenvalues(w)[static_cast<std::size_t>(w.size()) - 2];
}

/// The least eigenvalue (0 for one worker); as eigenvalues().
[[nodiscard]] inline double lambda_min(const mixing_matrix& w) { return w.size() == 1 ? 0 : eigenvalues(w).front(); }

namespace detail {

// D^T D of D = W_{period-1} ... W_1 W_0 (I - J).
inline std::vector<double> gram_of_disagreement(const mixing_matrix& w) {
  const auto n = static_cast<std::size_t>(w.size());
  std::vector<double> d(n * n, -1.0 / static_cast<double>(n));
  for (std::size_t i = 0; i < n; ++i) d[i * n + i] += 1;
  std::vector<double> mixed(n * n);
  for (std::size_t phase = 0; phase < w.period(); ++phase) {
    std::fill(mixed.begin(), mixed.end(), 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      const mixing_row& row = w.row(phase, static_cast<int>(i));
      for (std::size_t k = 0; k < row.sources.size(); ++k) {
        const double* const source = d.data() + static_cast<std::size_t>(row.sources[k]) * n;
        for (std::size_t j = 0; j < n; ++j) mixed[i * n + j] += row.weights[k] * source[j];
      }
    }
    d.swap(mixed);
  }
  std::vector<double> gram(n * n);
  for (std::size_t k = 0; k < n; ++k) {
    const double* const row = d.data() + k * n;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j) gram[i * n + j] += row[i] * row[j];
    }
  }
  return gram;
}

}  // namespace detail

/// By what factor a whole period brings the workers to their mean at least: |W x - mean| <= contraction · |x - mean|.
/// Static and symmetric: max(|lambda_2|, |lambda_min|). Else the greatest singular value of W_period - J, with W_period
/// the product of all phases and J the average, from the eigenvalues of its Gram matrix: below 1e-7 it may be rounding.
/// Meaningful for doubly stochastic matrices. Cost: O(workers³ + edges · workers).
[[nodiscard]] inline double contraction(const mixing_matrix& w) {
  if (w.size() == 1) return 0;
  const auto n = static_cast<std::size_t>(w.size());
  if (w.period() == 1 && !find_asymmetry(w)) {
    const std::vector<double> all = eigenvalues(w);
    return std::max(std::abs(all[n - 2]), std::abs(all.front()));
  }
  return std::sqrt(std::max(0.0, symmetric_eigenvalues(detail::gram_of_disagreement(w), n).back()));
}

/// 1 - contraction(w), for a whole period: 1 averages exactly, 0 promises no agreement. Cost: as contraction().
[[nodiscard]] inline double spectral_gap(const mixing_matrix& w) { return 1 - contraction(w); }

/// One line for logs: graph, size, degree, spectral gap, and how fast the workers agree. Cost: as contraction().
[[nodiscard]] inline std::string describe(const mixing_matrix& w) {
  const double factor = contraction(w);
  const int degree = w.on().max_in_degree();
  std::string line = text(w.on().name(), ", ", w.size(), w.size() == 1 ? " worker" : " workers", ", at most ", degree,
                          degree == 1 ? " neighbor" : " neighbors", " a round");
  if (w.period() > 1) line += text(", period of ", w.period(), " rounds");
  line += text(", spectral gap ", 1 - factor, w.period() > 1 ? " a period" : "");
  if (factor < 1e-7) return line + text(": exact mean in ", w.period(), w.period() == 1 ? " round" : " rounds");
  if (factor > 1 - weight_tolerance) return line + ": no agreement";
  const double periods = std::numbers::ln10 / -std::log(factor);
  return line +
         text(": ten times closer to the mean in ", std::ceil(static_cast<double>(w.period()) * periods), " rounds");
}

}  // namespace polder::topology
