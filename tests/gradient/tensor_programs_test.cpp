// The quadratic program of cross-gradient aggregation against its optimality conditions and against enumeration.
#include "polder/gradient/tensor_programs.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "polder/core/random.hpp"
#include "recipes/stacked_cross_gradients.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using polder::test::rows;

/// K = M M^T + 1e-12 I and q = M b from random rows; `alike` makes the rows nearly parallel and b opposed to them.
struct instance {
  std::size_t m;
  rows k;
  std::vector<double> flat, q;

  instance(std::size_t count, std::size_t n, std::uint64_t seed, bool alike) : m(count) {
    random_stream random({seed, purpose::test});
    std::vector<double> common(n), b(n);
    for (double& v : common) v = random.normal();
    rows r(m, std::vector<double>(n));
    for (auto& row : r) {
      for (std::size_t i = 0; i < n; ++i) row[i] = alike ? common[i] + 0.1 * random.normal() : random.normal();
    }
    for (std::size_t i = 0; i < n; ++i) b[i] = alike ? random.normal() - 4.0 * common[i] : 3.0 * random.normal();
    for (std::size_t a = 0; a < m; ++a) {
      k.emplace_back();
      q.push_back(0.0);
      for (std::size_t i = 0; i < n; ++i) q[a] += r[a][i] * b[i];
      for (std::size_t c = 0; c < m; ++c) {
        double dot = a == c ? 1e-12 : 0.0;
        for (std::size_t i = 0; i < n; ++i) dot += r[a][i] * r[c][i];
        k[a].push_back(dot);
        flat.push_back(dot);
      }
    }
  }
  [[nodiscard]] std::vector<double> solve() const {
    std::vector<double> v(m);
    detail::minimize_above(0.5, flat, q, v);
    return v;
  }
};

TEST_CASE("the program's solution meets the conditions of optimality and is that of enumeration") {
  std::size_t at_bound = 0, inside = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    for (const std::size_t m : {1u, 2u, 4u, 6u}) {
      const instance p(m, 12, seed * 10 + m, seed % 2 == 0);
      const std::vector<double> v = p.solve(), expected = test::program_by_enumeration(p.k, p.q);
      CAPTURE(seed, m);
      for (std::size_t a = 0; a < m; ++a) {
        double slope = p.q[a], scale = std::abs(p.q[a]);
        for (std::size_t b = 0; b < m; ++b) {
          slope += p.k[a][b] * v[b];
          scale += std::abs(p.k[a][b] * v[b]);
        }
        CHECK(v[a] >= 0.5);
        if (v[a] > 0.5) {
          ++inside;
          CHECK(std::abs(slope) <= 1e-8 * scale);
        } else {
          ++at_bound;
          CHECK(slope >= -1e-8 * scale);
        }
        CHECK(v[a] == Approx(expected[a]).epsilon(1e-6));
      }
    }
  }
  CHECK(at_bound > 100);
  CHECK(inside > 100);
}

TEST_CASE("equal rows share what one of them would weigh") {
  // K = k (1 1; 1 1) + 1e-12 I, q = -6 k: the sum of the weights is 6
  const std::vector<double> k{2.0 + 1e-12, 2.0, 2.0, 2.0 + 1e-12}, q{-12.0, -12.0};
  std::vector<double> v(2);
  detail::minimize_above(0.5, k, q, v);
  CHECK(v[0] + v[1] == Approx(6.0).epsilon(1e-11));
  CHECK(v[0] >= 0.5);
  CHECK(v[1] >= 0.5);
}

TEST_CASE("a program without rows has nothing to weigh") {
  std::vector<double> none;
  detail::minimize_above(0.5, none, none, none);
  CHECK(none.empty());
}

}  // namespace
