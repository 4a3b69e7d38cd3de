// SAM and ASAM against their formulas.
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/gradient/asam.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/gradient/sam.hpp"
#include "polder/mixing/none.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"

namespace {

using namespace polder;
using polder::test::quadratics;

/// Counts evaluations; optionally two tensors, the second without "weight" in its name.
struct watched {
  quadratics::objective f;
  mutable int evaluations = 0;
  bool named = false;
  double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
    ++evaluations;
    return f.loss_and_gradient(x, g);
  }
  [[nodiscard]] polder::layout layout() const {
    if (!named) return polder::layout(f.all->dimension);
    polder::layout tensors;
    tensors.add("a.weight", {3});
    tensors.add("a.bias", {2});
    return tensors;
  }
};

/// The gradient that the rule hands to the update: with lr = 1 and no momentum it is x - x_next.
template <class Gradient, class F>
std::vector<double> gradient_by(const Gradient& rule, F& f, const std::vector<double>& x) {
  const reference_backend backend;
  self<> comm;
  const auto weights = topology::mixing_matrix::metropolis(topology::ring(1));
  worker one(algorithm{rule, chain<>{}, none{}}, backend, comm, weights, f, std::span<const double>(x),
             worker_options{.lr = {.base = 1.0}});
  one.step();
  std::vector<double> g(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) g[k] = x[k] - one.x().data[k];
  return g;
}

const std::vector<double> x0{0.5, -1.0, 2.0, 0.25, -0.75};

TEST_CASE("on a quadratic the SAM gradient is H x + rho H H x / |H x|") {
  const quadratics q(1, 5, 3);
  for (const double rho : {0.0, 0.05, 0.7}) {
    CAPTURE(rho);
    watched f{q.of(0)};
    const auto g = q.gradient(0, x0);
    double norm = 0.0;
    for (const double v : g) norm += v * v;
    norm = std::sqrt(norm);
    const auto actual = gradient_by(sam{rho}, f, x0);
    for (std::size_t r = 0; r < 5; ++r) {
      double hg = 0.0;
      for (std::size_t k = 0; k < 5; ++k) hg += q.hessians[0][r * 5 + k] * g[k];
      CHECK(actual[r] == Approx(g[r] + rho * hg / norm).epsilon(1e-13));
    }
    CHECK(f.evaluations == (rho == 0.0 ? 1 : 2));
  }
}

TEST_CASE("ASAM scales the radius by |x| + eta in weight tensors and by 1 in the others") {
  const quadratics q(1, 5, 4);
  for (const bool all : {false, true}) {
    CAPTURE(all);
    watched f{q.of(0), 0, true};
    const double rho = 0.5, eta = 0.01;
    const auto g = q.gradient(0, x0);
    std::vector<double> t(5), up = x0;
    double norm = 0.0;
    for (std::size_t k = 0; k < 5; ++k) {
      t[k] = all || k < 3 ? std::abs(x0[k]) + eta : 1.0;
      norm += t[k] * g[k] * t[k] * g[k];
    }
    for (std::size_t k = 0; k < 5; ++k) up[k] += rho * t[k] * t[k] * g[k] / std::sqrt(norm);
    const auto expected = q.gradient(0, up);
    const auto actual = gradient_by(asam{.rho = rho, .eta = eta, .all_adaptive = all}, f, x0);
    for (std::size_t k = 0; k < 5; ++k) CHECK(actual[k] == Approx(expected[k]).epsilon(1e-13));
    CHECK(f.evaluations == 2);
  }
}

TEST_CASE("without a gradient, or with weights all zero in ASAM, there is no ascent") {
  const quadratics q(1, 5, 3);
  watched f{q.of(0)};
  const auto at_optimum = gradient_by(sam{0.5}, f, q.optima[0]);
  for (const double g : at_optimum) CHECK(g == 0.0);
  const std::vector<double> zero(5, 0.0);
  CHECK(gradient_by(asam{.eta = 0.0}, f, zero) == gradient_by(plain{}, f, zero));
}

TEST_CASE("rho = 0 with the second pass forced gives the same bits and two evaluations") {
  const quadratics q(1, 5, 9);
  watched once{q.of(0)}, twice{q.of(0)}, adaptive{q.of(0)};
  const auto expected = gradient_by(plain{}, once, x0);
  CHECK(gradient_by(sam{0.0, true}, twice, x0) == expected);
  CHECK(gradient_by(asam{.rho = 0.0, .force_second_pass = true}, adaptive, x0) == expected);
  CHECK(twice.evaluations == 2);
  CHECK(adaptive.evaluations == 2);
}

struct broken {
  double loss;
  double slope;
  double loss_and_gradient(std::span<const double>, std::span<double> g) const {
    for (double& v : g) v = slope;
    return loss;
  }
};

TEST_CASE("a loss or gradient that is not finite stops the run and names worker, step and value") {
  broken nan_loss{std::numeric_limits<double>::quiet_NaN(), 1.0},
      infinite{1.0, std::numeric_limits<double>::infinity()};
  CHECK_THROWS_WITH(gradient_by(plain{}, nan_loss, x0), Catch::Contains("worker 0, step 0") && Catch::Contains("nan"));
  CHECK_THROWS_WITH(gradient_by(sam{}, infinite, x0), Catch::Contains("worker 0, step 0") && Catch::Contains("inf"));
  CHECK_THROWS_AS(gradient_by(asam{}, infinite, x0), non_finite_error);
}

TEST_CASE("a loss that is not finite only uphill stops the run before its gradient spreads") {
  struct cliff {
    double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
      for (double& slope : g) slope = 1.0;
      return x[0] > 0.25 ? std::numeric_limits<double>::quiet_NaN() : 1.0;
    }
  };
  const std::vector<double> below(4, 0.0);
  const auto reached = [&](const auto& rule) {
    cliff f;
    return gradient_by(rule, f, below);
  };
  CHECK_THROWS_WITH(reached(sam{1.0}), Catch::Contains("worker 0, step 0: the loss uphill is nan"));
  CHECK_THROWS_WITH(reached(asam{.rho = 100.0, .eta = 1.0}), Catch::Contains("the loss uphill is nan"));
  CHECK_NOTHROW(reached(sam{0.1}));
}

TEST_CASE("a radius out of range is refused") {
  const quadratics q(1, 5, 3);
  watched f{q.of(0)};
  CHECK_THROWS_WITH(gradient_by(sam{-0.1}, f, x0), Catch::Contains("rho is -0.1"));
  CHECK_THROWS_WITH(gradient_by(asam{.rho = 0.1, .eta = -1.0}, f, x0), Catch::Contains("eta is -1"));
}

}  // namespace
