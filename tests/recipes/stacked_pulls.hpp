// Pulls to everywhere, with and without push, written from their formulas on a [workers][dimension] matrix in double,
// sharing no code with the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "recipes/stacked_reference.hpp"

namespace polder::test {

enum class toward { average, elastic, elastic_before, leader, model_weights, tensor_weights };

/// What the formulas of a round need.
struct pull_terms {
  toward to = toward::average;
  double alpha = 0.1;
  std::function<double(std::size_t)> lambda = [](std::size_t) { return 0.0; };  // of the round
  bool exact = false;
  bool from_target = false;
  bool per_tensor = false;
  double proximal = 0.0;                    // of a local step
  std::function<bool(std::size_t)> ends{};  // whether a round ends after so many steps; the last one does with the run
  std::size_t window = 10;
  double memory = 0.0;
  std::vector<std::size_t> tensors{};  // where each begins
  std::function<double(std::size_t, const std::vector<double>&)> loss{};
};

struct pulled {
  rows x;
  std::vector<double> center;  // of elastic averaging
};

/// The norm of each tensor of v.
inline std::vector<double> tensor_norms(const std::vector<double>& v, const std::vector<std::size_t>& begins) {
  std::vector<double> norms;
  for (std::size_t k = 0; k < begins.size(); ++k) {
    const std::size_t end = k + 1 < begins.size() ? begins[k + 1] : v.size();
    double sum = 0.0;
    for (std::size_t i = begins[k]; i < end; ++i) sum += v[i] * v[i];
    norms.push_back(std::sqrt(sum));
  }
  return norms;
}
inline std::size_t tensor_of(std::size_t i, const std::vector<std::size_t>& begins) {
  return static_cast<std::size_t>(std::upper_bound(begins.begin(), begins.end(), i) - begins.begin()) - 1;
}

/// Local Nesterov steps, each followed by x <- x + proximal (last target - x); at the end of a round
///     x_m <- x_half_m + strength (target - y_m) + lambda (u_m or u_m - mean u)
inline pulled stacked_pulls(const stacked_problem& p, rows x, std::size_t count, double beta, const pull_terms& o) {
  rows v = zeros_like(p);
  rows losses(p.n);
  std::vector<double> center = x[0], last;
  std::vector<std::vector<double>> scores(p.n, std::vector<double>(o.tensors.size(), 0.0));
  std::size_t rounds = 0;
  for (std::size_t t = 0; t < count; ++t) {
    const rows before = x;
    if (o.loss) {
      for (std::size_t m = 0; m < p.n; ++m) losses[m].push_back(o.loss(m, x[m]));
    }
    x = nesterov_step(p, x, v, t, beta);
    if (rounds > 0 && o.proximal > 0.0) {
      for (auto& row : x) {
        for (std::size_t i = 0; i < p.d; ++i) row[i] += o.proximal * (last[i] - row[i]);
      }
    }
    if (!o.ends(t + 1) && t + 1 != count) continue;
    const double lambda = o.lambda(rounds++);

    const rows y = o.to == toward::elastic_before ? before : x;
    const auto mean = mean_of(y);
    std::vector<double> target = mean;
    double strength = o.alpha;
    if (o.to == toward::elastic || o.to == toward::elastic_before) {
      target = center;
      strength = o.alpha / static_cast<double>(p.n);
      for (std::size_t i = 0; i < p.d; ++i) center[i] += o.alpha * (mean[i] - center[i]);
    } else if (o.to == toward::leader) {
      std::vector<double> running;
      for (const auto& row : losses) {
        const auto known = static_cast<std::ptrdiff_t>(std::min(o.window, row.size()));
        running.push_back(std::accumulate(row.end() - known, row.end(), 0.0) / static_cast<double>(known));
      }
      target = x[static_cast<std::size_t>(std::min_element(running.begin(), running.end()) - running.begin())];
    } else if (o.to != toward::average) {
      rows weights(p.n);
      std::vector<double> total(o.tensors.size(), 0.0);
      for (std::size_t m = 0; m < p.n; ++m) {
        auto norms = tensor_norms(p.gradient(m, x[m]), o.tensors);
        if (o.to == toward::model_weights) {
          norms.assign(norms.size(), std::accumulate(norms.begin(), norms.end(), 0.0));
        }
        for (std::size_t k = 0; k < norms.size(); ++k) {
          scores[m][k] = o.memory * scores[m][k] + (1.0 - o.memory) * norms[k];
          weights[m].push_back((1.0 - std::pow(o.memory, static_cast<double>(rounds))) / scores[m][k]);
          total[k] += weights[m][k];
        }
      }
      for (std::size_t i = 0; i < p.d; ++i) {
        const std::size_t k = tensor_of(i, o.tensors);
        target[i] = 0.0;
        for (std::size_t m = 0; m < p.n; ++m) target[i] += weights[m][k] / total[k] * x[m][i];
      }
    }

    rows u = zeros_like(p);
    const std::vector<std::size_t> whole{0};
    const auto& segments = o.per_tensor ? o.tensors : whole;
    for (std::size_t m = 0; m < p.n; ++m) {
      for (std::size_t i = 0; i < p.d; ++i) u[m][i] = y[m][i] - (o.from_target ? target : mean)[i];
      const auto norms = tensor_norms(u[m], segments);
      for (std::size_t i = 0; i < p.d; ++i) {
        const double r = norms[tensor_of(i, segments)];
        u[m][i] = r > 1e-13 ? u[m][i] / r : 0.0;
      }
    }
    const auto u_mean = mean_of(u);
    for (std::size_t m = 0; m < p.n; ++m) {
      for (std::size_t i = 0; i < p.d; ++i) {
        x[m][i] += strength * (target[i] - y[m][i]) + lambda * (u[m][i] - (o.exact ? u_mean[i] : 0.0));
      }
    }
    last = target;
  }
  return {x, center};
}

}  // namespace polder::test
