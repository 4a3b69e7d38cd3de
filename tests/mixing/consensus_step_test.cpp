// The consensus steps of compressed gossip: the closed forms, and the second moments that they come from.
#include "polder/mixing/consensus_step.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "polder/compress/random_k.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/topology/spectrum.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using topology::mixing_matrix;

using matrix = std::vector<double>;  // [n * n]

/// The second moments of x and x^ of one coordinate under random_k of share `delta`, from the definition: with a chance
/// delta x^_i becomes x_i, independently; then x loses gamma (I - W) x^. Returns log of the growth of E|x|^2 a round.
double mean_square_growth(const mixing_matrix& weights, double delta, double gamma, bool together) {
  const auto n = static_cast<std::size_t>(weights.size());
  const matrix w = weights.dense(0);
  matrix a(n * n);  // I - gamma (I - W) acts on x only through x^
  for (std::size_t i = 0; i < n * n; ++i) a[i] = gamma * ((i % (n + 1) == 0 ? 1.0 : 0.0) - w[i]);
  const auto times = [n](const matrix& p, const matrix& q, bool second_transposed) {
    matrix r(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < n; ++k)
          r[i * n + j] += p[i * n + k] * (second_transposed ? q[j * n + k] : q[k * n + j]);
      }
    }
    return r;
  };
  matrix xx(n * n), xc(n * n, 0.0), cc(n * n, 0.0);  // E x x^T, E x x^^T, E x^ x^^T
  for (std::size_t i = 0; i < n * n; ++i) xx[i] = (i % (n + 1) == 0 ? 1.0 : 0.0) - 1.0 / static_cast<double>(n);
  const auto rounds = static_cast<std::size_t>(15.0 / delta);
  double size = 0.0, half_way = 0.0;
  for (std::size_t t = 0; t < 2 * rounds; ++t) {
    matrix new_xc(n * n), new_cc(n * n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const std::size_t at = i * n + j, mirror = j * n + i;
        new_xc[at] = delta * xx[at] + (1.0 - delta) * xc[at];
        new_cc[at] = i == j || together ? delta * xx[at] + (1.0 - delta) * cc[at]
                                        : delta * delta * xx[at] + delta * (1.0 - delta) * (xc[at] + xc[mirror]) +
                                              (1.0 - delta) * (1.0 - delta) * cc[at];
      }
    }
    const matrix moved = times(new_xc, a, true), carried = times(a, new_cc, false);
    const matrix both = times(carried, a, true);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        xx[i * n + j] += both[i * n + j] - moved[i * n + j] - moved[j * n + i];
        xc[i * n + j] = new_xc[i * n + j] - carried[i * n + j];
      }
    }
    cc = new_cc;
    size = 0.0;
    for (std::size_t i = 0; i < n; ++i) size += xx[i * n + i] + cc[i * n + i];
    if (t + 1 == rounds) half_way = size;
  }
  return std::log(size / half_way) / static_cast<double>(rounds);
}

TEST_CASE("with random selection the second moments contract up to the limit of the derivation, and not beyond") {
  for (const auto& g : {topology::ring(6), topology::complete(5), topology::hypercube(8)}) {
    const mixing_matrix w = mixing_matrix::metropolis(g);
    const double beta = 1.0 - topology::lambda_min(w);
    CHECK(beta <= 2.0 * largest_exchange(w) + 1e-12);
    for (const double delta : {0.5, 0.2, 0.05}) {
      CAPTURE(g.name(), delta);
      const double limit = 2.0 * delta / (2.0 - delta), step = safe_consensus_step(delta, largest_exchange(w));
      // Where all workers lose the same numbers the limit is exact.
      CHECK(mean_square_growth(w, delta, 0.98 * limit / beta, true) < 0.0);
      CHECK(mean_square_growth(w, delta, 1.02 * limit / beta, true) > 0.0);
      const double counts = effective_contraction(random_k{.keep = delta, .same_positions = true}, layout(100));
      CHECK(mean_square_growth(w, delta, 1.5 * safe_consensus_step(counts, largest_exchange(w)), true) < 0.0);
      // With independent errors the step is half of the limit: 1.5 times it contracts, 2.3 times does not.
      CHECK(mean_square_growth(w, delta, step, false) < 0.0);
      CHECK(mean_square_growth(w, delta, 1.5 * step, false) < 0.0);
      CHECK(mean_square_growth(w, delta, 2.3 * step, false) > 0.0);
    }
  }
}

TEST_CASE("the derived step is 1 without loss, small for a coarse compressor, and follows W") {
  CHECK(safe_consensus_step(1.0, 1.0) == 1.0);
  CHECK(safe_consensus_step(1.0, 2.0 / 3.0) == 1.0);
  CHECK(safe_consensus_step(0.25, 2.0 / 3.0) == Approx(0.25 / 1.75 * 1.5).epsilon(1e-14));
  CHECK(safe_consensus_step(0.01, 1.0) == Approx(0.01 / 1.99).epsilon(1e-14));
  CHECK(safe_consensus_step(0.5, 0.0) == 1.0);
  const mixing_matrix ring = mixing_matrix::metropolis(topology::ring(16));
  CHECK(largest_exchange(ring) == Approx(2.0 / 3.0).epsilon(1e-14));
  CHECK(largest_exchange(mixing_matrix::metropolis(topology::star(16))) == Approx(15.0 / 16.0).epsilon(1e-14));
  CHECK(largest_exchange(mixing_matrix::metropolis(topology::complete(1))) == 0.0);
  // Half of the mixing can be gone with twice the step.
  CHECK(safe_consensus_step(0.1, largest_exchange(ring.damped(0.5))) ==
        Approx(2.0 * safe_consensus_step(0.1, largest_exchange(ring))).epsilon(1e-12));
  CHECK_THROWS_AS(safe_consensus_step(0.0, 1.0), config_error);
  CHECK_THROWS_AS(safe_consensus_step(1.5, 1.0), config_error);
}

/// By what one round multiplies E||x - mean||^2 + E||x - x^||^2 at most, from the triangle inequality with the weights
/// gamma gap / 2 and delta / 2: each of the two is bounded by a sum of both.
double factor_of_a_round(double gamma, double delta, double gap, double beta) {
  const double of_disagreement = (1.0 + gamma * gap / 2.0) * (1.0 - gamma * gap) * (1.0 - gamma * gap) +
                                 (1.0 - delta) * (1.0 + 2.0 / delta) * gamma * gamma * beta * beta;
  const double of_lag = (1.0 + 2.0 / (gamma * gap)) * gamma * gamma * beta * beta +
                        (1.0 - delta) * (1.0 + delta / 2.0) * (1.0 + gamma * beta) * (1.0 + gamma * beta);
  return std::max(of_disagreement, of_lag);
}

TEST_CASE("the proven step contracts for every compressor, and so does 1/gap times it") {
  for (const double gap : {1.0, 0.5, 0.1, 0.01, 0.001}) {
    for (const double beta : {0.7, 1.0, 4.0 / 3.0, 2.0}) {
      for (const double delta : {1.0, 0.6, 0.25, 0.01, 1e-4}) {
        if (beta < gap) continue;  // no eigenvalue of I - W is below gap
        CAPTURE(gap, beta, delta);
        const double gamma = proven_consensus_step(delta, gap, beta);
        CHECK(gamma > 0.0);
        for (const double step : {gamma, gamma / gap}) {
          CHECK(factor_of_a_round(step, delta, gap, beta) <= 1.0 - step * gap / 2.0 + 1e-15);
        }
        // The rate that the authors state.
        CHECK(factor_of_a_round(gamma / gap, delta, gap, beta) <= 1.0 - gap * gap * delta / 82.0 + 1e-15);
      }
    }
  }
}

TEST_CASE("the proven step of a ring of 16 that keeps a quarter is far too small to train with") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::ring(16));
  const double gap = 2.0 / 3.0 * (1.0 - std::cos(std::numbers::pi / 8.0)), beta = 4.0 / 3.0;
  const double expected = gap * gap * 0.25 / (14.0 * gap + gap * gap + (4.0 + 2.0 * gap) * beta * beta);
  CHECK(expected == Approx(8.0e-5).epsilon(0.01));
  CHECK(proven_consensus_step(top_k{0.25}, layout(1000), w) == Approx(expected).epsilon(1e-9));
  CHECK(safe_consensus_step(top_k{0.25}, layout(1000), w, "test") > 1000.0 * expected);
  CHECK_THROWS_WITH(proven_consensus_step(0.5, 0.0, 1.0), Catch::Contains("the spectral gap is 0"));
  CHECK_THROWS_WITH(proven_consensus_step(0.0, 0.5, 1.0), Catch::Contains("delta is 0"));
  CHECK_THROWS_WITH(proven_consensus_step(0.5, 0.5, 2.5), Catch::Contains("beta is 2.5"));
}

}  // namespace
