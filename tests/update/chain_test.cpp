// Update rules in a row: order, cuts and clipping.
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/comm/self.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/none.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/quasi_global_momentum.hpp"
#include "polder/update/weight_decay.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"

namespace {

using namespace polder;
using polder::test::quadratics;

constexpr double eta = 0.1;

template <class Update>
std::vector<double> after(const Update& update, const quadratics& q, int steps) {
  const eigen_backend backend;
  self<> comm;
  auto f = q.of(0);
  const std::vector<double> x0(q.dimension, 1.0);
  const auto weights = topology::mixing_matrix::metropolis(topology::ring(1));
  worker one(algorithm{plain{}, update, none{}}, backend, comm, weights, f, std::span<const double>(x0),
             worker_options{.lr = {.base = eta}});
  for (int t = 0; t < steps; ++t) one.step();
  return {one.x().data, one.x().data + q.dimension};
}

void check_close(const std::vector<double>& a, const std::vector<double>& b) {
  for (std::size_t k = 0; k < a.size(); ++k) CHECK(a[k] == Approx(b[k]).epsilon(1e-12));
}

/// Decay, clip and heavy ball in the order `decay_first` says, written out.
std::vector<double> by_hand(const quadratics& q, int steps, bool decay_first, double max_norm) {
  std::vector<double> x(q.dimension, 1.0), m(q.dimension, 0.0);
  for (int t = 0; t < steps; ++t) {
    auto g = q.gradient(0, x);
    if (decay_first) {
      for (std::size_t k = 0; k < g.size(); ++k) g[k] += 0.5 * x[k];
    }
    double norm = 0.0;
    for (const double v : g) norm += v * v;
    norm = std::sqrt(norm);
    for (std::size_t k = 0; k < g.size(); ++k) {
      if (norm > max_norm) g[k] *= max_norm / norm;
      if (!decay_first) g[k] += 0.5 * x[k];
      m[k] = 0.9 * m[k] + g[k];
    }
    for (std::size_t k = 0; k < g.size(); ++k) x[k] -= eta * m[k];
  }
  return x;
}

TEST_CASE("a rule that needs a norm may stand first or cut the chain in the middle") {
  const quadratics q(1, 37, 2);
  for (const double max_norm : {0.3, 1.0, 100.0}) {
    CAPTURE(max_norm);
    check_close(after(chain{clip_norm{max_norm}, weight_decay{0.5}, momentum{0.9}}, q, 20),
                by_hand(q, 20, false, max_norm));
    check_close(after(chain{weight_decay{0.5}, clip_norm{max_norm}, momentum{0.9}}, q, 20),
                by_hand(q, 20, true, max_norm));
  }
}

TEST_CASE("clipping with max_norm = 0 is off, bit for bit") {
  const quadratics q(1, 37, 2);
  CHECK(after(chain{clip_norm{0.0}, momentum{0.9}}, q, 20) == after(momentum{0.9}, q, 20));
}

TEST_CASE("two momenta in a row each keep their own memory") {
  const quadratics q(1, 5, 2);
  std::vector<double> x(5, 1.0), a(5, 0.0), b(5, 0.0);
  for (int t = 0; t < 15; ++t) {
    const auto g = q.gradient(0, x);
    for (std::size_t k = 0; k < 5; ++k) {
      a[k] = 0.5 * a[k] + g[k];
      b[k] = 0.3 * b[k] + a[k];
      x[k] -= eta * b[k];
    }
  }
  check_close(after(chain{momentum{0.5}, momentum{0.3}}, q, 15), x);
}

TEST_CASE("an empty chain is gradient descent") {
  const quadratics q(1, 5, 2);
  std::vector<double> x(5, 1.0);
  for (int t = 0; t < 10; ++t) {
    const auto g = q.gradient(0, x);
    for (std::size_t k = 0; k < 5; ++k) x[k] -= eta * g[k];
  }
  check_close(after(chain<>{}, q, 10), x);
}

TEST_CASE("quasi-global momentum does nothing to its memory while the learning rate is 0") {
  const quadratics q(1, 5, 2);
  const eigen_backend backend;
  self<> comm;
  auto f = q.of(0);
  const std::vector<double> x0(5, 1.0);
  const auto weights = topology::mixing_matrix::metropolis(topology::ring(1));
  worker one(algorithm{plain{}, quasi_global_momentum{}, none{}}, backend, comm, weights, f,
             std::span<const double>(x0), worker_options{.lr = {.base = 0.0}});
  for (int t = 0; t < 3; ++t) one.step();
  CHECK(std::vector<double>(one.x().data, one.x().data + 5) == x0);
  one.visit([](const auto& name, auto value) {
    if constexpr (requires { value.data; }) {
      if (std::string(name) == "update.0.quasi_global_momentum") {
        for (std::size_t k = 0; k < value.size; ++k) CHECK(value.data[k] == 0.0);
      }
    }
  });
}

TEST_CASE("coefficients out of range are refused with their value") {
  const quadratics q(1, 5, 2);
  CHECK_THROWS_WITH(after(momentum{1.0}, q, 1), Catch::Contains("momentum: beta is 1"));
  CHECK_THROWS_WITH(after(nesterov{-0.1}, q, 1), Catch::Contains("nesterov: beta is -0.1"));
  CHECK_THROWS_WITH(after(quasi_global_momentum{0.9, 1.5}, q, 1), Catch::Contains("mu is 1.5"));
  CHECK_THROWS_WITH(after(weight_decay{-1.0}, q, 1), Catch::Contains("rate is -1"));
  CHECK_THROWS_WITH(after(clip_norm{-1.0}, q, 1), Catch::Contains("max_norm is -1"));
}

}  // namespace
