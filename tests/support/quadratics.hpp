// Heterogeneous quadratics: every worker pulls to its own optimum. For tests only; everything in double.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "polder/core/random.hpp"

namespace polder::test {

/// f_i(x) = 1/2 (x - c_i)^T H_i (x - c_i) with a dense symmetric positive definite H_i.
struct quadratics {
  std::size_t workers;
  std::size_t dimension;
  std::vector<std::vector<double>> hessians;  // [workers][dimension * dimension]
  std::vector<std::vector<double>> optima;    // [workers][dimension]

  quadratics(std::size_t n, std::size_t d, std::uint64_t seed) : workers(n), dimension(d) {
    random_stream random({seed, purpose::test});
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<double> a(d * d), h(d * d, 0.0), c(d);
      for (double& v : a) v = random.normal() / static_cast<double>(d);
      for (double& v : c) v = random.normal();
      for (std::size_t r = 0; r < d; ++r) {
        for (std::size_t s = 0; s < d; ++s) {
          for (std::size_t k = 0; k < d; ++k) h[r * d + s] += a[r * d + k] * a[s * d + k];
          if (r == s) h[r * d + s] += 0.3;
        }
      }
      hessians.push_back(h);
      optima.push_back(c);
    }
  }

  [[nodiscard]] std::vector<double> gradient(std::size_t i, const std::vector<double>& x) const {
    std::vector<double> g(dimension, 0.0);
    for (std::size_t r = 0; r < dimension; ++r) {
      for (std::size_t s = 0; s < dimension; ++s) g[r] += hessians[i][r * dimension + s] * (x[s] - optima[i][s]);
    }
    return g;
  }

  /// Worker i's objective, as the library wants it.
  struct objective {
    const quadratics* all;
    std::size_t worker;
    template <class T>
    double loss_and_gradient(std::span<const T> x, std::span<T> g) const {
      const std::vector<double> wide(x.begin(), x.end());
      const std::vector<double> gradient = all->gradient(worker, wide);
      double loss = 0.0;
      for (std::size_t r = 0; r < x.size(); ++r) {
        g[r] = static_cast<T>(gradient[r]);
        loss += 0.5 * gradient[r] * (wide[r] - all->optima[worker][r]);
      }
      return loss;
    }
    double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
      return loss_and_gradient<float>(x, g);
    }
    double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
      return loss_and_gradient<double>(x, g);
    }
  };
  [[nodiscard]] objective of(int worker) const { return {this, static_cast<std::size_t>(worker)}; }
};

}  // namespace polder::test
