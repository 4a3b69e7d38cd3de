// NGM, CGA and N-SADDLe, written from their formulas on a [workers][dimension] matrix in double, sharing no code with the
// library.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

#include "recipes/stacked_reference.hpp"

namespace polder::test {

/// g(i, j): the gradient of worker i's data at the parameters of worker j, as matrices of vectors.
using crossed = std::vector<rows>;
/// What worker i makes of all gradients g(i, j).
using aggregation = std::function<std::vector<double>(std::size_t i, const crossed& g)>;

/// A: the mean over everybody's data at my parameters, B: over everybody's parameters on my data; a A + (1 - a) B.
inline aggregation neighborhood_mean(const stacked_problem& p, double a) {
  return [&p, a](std::size_t i, const crossed& g) {
    std::vector<double> mean(p.d, 0.0);
    for (std::size_t j = 0; j < p.n; ++j) {
      const double w = p.w[i * p.n + j];
      if (w == 0.0) continue;
      for (std::size_t k = 0; k < p.d; ++k) mean[k] += w * (a * g[j][i][k] + (1.0 - a) * g[i][j][k]);
    }
    return mean;
  };
}

/// v >= 1/2 that minimizes 1/2 v'Kv + v'q, by trying all sets of components that lie at the bound: on the others the
/// gradient K v + q is zero (Gaussian elimination), on the bound it must not be negative.
inline std::vector<double> program_by_enumeration(const std::vector<std::vector<double>>& k,
                                                  const std::vector<double>& q) {
  const std::size_t m = q.size();
  std::vector<double> best;
  double least = 0.0;
  for (std::size_t set = 0; set < (std::size_t{1} << m); ++set) {
    std::vector<std::size_t> free;
    std::vector<double> v(m, 0.5);
    for (std::size_t a = 0; a < m; ++a) {
      if ((set >> a & 1) != 0) free.push_back(a);
    }
    std::vector<std::vector<double>> system;
    for (const std::size_t a : free) {
      std::vector<double> row;
      double right = -q[a];
      for (const std::size_t b : free) row.push_back(k[a][b]);
      for (std::size_t b = 0; b < m; ++b) {
        if ((set >> b & 1) == 0) right -= k[a][b] * 0.5;
      }
      row.push_back(right);
      system.push_back(row);
    }
    const std::size_t f = free.size();
    for (std::size_t c = 0; c < f; ++c) {
      std::size_t pivot = c;
      for (std::size_t r = c; r < f; ++r) {
        if (std::abs(system[r][c]) > std::abs(system[pivot][c])) pivot = r;
      }
      std::swap(system[c], system[pivot]);
      for (std::size_t r = 0; r < f; ++r) {
        if (r == c) continue;
        const double factor = system[r][c] / system[c][c];
        for (std::size_t s = c; s <= f; ++s) system[r][s] -= factor * system[c][s];
      }
    }
    bool feasible = true;
    for (std::size_t c = 0; c < f; ++c) {
      v[free[c]] = system[c][f] / system[c][c];
      feasible = feasible && v[free[c]] >= 0.5;
    }
    if (!feasible) continue;
    double value = 0.0;
    for (std::size_t a = 0; a < m; ++a) {
      value += v[a] * q[a];
      for (std::size_t b = 0; b < m; ++b) value += 0.5 * v[a] * k[a][b] * v[b];
    }
    if (best.empty() || value < least) {
      best = v;
      least = value;
    }
  }
  return best;
}

/// CGA's aggregate of one worker, for tensors that end before the numbers in `ends`.
inline aggregation program_per_tensor(const stacked_problem& p, std::vector<std::size_t> ends) {
  return [&p, ends](std::size_t i, const crossed& g) {
    std::vector<double> result(p.d);
    for (std::size_t t = 0; t < ends.size(); ++t) {
      const std::size_t begin = t == 0 ? 0 : ends[t - 1];
      rows m;
      for (std::size_t j = 0; j < p.n; ++j) {
        if (j == i || p.w[i * p.n + j] == 0.0) continue;
        std::vector<double> row;
        double norm = 0.0;
        for (std::size_t k = begin; k < ends[t]; ++k) {
          row.push_back(p.w[i * p.n + j] * g[j][i][k]);
          norm += std::abs(row.back());
        }
        if (norm > 0.0) m.push_back(row);
      }
      std::vector<std::vector<double>> gram(m.size(), std::vector<double>(m.size(), 0.0));
      std::vector<double> q(m.size(), 0.0);
      for (std::size_t a = 0; a < m.size(); ++a) {
        for (std::size_t k = begin; k < ends[t]; ++k) {
          q[a] += m[a][k - begin] * p.w[i * p.n + i] * g[i][i][k];
          for (std::size_t b = 0; b < m.size(); ++b) gram[a][b] += m[a][k - begin] * m[b][k - begin];
        }
        gram[a][a] += 1e-12;
      }
      const std::vector<double> v = program_by_enumeration(gram, q);
      for (std::size_t k = begin; k < ends[t]; ++k) {
        result[k] = p.w[i * p.n + i] * g[i][i][k];
        for (std::size_t a = 0; a < m.size(); ++a) result[k] += v[a] * m[a][k - begin];
      }
    }
    return result;
  };
}

enum class memory { heavy_ball, nesterov, quasi_global };
enum class order { mix_then_step, adapt_then_combine, gradient_at_mixed };

/// What the formulas of the three methods differ in.
struct cross_method {
  aggregation aggregate;
  double rho_own = 0.0;    // radius of the own gradient
  double rho_cross = 0.0;  // radius of the others
  memory momentum = memory::nesterov;
  order sequence = order::mix_then_step;
  double beta = 0.8;
  double mu = 0.7;  // of the quasi-global momentum
  double gamma = 1.0;
};

/// Worker i's step from its aggregated gradient; updates its momentum.
inline std::vector<double> update_of(const stacked_problem& p, const cross_method& method, std::size_t t,
                                     const std::vector<double>& x, const std::vector<double>& whole,
                                     std::vector<double>& m) {
  std::vector<double> step(p.d);
  for (std::size_t k = 0; k < p.d; ++k) {
    const double decayed = whole[k] + p.wd * x[k];
    if (method.momentum == memory::quasi_global) {
      step[k] = p.lr(t) * (decayed + method.beta * (method.beta * m[k] + decayed));
    } else {
      m[k] = method.beta * m[k] + decayed;
      step[k] = p.lr(t) * (method.momentum == memory::nesterov ? decayed + method.beta * m[k] : m[k]);
    }
  }
  return step;
}
/// What quasi-global momentum makes of a step.
inline void observe_step(const stacked_problem& p, const cross_method& method, std::size_t t, const rows& x,
                         const rows& next, rows& m) {
  if (method.momentum != memory::quasi_global) return;
  for (std::size_t i = 0; i < p.n; ++i) {
    for (std::size_t k = 0; k < p.d; ++k) {
      m[i][k] = method.mu * m[i][k] + (1.0 - method.mu) * (x[i][k] - next[i][k]) / p.lr(t);
    }
  }
}

inline rows stacked_cross_gradients(const stacked_problem& p, rows x, std::size_t total, const cross_method& method) {
  rows m = zeros_like(p);
  const auto gradient = [&](std::size_t i, const std::vector<double>& at, double rho) {
    return rho > 0.0 ? sam_gradient(p, i, at, rho) : p.gradient(i, at);
  };
  for (std::size_t t = 0; t < total; ++t) {
    const rows mixed = mix(p, x, method.gamma);
    crossed g(p.n, rows(p.n));
    for (std::size_t i = 0; i < p.n; ++i) {
      for (std::size_t j = 0; j < p.n; ++j) {
        if (p.w[i * p.n + j] == 0.0) continue;
        const bool at_mixed = i == j && method.sequence == order::gradient_at_mixed;
        g[i][j] = gradient(i, at_mixed ? mixed[i] : x[j], i == j ? method.rho_own : method.rho_cross);
      }
    }
    rows step;
    for (std::size_t i = 0; i < p.n; ++i) step.push_back(update_of(p, method, t, x[i], method.aggregate(i, g), m[i]));
    rows next = method.sequence == order::adapt_then_combine ? x : mixed;
    for (std::size_t i = 0; i < p.n; ++i) {
      for (std::size_t k = 0; k < p.d; ++k) next[i][k] -= step[i][k];
    }
    if (method.sequence == order::adapt_then_combine) next = mix(p, next, method.gamma);
    observe_step(p, method, t, x, next, m);
    x = next;
  }
  return x;
}

}  // namespace polder::test
