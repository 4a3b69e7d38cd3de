#include "polder/topology/spectrum.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "polder/topology/davis.hpp"
#include "polder/topology/graphs.hpp"
#include "topology/support.hpp"

using namespace polder;
using topology::contraction;
using topology::edge;
using topology::from_edges;
using topology::graph;
using topology::mixing_matrix;
using topology::spectral_gap;

namespace {

struct spectral_row {
  graph on;
  double gap;
  double lambda_2;
  double lambda_min;
};

void check_spectrum(const mixing_matrix& w, double gap, double lambda_2, double lambda_min) {
  constexpr double last_digit = 0.500001e-6;  // six digits are printed
  INFO(w.on().name() << " of " << w.size() << ": gap " << spectral_gap(w) << ", lambda_2 " << topology::lambda_2(w)
                     << ", lambda_min " << topology::lambda_min(w));
  CHECK(std::abs(spectral_gap(w) - gap) <= last_digit);
  CHECK(std::abs(topology::lambda_2(w) - lambda_2) <= last_digit);
  CHECK(std::abs(topology::lambda_min(w) - lambda_min) <= last_digit);
}

// i ± 1 and i ± jump mod n: what some published programs call a torus.
graph circulant(int n, int jump) {
  std::vector<edge> edges;
  for (int i = 0; i < n; ++i) {
    edges.push_back({i, (i + 1) % n});
    edges.push_back({i, (i + jump) % n});
  }
  return from_edges(n, edges, false, text("circulant 1 ", jump));
}

// Four octagons joined in a ring: a list that some published programs call the Dyck graph.
graph four_octagons() {
  std::vector<edge> edges;
  for (int octagon = 0; octagon < 32; octagon += 8) {
    for (int k = 0; k < 8; ++k) edges.push_back({octagon + k, octagon + (k + 1) % 8});
  }
  for (int k = 0; k < 8; k += 2) {
    edges.push_back({k, 8 + k});
    edges.push_back({16 + k, 24 + k});
    edges.push_back({k + 1, 16 + k + 1});
    edges.push_back({8 + k + 1, 24 + k + 1});
  }
  return from_edges(32, edges, false, "four octagons");
}

// LCF [5, -5, 13, -13]^8.
graph dyck() {
  const int jumps[4] = {5, -5, 13, -13};
  std::vector<edge> edges;
  for (int i = 0; i < 32; ++i) {
    edges.push_back({i, (i + 1) % 32});
    const int other = (i + jumps[i % 4] + 32) % 32;
    if (i < other) edges.push_back({i, other});
  }
  return from_edges(32, edges, false, "Dyck");
}

graph petersen() {
  std::vector<edge> edges;
  for (int i = 0; i < 5; ++i) {
    edges.push_back({i, (i + 1) % 5});
    edges.push_back({i, i + 5});
    edges.push_back({i + 5, (i + 2) % 5 + 5});
  }
  return from_edges(10, edges, false, "Petersen");
}

}  // namespace

TEST_CASE("Metropolis weights have the tabulated eigenvalues") {
  const std::vector<spectral_row> table{
      {topology::ring(5), 0.460655, 0.539345, -0.206011},
      {topology::ring(8), 0.195262, 0.804738, -0.333333},
      {topology::ring(10), 0.127322, 0.872678, -0.333333},
      {topology::ring(16), 0.050747, 0.949253, -0.333333},
      {topology::ring(20), 0.032629, 0.967371, -0.333333},
      {topology::ring(32), 0.012810, 0.987190, -0.333333},
      {topology::ring(40), 0.008208, 0.991792, -0.333333},
      {topology::ring(64), 0.003210, 0.996790, -0.333333},
      {topology::torus(2, 5), 0.345492, 0.654508, -0.404508},
      {topology::torus(4, 4), 0.400000, 0.600000, -0.600000},
      {topology::torus(4, 5), 0.276393, 0.723607, -0.523607},
      {topology::torus(4, 8), 0.117157, 0.882843, -0.600000},
      {topology::torus(5, 8), 0.117157, 0.882843, -0.523607},
      {circulant(20, 5), 0.276393, 0.723607, -0.600000},
      {circulant(40, 5), 0.122082, 0.877918, -0.600000},
      {circulant(16, 4), 0.400000, 0.600000, -0.482843},
      {circulant(32, 4), 0.124843, 0.875157, -0.482843},
      {four_octagons(), 0.146447, 0.853553, -0.500000},
      {dyck(), 0.190983, 0.809017, -0.500000},
      {petersen(), 0.500000, 0.500000, -0.250000},
      {topology::social_network(), 0.082098, 0.917902, -0.434279},
      {topology::chain(8), 0.050747, 0.949253, -0.282586},
      {topology::chain(16), 0.012810, 0.987190, -0.320524},
      {topology::chain(32), 0.003210, 0.996790, -0.330123},
      {topology::star(16), 0.062500, 0.937500, 0},
      {topology::star(32), 0.031250, 0.968750, 0},
      {topology::binary_tree(16), 0.024197, 0.975803, -0.297792},
      {topology::binary_tree(32), 0.010078, 0.989922, -0.348273},
      {topology::exponential(8), 0.666667, 0.333333, -0.235702},
      {topology::exponential(16), 0.500000, 0.500000, -0.272448},
      {topology::exponential(32), 0.400000, 0.600000, -0.329072},
      {topology::hypercube(8), 0.5, 0.5, -0.5},
      {topology::hypercube(16), 0.4, 0.6, -0.6},
      {topology::hypercube(32), 0.333333, 0.666667, -0.666667},
      {topology::complete(2), 1, 0, 0},
      {topology::complete(10), 1, 0, 0},
      {topology::complete(32), 1, 0, 0},
  };
  for (const spectral_row& row : table) {
    check_spectrum(mixing_matrix::metropolis(row.on), row.gap, row.lambda_2, row.lambda_min);
  }
}

TEST_CASE("ten workers whose neighbor five away counts twice have the eigenvalues of the table") {
  constexpr std::size_t n = 10;
  std::vector<double> w(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    w[i * n + i] = w[i * n + (i + 1) % n] = w[i * n + (i + 9) % n] = 1.0 / 5;
    w[i * n + (i + 5) % n] = 2.0 / 5;
  }
  const mixing_matrix doubled = mixing_matrix::from_dense(10, w, "circulant 1 5 5");
  CHECK_NOTHROW(topology::check(doubled, {.symmetric = true}));
  check_spectrum(doubled, 0.276393, 0.723607, -0.600000);
}

TEST_CASE("the gap counts an eigenvalue near -1 as well as one near 1") {
  // A ring of four with own weight 0.1: eigenvalues 0.1 + 0.9 cos(k pi / 2).
  const mixing_matrix w = mixing_matrix::from_dense(4, std::vector<double>{0.1, 0.45, 0, 0.45,  //
                                                                           0.45, 0.1, 0.45, 0,  //
                                                                           0, 0.45, 0.1, 0.45,  //
                                                                           0.45, 0, 0.45, 0.1});
  CHECK_NOTHROW(topology::check(w, {.symmetric = true}));
  check_spectrum(w, 0.2, 0.1, -0.8);
}

TEST_CASE("a chain has the gap of a ring twice as long") {
  for (const int n : {3, 7, 20, 50}) {
    CHECK(spectral_gap(mixing_matrix::metropolis(topology::chain(n))) ==
          Approx(spectral_gap(mixing_matrix::metropolis(topology::ring(2 * n)))).epsilon(1e-10));
  }
}

TEST_CASE("an even ring has the least eigenvalue -1/3 exactly, and damping by one half lifts it to 1/3") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::ring(12));
  CHECK(topology::lambda_min(w) == Approx(-1.0 / 3).epsilon(1e-14));
  CHECK(topology::lambda_min(w.damped(0.5)) == Approx(1.0 / 3).epsilon(1e-14));
  CHECK(topology::lambda_2(w.damped(0.5)) == Approx((1 + topology::lambda_2(w)) / 2).epsilon(1e-14));
}

TEST_CASE("eigenvalues are ascending and end with one") {
  const std::vector<double> all = topology::eigenvalues(mixing_matrix::metropolis(topology::social_network()));
  CHECK(all.size() == 32);
  CHECK(std::is_sorted(all.begin(), all.end()));
  CHECK(all.back() == Approx(1).epsilon(1e-14));
}

TEST_CASE("the contraction of a directed ring is the cosine of pi / n") {
  for (const int n : {3, 5, 8, 20}) {
    std::vector<edge> sends;
    for (int i = 0; i < n; ++i) sends.push_back({i, (i + 1) % n});
    const mixing_matrix w = mixing_matrix::uniform(from_edges(n, sends, true, "directed ring"));
    CHECK(contraction(w) == Approx(std::cos(std::numbers::pi / n)).epsilon(1e-12));
  }
}

TEST_CASE("the contraction of two alternating phases is that of their product") {
  // Phase 0 averages {0,1} and {2,3}; phase 1 averages 1 and 2 only. On the two pair means, which differ by d, the
  // second phase leaves (d/2)·(1, 0, 0, -1): |after| / |before| = (d/2)·sqrt(2) / d = 1/sqrt(2).
  const graph g("matchings", 4, {{{0, 1}, {1, 0}, {2, 3}, {3, 2}}, {{1, 2}, {2, 1}}});
  CHECK(contraction(mixing_matrix::metropolis(g)) == Approx(1 / std::numbers::sqrt2).epsilon(1e-12));
}

TEST_CASE("one-peer exponential averages in a period for powers of two, and only for them") {
  for (const int n : {2, 4, 8, 16, 32}) {
    CHECK(contraction(mixing_matrix::uniform(topology::one_peer_exponential(n))) < 1e-12);
  }
  for (const int n : {3, 5, 10, 33}) {
    const double factor = contraction(mixing_matrix::uniform(topology::one_peer_exponential(n)));
    CHECK(factor > 0.01);
    CHECK(factor < 0.5);
  }
}

TEST_CASE("a graph that falls apart has no gap") {
  CHECK(spectral_gap(mixing_matrix::metropolis(from_edges(4, {{0, 1}, {2, 3}}))) == within(0, 1e-14));
  CHECK(spectral_gap(mixing_matrix::from_dense(2, std::vector<double>{0, 1, 1, 0})) == within(0, 1e-14));
}

TEST_CASE("one worker agrees with itself") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::ring(1));
  check_spectrum(w, 1, 0, 0);
  CHECK(w.row(0, 0).weights == std::vector<double>{1});
}

TEST_CASE("eigenvalues of a matrix that is not static and symmetric are refused") {
  check_parts(message_of<config_error>(
                  [] { (void)topology::lambda_2(mixing_matrix::uniform(topology::one_peer_exponential(8))); }),
              {"one-peer exponential", "contraction()"});
  CHECK_THROWS_AS(topology::lambda_min(mixing_matrix::uniform(topology::star(4))), config_error);
}

TEST_CASE("a mixing matrix describes itself in one line") {
  CHECK(topology::describe(mixing_matrix::metropolis(topology::ring(10))) ==
        "ring, 10 workers, at most 2 neighbors a round, spectral gap 0.127322: ten times closer to the mean in 17 "
        "rounds");
  CHECK(topology::describe(mixing_matrix::uniform(topology::one_peer_exponential(8))) ==
        "one-peer exponential, 8 workers, at most 1 neighbor a round, period of 3 rounds, spectral gap 1 a period: "
        "exact mean in 3 rounds");
  CHECK(topology::describe(mixing_matrix::metropolis(topology::complete(4))) ==
        "complete, 4 workers, at most 3 neighbors a round, spectral gap 1: exact mean in 1 round");
  CHECK(topology::describe(mixing_matrix::metropolis(topology::ring(1))) ==
        "ring, 1 worker, at most 0 neighbors a round, spectral gap 1: exact mean in 1 round");
  check_parts(topology::describe(mixing_matrix::metropolis(from_edges(4, {{0, 1}, {2, 3}}))), {": no agreement"});
}

TEST_CASE("a graph of 256 workers is built, checked and described") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::torus(16, 16));
  CHECK_NOTHROW(topology::check(w, {.symmetric = true}));
  // Eigenvalues of the periodic grid: (1 + 2 cos a + 2 cos b) / 5.
  CHECK(contraction(w) == Approx((3 + 2 * std::cos(std::numbers::pi / 8)) / 5).epsilon(1e-13));
}
