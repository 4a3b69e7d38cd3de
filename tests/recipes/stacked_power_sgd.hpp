// PowerSGD on quadratics with a table of tensors, written from its formulas on [workers][numbers] in double, sharing no code
// with the library but the random numbers of its start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "polder/core/layout.hpp"
#include "polder/core/random.hpp"
#include "recipes/stacked_reference.hpp"
#include "support/quadratics.hpp"

namespace polder::test {

inline constexpr std::size_t team = 4;
inline constexpr double rate = 0.05;

/// A convolution of 4 x 27, a bias, a dense layer of 9 x 8 and one too small to gain by two factors.
inline layout tensors() {
  layout all;
  all.add("conv.weight", {4, 3, 3, 3});
  all.add("conv.bias", {4});
  all.add("dense.weight", {9, 8});
  all.add("small.weight", {2, 3});
  return all;
}
inline constexpr std::size_t numbers = 108 + 4 + 72 + 6;

inline std::vector<double> normals(std::size_t n, std::uint64_t seed) {
  random_stream random({seed, purpose::test});
  std::vector<double> x(n);
  for (double& v : x) v = random.normal();
  return x;
}

/// A worker's gradient of heterogeneous quadratics.
inline const quadratics& bowls() {
  static const quadratics all(team, numbers, 11);
  return all;
}
/// Rows x columns from `offset` on.
struct block {
  std::size_t offset, rows, columns;
};
/// Those whose two factors are smaller than they are.
inline std::vector<block> blocks_of(std::size_t rank) {
  std::vector<block> all;
  for (const block& b : {block{0, 4, 27}, block{112, 9, 8}, block{184, 2, 3}}) {
    if (rank * (b.rows + b.columns) < b.rows * b.columns) all.push_back(b);
  }
  return all;
}

/// The orthonormal columns of P, by projecting each twice on those before it.
inline void orthonormal(rows& p_columns) {
  for (std::size_t j = 0; j < p_columns.size(); ++j) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < j; ++k) {
        double dot = 0.0;
        for (std::size_t i = 0; i < p_columns[j].size(); ++i) dot += p_columns[k][i] * p_columns[j][i];
        for (std::size_t i = 0; i < p_columns[j].size(); ++i) p_columns[j][i] -= dot * p_columns[k][i];
      }
    }
    const double length = norm_of(p_columns[j]);
    for (double& v : p_columns[j]) v /= length;
  }
}

/// Algorithms 1 and 2 of the paper with Nesterov momentum, on [workers][numbers] in double.
struct stacked_power_sgd {
  std::size_t rank;
  double beta, wd;
  rows e = rows(team, std::vector<double>(numbers, 0.0));
  std::vector<rows> q{};  // per block, [rank][columns]

  /// u from everybody's gradients, in place of the mean; e and Q as the step leaves them.
  std::vector<double> aggregate(const rows& g) {
    std::vector<double> u = mean_of(g);
    const std::vector<block> blocks = blocks_of(rank);
    if (q.empty()) {
      for (std::uint32_t b = 0; b < blocks.size(); ++b) {
        q.emplace_back();
        for (std::uint32_t j = 0; j < rank; ++j) {
          random_stream random({1, purpose::subspace, 0, b, j});
          q.back().emplace_back();
          for (std::size_t c = 0; c < blocks[b].columns; ++c) q.back().back().push_back(random.normal());
        }
      }
    }
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const auto [offset, height, width] = blocks[b];
      const auto matrix = [&](std::size_t m, std::size_t i, std::size_t c) -> double& {
        return e[m][offset + i * width + c];
      };
      rows p(rank, std::vector<double>(height, 0.0)), next(rank, std::vector<double>(width, 0.0));
      for (std::size_t m = 0; m < team; ++m) {
        for (std::size_t k = 0; k < height * width; ++k) e[m][offset + k] += g[m][offset + k];
      }
      for (std::size_t m = 0; m < team; ++m) {
        for (std::size_t j = 0; j < rank; ++j) {
          for (std::size_t i = 0; i < height; ++i) {
            for (std::size_t c = 0; c < width; ++c) p[j][i] += matrix(m, i, c) * q[b][j][c] / team;
          }
        }
      }
      orthonormal(p);
      for (std::size_t m = 0; m < team; ++m) {
        for (std::size_t j = 0; j < rank; ++j) {
          for (std::size_t i = 0; i < height; ++i) {
            for (std::size_t c = 0; c < width; ++c) next[j][c] += matrix(m, i, c) * p[j][i] / team;
          }
        }
      }
      q[b] = next;
      for (std::size_t i = 0; i < height; ++i) {
        for (std::size_t c = 0; c < width; ++c) {
          double product = 0.0;
          for (std::size_t j = 0; j < rank; ++j) product += p[j][i] * q[b][j][c];
          u[offset + i * width + c] = product;
          for (std::size_t m = 0; m < team; ++m) matrix(m, i, c) -= product;
        }
      }
    }
    return u;
  }
  std::vector<double> run(std::size_t steps) {
    std::vector<double> x = normals(numbers, 5), v(numbers, 0.0);
    for (std::size_t t = 0; t < steps; ++t) {
      rows g;
      for (std::size_t m = 0; m < team; ++m) g.push_back(bowls().gradient(m, x));
      const std::vector<double> u = aggregate(g);
      for (std::size_t k = 0; k < numbers; ++k) {
        const double decayed = u[k] + wd * x[k];
        v[k] = beta * v[k] + decayed;
        x[k] -= rate * (decayed + beta * v[k]);
      }
    }
    return x;
  }
};

}  // namespace polder::test
