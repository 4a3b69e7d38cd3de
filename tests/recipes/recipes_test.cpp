// Every recipe against its stacked reference, and the identities between them.
#include <cmath>
#include <cstddef>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/core/schedule.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/none.hpp"
#include "polder/recipes/all_reduce.hpp"
#include "polder/recipes/d_psgd.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/recipes/dsgdm_n.hpp"
#include "polder/recipes/local_sgd.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/recipes/qgm.hpp"
#include "polder/topology/graphs.hpp"
#include "recipes/setting.hpp"
#include "recipes/stacked_reference.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

/// In double the two differ by the order of a few sums: 60 steps of a contraction keep that near 1e-15. In float each
/// of the 60 steps rounds parameters of size 1 (6e-8), QGM divides differences of neighbors by eta = 0.01.
template <class Algorithm>
void agrees(const setting& s, const Algorithm& parts, const rows& expected) {
  CHECK(largest_difference(s.train<double>(reference_backend{}, parts), expected) < 1e-12);
  CHECK(largest_difference(s.train<double>(eigen_backend{}, parts), expected) < 1e-12);
  CHECK(largest_difference(s.train<float>(reference_backend{}, parts), expected) < 2e-5);
  CHECK(largest_difference(s.train<float>(eigen_backend{}, parts), expected) < 2e-5);
}

TEST_CASE("each gossip recipe follows its formulas on a ring and on an irregular graph") {
  for (const bool regular : {true, false}) {
    const setting s(regular ? ring() : irregular());
    for (const double gamma : {1.0, 0.6}) {
      CAPTURE(regular, gamma);
      agrees(s, recipes::d_psgd({.weight_decay = wd, .gamma = gamma}),
             stacked_d_psgd(s.problem, s.start(), steps, gamma));
      agrees(s, recipes::dsgdm_n({.beta = 0.8, .weight_decay = wd, .gamma = gamma}),
             stacked_dsgdm_n(s.problem, s.start(), steps, 0.8, gamma));
      for (const bool nesterov : {true, false}) {
        agrees(s, recipes::qgm({.beta = 0.8, .mu = 0.7, .nesterov = nesterov, .weight_decay = wd, .gamma = gamma}),
               stacked_qgm(s.problem, s.start(), steps, 0.8, 0.7, nesterov, 0.0, gamma));
        agrees(s,
               recipes::q_saddle(
                   {.rho = 0.3, .beta = 0.8, .mu = 0.7, .nesterov = nesterov, .weight_decay = wd, .gamma = gamma}),
               stacked_qgm(s.problem, s.start(), steps, 0.8, 0.7, nesterov, 0.3, gamma));
      }
    }
  }
}

TEST_CASE("each averaging recipe follows its formulas") {
  const setting s(ring());
  const auto no_push = [](std::size_t) { return 0.0; };
  agrees(s, recipes::all_reduce({.beta = 0.8, .weight_decay = wd}),
         stacked_pull_push(s.problem, s.start(), steps, 1, 0.8, 1.0, no_push, false));
  for (const std::size_t tau : {std::size_t{1}, std::size_t{4}, std::size_t{7}}) {
    CAPTURE(tau);
    agrees(s, recipes::local_sgd({.tau = tau, .alpha = 1.0, .beta = 0.8, .weight_decay = wd}),
           stacked_pull_push(s.problem, s.start(), steps, tau, 0.8, 1.0, no_push, false));
    agrees(s, recipes::local_sgd({.tau = tau, .alpha = 0.3, .beta = 0.8, .weight_decay = wd}),
           stacked_pull_push(s.problem, s.start(), steps, tau, 0.8, 0.3, no_push, false));
    const double rounds = static_cast<double>((steps + tau - 1) / tau);
    for (const bool exact : {false, true}) {
      CAPTURE(exact);
      agrees(s,
             recipes::dppf(
                 {.tau = tau, .alpha = 0.1, .lambda = 0.2, .exact_push = exact, .beta = 0.8, .weight_decay = wd}),
             stacked_pull_push(
                 s.problem, s.start(), steps, tau, 0.8, 0.1, [](std::size_t) { return 0.2; }, exact));
      for (const bool increasing : {true, false}) {
        agrees(s,
               recipes::dppf({.tau = tau,
                              .alpha = 0.1,
                              .lambda = 0.2,
                              .schedule = increasing ? push_schedule::increasing : push_schedule::decreasing,
                              .exact_push = exact,
                              .beta = 0.8,
                              .weight_decay = wd}),
               stacked_pull_push(
                   s.problem, s.start(), steps, tau, 0.8, 0.1,
                   [&](std::size_t k) {
                     const double c = std::cos(M_PI * static_cast<double>(k) / rounds);
                     return 0.1 * (increasing ? 1.0 - c : 1.0 + c);
                   },
                   exact));
      }
      agrees(s,
             recipes::dppf({.tau = tau,
                            .alpha = 0.1,
                            .lambda = 0.2,
                            .exact_push = exact,
                            .start_round = 3,
                            .beta = 0.8,
                            .weight_decay = wd}),
             stacked_pull_push(
                 s.problem, s.start(), steps, tau, 0.8, 0.1, [](std::size_t k) { return k < 3 ? 0.0 : 0.2; }, exact));
    }
  }
}

TEST_CASE("combine-then-step gossip mixes the parameters before the step") {
  const setting s(irregular());
  rows x = s.start();
  for (std::size_t t = 0; t < steps; ++t) {
    rows next = mix(s.problem, x, 0.9);
    for (std::size_t i = 0; i < workers; ++i) {
      const auto g = s.f.gradient(i, x[i]);
      for (std::size_t k = 0; k < dimension; ++k) next[i][k] -= s.problem.lr(t) * g[k];
    }
    x = next;
  }
  agrees(s, algorithm{plain{}, chain<>{}, gossip{.gamma = 0.9, .of = mixed::before_step}}, x);
}

TEST_CASE("quasi-global momentum over rounds of several steps sees the displacement of the round") {
  const setting s(ring());
  const std::size_t tau = 3;
  rows x = s.start(), m_hat = zeros_like(s.problem), round_start = x;
  double round_lr = 0.0;
  for (std::size_t t = 0; t < steps; ++t) {
    round_lr += s.problem.lr(t);
    rows half = x;
    for (std::size_t i = 0; i < workers; ++i) {
      const auto g = s.f.gradient(i, x[i]);
      for (std::size_t k = 0; k < dimension; ++k) {
        half[i][k] = x[i][k] - s.problem.lr(t) * (g[k] + 0.8 * (0.8 * m_hat[i][k] + g[k]));
      }
    }
    x = half;
    if ((t + 1) % tau != 0 && t + 1 != steps) continue;
    x = mix(s.problem, half, 1.0);
    for (std::size_t i = 0; i < workers; ++i) {
      for (std::size_t k = 0; k < dimension; ++k) {
        m_hat[i][k] = 0.7 * m_hat[i][k] + 0.3 * (round_start[i][k] - x[i][k]) / round_lr;
      }
    }
    round_start = x;
    round_lr = 0.0;
  }
  agrees(s, algorithm{plain{}, quasi_global_momentum{0.8, 0.7}, every{tau, gossip{}}}, x);
}

TEST_CASE("rho = 0 is quasi-global momentum bit for bit, also when both passes are forced") {
  const setting s(ring());
  const auto base = s.train<float>(eigen_backend{}, recipes::qgm({.weight_decay = wd}));
  CHECK(s.train<float>(eigen_backend{}, recipes::q_saddle({.rho = 0.0, .weight_decay = wd})) == base);
  CHECK(s.train<float>(eigen_backend{},
                       recipes::q_saddle({.rho = 0.0, .weight_decay = wd, .force_second_pass = true})) == base);
  CHECK(s.train<float>(eigen_backend{}, recipes::q_saddle({.rho = 1e-3, .weight_decay = wd})) != base);
}

TEST_CASE("lambda = 0 is the soft average bit for bit, and with alpha = 1 Local SGD") {
  const setting s(ring());
  for (const double alpha : {0.3, 1.0}) {
    CAPTURE(alpha);
    const auto base = s.train<float>(eigen_backend{}, recipes::local_sgd({.alpha = alpha}));
    CHECK(s.train<float>(eigen_backend{}, recipes::dppf({.alpha = alpha, .lambda = 0.0})) == base);
    CHECK(s.train<float>(eigen_backend{}, recipes::dppf({.alpha = alpha, .lambda = 1e-3})) != base);
  }
}

TEST_CASE("beta = 0: quasi-global momentum is D-PSGD bit for bit") {
  const setting s(irregular());
  CHECK(s.train<double>(eigen_backend{}, recipes::qgm({.beta = 0.0})) ==
        s.train<double>(eigen_backend{}, recipes::d_psgd()));
}

TEST_CASE("mu = 0, plain form: heavy ball on the total displacement") {
  const setting s(ring());
  rows x = s.start(), before = x;
  for (std::size_t t = 0; t < steps; ++t) {
    rows half = x;
    // m_hat = (x_prev - x) / eta_prev, so the momentum term is -eta beta m_hat = beta (eta / eta_prev) (x - x_prev)
    const double ratio = t == 0 ? 0.0 : s.problem.lr(t) / s.problem.lr(t - 1);
    for (std::size_t i = 0; i < workers; ++i) {
      const auto g = s.f.gradient(i, x[i]);
      for (std::size_t k = 0; k < dimension; ++k) {
        half[i][k] = x[i][k] - s.problem.lr(t) * g[k] + 0.8 * ratio * (x[i][k] - before[i][k]);
      }
    }
    before = x;
    x = mix(s.problem, half, 1.0);
  }
  agrees(s, recipes::qgm({.beta = 0.8, .mu = 0.0, .nesterov = false}), x);
}

TEST_CASE("one worker: quasi-global momentum is quasi-hyperbolic momentum") {
  const quadratics f(1, dimension, 11);
  const double beta = 0.9, mu = 0.8, eta = 0.02;
  const double beta_h = 1.0 - (1.0 - mu) * (1.0 - beta), nu = beta / beta_h;
  std::vector<double> x(dimension, 1.0), h(dimension, 0.0);
  for (int t = 0; t < 200; ++t) {
    const auto g = f.gradient(0, x);
    for (std::size_t k = 0; k < dimension; ++k) {
      h[k] = beta_h * h[k] + (1.0 - beta_h) * g[k];
      x[k] -= eta / (1.0 - beta) * (nu * h[k] + (1.0 - nu) * g[k]);
    }
  }
  const auto trained = train_team(
      reference_backend{}, algorithm{plain{}, quasi_global_momentum{beta, mu, false}, none{}},
      mixing_matrix::metropolis(topology::ring(1)), equal_start<double>(1, std::vector<double>(dimension, 1.0)),
      [&](int i) { return f.of(i); }, 200, {.lr = {.base = eta}});
  CHECK(largest_difference(trained, {x}) < 1e-13);
}

TEST_CASE("workers with equal data and equal models stay equal, bit for bit") {
  const quadratics f(1, dimension, 5);
  const auto same = [&](int) { return f.of(0); };
  const auto all_equal = [&](const auto& parts) {
    const auto x =
        train_team(eigen_backend{}, parts, ring(), equal_start<float>(workers, std::vector<float>(dimension, 1.0f)),
                   same, 50, {.lr = {.base = 0.05}});
    for (const auto& row : x) {
      if (row != x.front()) return false;
    }
    return true;
  };
  CHECK(all_equal(recipes::d_psgd()));
  CHECK(all_equal(recipes::dsgdm_n()));
  CHECK(all_equal(recipes::qgm()));
  CHECK(all_equal(recipes::q_saddle()));
  CHECK(all_equal(recipes::local_sgd()));
  CHECK(all_equal(recipes::dppf()));
}

TEST_CASE("gossip leaves the mean of the workers where it is") {
  const setting s(irregular());
  rows start;
  random_stream random({19, purpose::test});
  for (std::size_t i = 0; i < workers; ++i) {
    start.emplace_back();
    for (std::size_t k = 0; k < dimension; ++k) start.back().push_back(random.normal());
  }
  const auto mixed_rows = train_team(reference_backend{}, recipes::d_psgd({.gamma = 0.7}), s.weights, start,
                                     [&](int i) { return s.f.of(i); }, 25, {.lr = {.base = 0.0}});
  const auto before = mean_of(start), after = mean_of(mixed_rows);
  for (std::size_t k = 0; k < dimension; ++k) CHECK(after[k] == within(before[k], 1e-14));
  CHECK(mixed_rows != start);
}

TEST_CASE("Local SGD with tau = 1 and local momentum is synchronous data-parallel SGD") {
  const setting s(ring());
  std::vector<double> x = s.x0, v(dimension, 0.0);
  for (std::size_t t = 0; t < steps; ++t) {
    std::vector<double> g(dimension, 0.0);
    for (std::size_t i = 0; i < workers; ++i) {
      const auto part = s.f.gradient(i, x);
      for (std::size_t k = 0; k < dimension; ++k) g[k] += part[k] / static_cast<double>(workers);
    }
    for (std::size_t k = 0; k < dimension; ++k) {
      const double decayed = g[k] + wd * x[k];
      v[k] = 0.8 * v[k] + decayed;
      x[k] -= s.problem.lr(t) * (decayed + 0.8 * v[k]);
    }
  }
  agrees(s, recipes::local_sgd({.tau = 1, .beta = 0.8, .weight_decay = wd}), rows(workers, x));
  agrees(s, recipes::all_reduce({.beta = 0.8, .weight_decay = wd}), rows(workers, x));
}

TEST_CASE("one worker of DPPF is plain momentum SGD") {
  const quadratics f(1, dimension, 5);
  const auto train = [&](const auto& parts) {
    return train_team(eigen_backend{}, parts, mixing_matrix::metropolis(topology::ring(1)),
                      equal_start<float>(1, std::vector<float>(dimension, 1.0f)), [&](int i) { return f.of(i); }, 40,
                      {.lr = {.base = 0.05}});
  };
  CHECK(train(recipes::dppf({.lambda = 0.7})) == train(algorithm{plain{}, nesterov{0.9}, none{}}));
}

}  // namespace
