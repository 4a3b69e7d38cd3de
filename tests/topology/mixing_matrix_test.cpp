#include "polder/topology/mixing_matrix.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "polder/topology/davis.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/topology/requirements.hpp"
#include "topology/support.hpp"

using namespace polder;
using topology::graph;
using topology::mixing_matrix;
using topology::mixing_row;
using ranks = std::vector<int>;
using numbers = std::vector<double>;

namespace {

numbers mix(const mixing_matrix& w, std::uint64_t round, const numbers& x) {
  numbers mixed(x.size());
  for (int rank = 0; rank < w.size(); ++rank) {
    const mixing_row& row = w.row(round, rank);
    for (std::size_t k = 0; k < row.sources.size(); ++k) {
      mixed[static_cast<std::size_t>(rank)] += row.weights[k] * x[static_cast<std::size_t>(row.sources[k])];
    }
  }
  return mixed;
}

}  // namespace

TEST_CASE("a row holds the worker itself at its place in rank order") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::ring(5));
  const mixing_row& first = w.row(0, 0);
  CHECK(first.sources == ranks{0, 1, 4});
  CHECK(first.targets == ranks{1, 4});
  CHECK(first.self == 0);
  const mixing_row& middle = w.row(0, 2);
  CHECK(middle.sources == ranks{1, 2, 3});
  CHECK(middle.self == 1);
  const mixing_row& last = w.row(0, 4);
  CHECK(last.sources == ranks{0, 3, 4});
  CHECK(last.self == 2);
  CHECK(&w.row(7, 4) == &last);
}

TEST_CASE("Metropolis weights on an irregular graph follow the formula") {
  // 0 - 1, 1 - 2, 1 - 3, 2 - 3: degrees 1, 3, 2, 2.
  const mixing_matrix w = mixing_matrix::metropolis(topology::from_edges(4, {{0, 1}, {1, 2}, {1, 3}, {2, 3}}));
  const numbers expected{3. / 4, 1. / 4, 0,       0,       //
                         1. / 4, 1. / 4, 1. / 4,  1. / 4,  //
                         0,      1. / 4, 5. / 12, 1. / 3,  //
                         0,      1. / 4, 1. / 3,  5. / 12};
  const numbers found = w.dense(0);
  for (std::size_t k = 0; k < expected.size(); ++k) CHECK(found[k] == within(expected[k], 1e-15));
}

TEST_CASE("Metropolis weights are symmetric, doubly stochastic and positive on every undirected graph") {
  const auto check_graph = [](const graph& g) {
    INFO(g.name() << " of " << g.size());
    const mixing_matrix w = mixing_matrix::metropolis(g);
    CHECK_NOTHROW(topology::check(w, {.symmetric = true}));
    bool exact = true;
    for (int i = 0; i < w.size(); ++i) {
      for (int j = 0; j < w.size(); ++j) exact = exact && w.weight(0, i, j) == w.weight(0, j, i);
    }
    CHECK(exact);
  };
  for (const int n : {1, 2, 3, 5, 8, 10, 16, 31, 32}) {
    for (const auto make : {topology::ring, topology::chain, topology::star, topology::complete, topology::exponential,
                            topology::binary_tree}) {
      check_graph(make(n));
    }
  }
  check_graph(topology::hypercube(16));
  check_graph(topology::torus(2, 5));
  check_graph(topology::torus(4, 8));
  check_graph(topology::social_network());
}

TEST_CASE("uniform weights are Metropolis weights where all degrees are equal") {
  for (const graph& g : {topology::ring(10), topology::torus(4, 5), topology::hypercube(8), topology::complete(7)}) {
    CHECK(mixing_matrix::uniform(g) == mixing_matrix::metropolis(g));
  }
  CHECK(mixing_matrix::uniform(topology::ring(10)).row(0, 3).weights[0] == 1.0 / 3);
  CHECK(mixing_matrix::uniform(topology::ring(10)).row(0, 3).self_weight() == Approx(1.0 / 3).epsilon(1e-15));
}

TEST_CASE("uniform weights divide by what a worker hears") {
  const mixing_matrix w = mixing_matrix::uniform(topology::from_edges(3, {{0, 2}, {1, 2}, {2, 0}, {2, 1}}, true));
  CHECK(w.row(0, 0).weights == numbers{0.5, 0.5});
  CHECK(w.weight(0, 2, 0) == 1.0 / 3);
  CHECK(w.weight(0, 0, 2) == 0.5);
  CHECK(w.weight(0, 0, 1) == 0);
}

TEST_CASE("one-peer exponential weights are one half own and one half received") {
  const mixing_matrix w = mixing_matrix::uniform(topology::one_peer_exponential(10));
  CHECK_NOTHROW(topology::check(w));
  const mixing_row& row = w.row(3, 1);  // hears 1 - 8 = 3 mod 10, tells 9
  CHECK(row.sources == ranks{1, 3});
  CHECK(row.weights == numbers{0.5, 0.5});
  CHECK(row.targets == ranks{9});
  CHECK(row.self == 0);
  CHECK(w.row(6, 1).sources == ranks{1, 7});
}

TEST_CASE("a period of one-peer exponential averages exactly for powers of two") {
  for (int n = 1; n <= 64; n *= 2) {
    const mixing_matrix w = mixing_matrix::uniform(topology::one_peer_exponential(n));
    numbers x(static_cast<std::size_t>(n));
    std::iota(x.begin(), x.end(), -3.0);
    x[0] = 1000;
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
    for (std::size_t round = 0; round < w.period(); ++round) x = mix(w, round, x);
    CHECK(x == numbers(static_cast<std::size_t>(n), mean));
  }
}

TEST_CASE("mixing keeps the mean on every graph") {
  for (const mixing_matrix& w :
       {mixing_matrix::usual(topology::social_network()), mixing_matrix::usual(topology::one_peer_exponential(11)),
        mixing_matrix::usual(topology::binary_tree(9)).damped(0.3)}) {
    numbers x(static_cast<std::size_t>(w.size()));
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = std::sin(static_cast<double>(3 * k + 1));
    const double before = std::accumulate(x.begin(), x.end(), 0.0);
    for (std::size_t round = 0; round < 20; ++round) x = mix(w, round, x);
    CHECK(std::accumulate(x.begin(), x.end(), 0.0) == within(before, 1e-13));
  }
}

TEST_CASE("usual weights are Metropolis on undirected graphs and uniform on directed ones") {
  CHECK(mixing_matrix::usual(topology::star(4)) == mixing_matrix::metropolis(topology::star(4)));
  CHECK(mixing_matrix::usual(topology::one_peer_exponential(6)) ==
        mixing_matrix::uniform(topology::one_peer_exponential(6)));
}

TEST_CASE("Metropolis weights on a directed graph are refused") {
  check_parts(message_of<config_error>([] { (void)mixing_matrix::metropolis(topology::one_peer_exponential(8)); }),
              {"one-peer exponential", "directed", "uniform"});
}

TEST_CASE("a damped matrix is I + gamma (W - I)") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::chain(4));
  const mixing_matrix half = w.damped(0.5);
  const numbers before = w.dense(0);
  const numbers after = half.dense(0);
  for (std::size_t k = 0; k < before.size(); ++k) {
    const double identity = k % 5 == 0 ? 1 : 0;
    CHECK(after[k] == within(identity + 0.5 * (before[k] - identity), 1e-15));
  }
  CHECK_NOTHROW(topology::check(half, {.symmetric = true}));
  CHECK(w.damped(1) == w);
  CHECK(half.row(0, 1).targets == w.row(0, 1).targets);
}

TEST_CASE("a consensus step outside (0, 1] is refused with its value") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::ring(4));
  check_parts(message_of<config_error>([&] { (void)w.damped(0); }), {"gamma = 0", "(0, 1]"});
  check_parts(message_of<config_error>([&] { (void)w.damped(1.5); }), {"gamma = 1.5"});
  check_parts(message_of<config_error>([&] { (void)w.damped(-0.25); }), {"gamma = -0.25"});
  CHECK_THROWS_AS(w.damped(std::numeric_limits<double>::quiet_NaN()), config_error);
}

TEST_CASE("a dense matrix keeps its numbers, and zeros are no edges") {
  const numbers phases{0.5, 0.5, 0, 0.25, 0.75, 0, 0, 0, 1,  //
                       0,   0,   1, 0,    1,    0, 1, 0, 0};
  const mixing_matrix w = mixing_matrix::from_dense(3, phases, "mine");
  CHECK(w.period() == 2);
  CHECK(w.on().name() == "mine");
  CHECK(w.dense(0) == numbers(phases.begin(), phases.begin() + 9));
  CHECK(w.dense(1) == numbers(phases.begin() + 9, phases.end()));
  CHECK(w.row(0, 2).sources == ranks{2});
  CHECK(w.row(0, 1).targets == ranks{0});
  CHECK(w.row(1, 0).sources == ranks{0, 2});
  CHECK(w.row(1, 0).self_weight() == 0);
  CHECK(w.weight(5, 0, 2) == 1);
}

TEST_CASE("numbers that are no matrix are refused") {
  const auto build = [](int workers, const numbers& w) {
    return message_of<config_error>([&] { (void)mixing_matrix::from_dense(workers, w, "mine"); });
  };
  check_parts(build(3, numbers(8)), {"3 workers", "8 numbers", "9"});
  check_parts(build(3, {}), {"0 numbers"});
  check_parts(build(0, numbers(4)), {"0 workers"});
  check_parts(build(2, {1, 0, 0, 1, 1, std::nan(""), 0, 1}), {"worker 0", "worker 1", "phase 1", "mine", "nan"});
  check_parts(build(1, {HUGE_VAL}), {"worker 0", "phase 0", "inf"});
}
