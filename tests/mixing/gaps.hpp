// Where workers are around their mean, and the setting of the golden numbers of pull and push.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "polder/core/random.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "support/team.hpp"

namespace polder::test {

using vectors = stacked<double>;

// The constants of the golden numbers: lambda / alpha = 5.
inline constexpr double alpha = 0.1;
inline constexpr double lambda = 0.5;

struct no_gradient {
  double loss_and_gradient(std::span<const double>, std::span<double> g) const {
    for (double& v : g) v = 0.0;
    return 0.0;
  }
};

inline topology::mixing_matrix weights(std::size_t workers) {
  return topology::mixing_matrix::metropolis(topology::complete(static_cast<int>(workers)));
}

inline vectors random_start(std::size_t workers, std::size_t dimension, std::uint64_t seed = 1) {
  random_stream random({seed, purpose::test});
  vectors x(workers, std::vector<double>(dimension));
  for (auto& row : x) {
    for (double& v : row) v = random.normal();
  }
  return x;
}

inline std::vector<double> mean_of(const vectors& x) {
  std::vector<double> mean(x[0].size(), 0.0);
  for (const auto& row : x) {
    for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += row[k] / static_cast<double>(x.size());
  }
  return mean;
}
inline double length(const std::vector<double>& v) {
  return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
}
inline std::vector<double> gap(const vectors& x, std::size_t m) {
  auto d = mean_of(x);
  for (std::size_t k = 0; k < d.size(); ++k) d[k] = x[m][k] - d[k];
  return d;
}
inline std::vector<double> radii(const vectors& x) {
  std::vector<double> r;
  for (std::size_t m = 0; m < x.size(); ++m) r.push_back(length(gap(x, m)));
  return r;
}
inline double width(const vectors& x) {
  const auto r = radii(x);
  return std::accumulate(r.begin(), r.end(), 0.0) / static_cast<double>(r.size());
}

}  // namespace polder::test
