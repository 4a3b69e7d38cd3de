// The six recipes and the exact all-reduce, written from their formulas on a [workers][dimension] matrix in double,
// sharing no code with the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

namespace polder::test {

using rows = std::vector<std::vector<double>>;

template <class T>
double largest_difference(const std::vector<std::vector<T>>& a, const rows& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t k = 0; k < a[i].size(); ++k) {
      largest = std::max(largest, std::abs(static_cast<double>(a[i][k]) - b[i][k]));
    }
  }
  return largest;
}

/// All that the formulas need.
struct stacked_problem {
  std::size_t n = 0, d = 0;
  std::vector<double> w;  // [n * n], row i is what worker i takes from each
  std::function<std::vector<double>(std::size_t, const std::vector<double>&)> gradient;
  std::function<double(std::size_t)> lr;
  double wd = 0.0;
};

inline rows zeros_like(const stacked_problem& p) { return rows(p.n, std::vector<double>(p.d, 0.0)); }

inline rows mix(const stacked_problem& p, const rows& x, double gamma) {
  rows y = x;
  for (std::size_t i = 0; i < p.n; ++i) {
    for (std::size_t k = 0; k < p.d; ++k) {
      double sum = 0.0;
      for (std::size_t j = 0; j < p.n; ++j) sum += p.w[i * p.n + j] * x[j][k];
      y[i][k] = x[i][k] + gamma * (sum - x[i][k]);
    }
  }
  return y;
}

inline std::vector<double> mean_of(const rows& x) {
  std::vector<double> mean(x[0].size(), 0.0);
  for (const auto& row : x) {
    for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += row[k] / static_cast<double>(x.size());
  }
  return mean;
}

inline double norm_of(const std::vector<double>& v) {
  double sum = 0.0;
  for (const double a : v) sum += a * a;
  return std::sqrt(sum);
}

/// g~ = gradient(x + rho g / ||g||)
inline std::vector<double> sam_gradient(const stacked_problem& p, std::size_t i, const std::vector<double>& x,
                                        double rho) {
  const std::vector<double> g = p.gradient(i, x);
  std::vector<double> up = x;
  for (std::size_t k = 0; k < p.d; ++k) up[k] += rho * g[k] / norm_of(g);
  return p.gradient(i, up);
}

inline rows stacked_d_psgd(const stacked_problem& p, rows x, std::size_t steps, double gamma) {
  for (std::size_t t = 0; t < steps; ++t) {
    rows half = x;
    for (std::size_t i = 0; i < p.n; ++i) {
      const auto g = p.gradient(i, x[i]);
      for (std::size_t k = 0; k < p.d; ++k) half[i][k] = x[i][k] - p.lr(t) * (g[k] + p.wd * x[i][k]);
    }
    x = mix(p, half, gamma);
  }
  return x;
}

/// One local Nesterov step of everybody, in place on m; returns the half step.
inline rows nesterov_step(const stacked_problem& p, const rows& x, rows& m, std::size_t t, double beta) {
  rows half = x;
  for (std::size_t i = 0; i < p.n; ++i) {
    const auto g = p.gradient(i, x[i]);
    for (std::size_t k = 0; k < p.d; ++k) {
      const double decayed = g[k] + p.wd * x[i][k];
      m[i][k] = beta * m[i][k] + decayed;
      half[i][k] = x[i][k] - p.lr(t) * (decayed + beta * m[i][k]);
    }
  }
  return half;
}

inline rows stacked_dsgdm_n(const stacked_problem& p, rows x, std::size_t steps, double beta, double gamma) {
  rows m = zeros_like(p);
  for (std::size_t t = 0; t < steps; ++t) x = mix(p, nesterov_step(p, x, m, t, beta), gamma);
  return x;
}

/// QGM with rho = 0, Q-SADDLe else; plain or Nesterov.
inline rows stacked_qgm(const stacked_problem& p, rows x, std::size_t steps, double beta, double mu, bool nesterov,
                        double rho, double gamma) {
  rows m_hat = zeros_like(p);
  for (std::size_t t = 0; t < steps; ++t) {
    rows half = x;
    for (std::size_t i = 0; i < p.n; ++i) {
      const auto g = rho > 0.0 ? sam_gradient(p, i, x[i], rho) : p.gradient(i, x[i]);
      for (std::size_t k = 0; k < p.d; ++k) {
        const double decayed = g[k] + p.wd * x[i][k];
        const double m = beta * m_hat[i][k] + decayed;
        const double u = nesterov ? decayed + beta * m : m;
        half[i][k] = x[i][k] - p.lr(t) * u;
      }
    }
    const rows next = mix(p, half, gamma);
    for (std::size_t i = 0; i < p.n; ++i) {
      for (std::size_t k = 0; k < p.d; ++k) {
        m_hat[i][k] = mu * m_hat[i][k] + (1.0 - mu) * (x[i][k] - next[i][k]) / p.lr(t);
      }
    }
    x = next;
  }
  return x;
}

/// Local steps with Nesterov momentum; after step tau, 2 tau, … and the last: x <- x - alpha d + lambda u (exact: - lambda
/// mean u).
inline rows stacked_pull_push(const stacked_problem& p, rows x, std::size_t steps, std::size_t tau, double beta,
                              double alpha, const std::function<double(std::size_t)>& lambda, bool exact) {
  rows m = zeros_like(p);
  std::size_t round = 0;
  for (std::size_t t = 0; t < steps; ++t) {
    x = nesterov_step(p, x, m, t, beta);
    if ((t + 1) % tau != 0 && t + 1 != steps) continue;
    const auto mean = mean_of(x);
    rows u = zeros_like(p);
    for (std::size_t i = 0; i < p.n; ++i) {
      for (std::size_t k = 0; k < p.d; ++k) u[i][k] = x[i][k] - mean[k];
      const double r = norm_of(u[i]);
      for (double& v : u[i]) v = r > 0.0 ? v / r : 0.0;
    }
    const auto u_mean = mean_of(u);
    for (std::size_t i = 0; i < p.n; ++i) {
      for (std::size_t k = 0; k < p.d; ++k) {
        const double direction = u[i][k] - (exact ? u_mean[k] : 0.0);
        x[i][k] += -alpha * (x[i][k] - mean[k]) + lambda(round) * direction;
      }
    }
    ++round;
  }
  return x;
}

}  // namespace polder::test
