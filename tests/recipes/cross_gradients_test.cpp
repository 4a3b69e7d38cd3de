// The recipes of cross-gradients against their stacked references, and the identities between them.
#include <cmath>
#include <cstddef>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/core/schedule.hpp"
#include "polder/mixing/every.hpp"
#include "polder/recipes/cga.hpp"
#include "polder/recipes/n_saddle.hpp"
#include "polder/recipes/ngm.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/update/quasi_global_momentum.hpp"
#include "recipes/setting.hpp"
#include "recipes/stacked_cross_gradients.hpp"
#include "recipes/tensor_setting.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

/// As for the other recipes: in double the two differ by the order of sums, in float by the rounding of 60 steps. Both
/// backends give the same bits.
template <class Algorithm>
void agrees(const tensor_setting& s, const Algorithm& parts, const rows& expected, double tolerance = 1e-12) {
  const auto in_double = s.train<double>(reference_backend{}, parts);
  const auto in_float = s.train<float>(reference_backend{}, parts);
  CHECK(largest_difference(in_double, expected) < tolerance);
  CHECK(largest_difference(in_float, expected) < 2e-5);
  CHECK(s.train<double>(eigen_backend{}, parts) == in_double);
  CHECK(s.train<float>(eigen_backend{}, parts) == in_float);
}

constexpr quasi_global_momentum quasi_global{.beta = 0.8, .mu = 0.7};

TEST_CASE("NGM follows its formulas: data-variant, model-variant and a blend") {
  for (const bool regular : {true, false}) {
    const tensor_setting s(regular ? ring() : irregular());
    for (const double a : {1.0, 0.0, 0.3}) {
      CAPTURE(regular, a);
      agrees(s, recipes::ngm({.data_share = a, .weight_decay = wd}, nesterov{0.8}), s.expected({s.mean(a)}));
      agrees(s, recipes::ngm({.data_share = a, .weight_decay = wd}, momentum{0.8}),
             s.expected({.aggregate = s.mean(a), .momentum = memory::heavy_ball}));
      agrees(s, recipes::ngm({.data_share = a, .weight_decay = wd}, quasi_global),
             s.expected({.aggregate = s.mean(a), .momentum = memory::quasi_global}));
      agrees(s, recipes::ngm({.data_share = a, .weight_decay = wd, .gamma = 0.6}, quasi_global),
             s.expected({.aggregate = s.mean(a), .momentum = memory::quasi_global, .gamma = 0.6}));
    }
  }
}

TEST_CASE("NGM adapts then combines, or takes its own gradient at the mixed point, if asked to") {
  for (const bool regular : {true, false}) {
    const tensor_setting s(regular ? ring() : irregular());
    for (const double a : {1.0, 0.0}) {
      CAPTURE(regular, a);
      agrees(s, recipes::ngm({.data_share = a, .weight_decay = wd, .gamma = 0.6, .of = mixed::half_step}, quasi_global),
             s.expected({.aggregate = s.mean(a),
                         .momentum = memory::quasi_global,
                         .sequence = order::adapt_then_combine,
                         .gamma = 0.6}));
      agrees(s,
             recipes::ngm({.data_share = a, .weight_decay = wd, .gamma = 0.6, .own = self_point::mixed}, nesterov{0.8}),
             s.expected({.aggregate = s.mean(a), .sequence = order::gradient_at_mixed, .gamma = 0.6}));
    }
  }
}

// Where a tensor has fewer numbers than there are neighbors, only the 1e-12 on the diagonal of K tells the solutions of
// the program apart, and two ways to solve it leave that much between their results.
TEST_CASE("CGA follows its formulas, tensor by tensor") {
  const double tolerance = 1e-10;
  for (const bool regular : {true, false}) {
    CAPTURE(regular);
    const tensor_setting s(regular ? ring() : irregular());
    agrees(s, recipes::cga({.weight_decay = wd}, nesterov{0.8}), s.expected({s.program()}), tolerance);
    agrees(s, recipes::cga({.weight_decay = wd, .gamma = 0.6}, quasi_global),
           s.expected({.aggregate = s.program(), .momentum = memory::quasi_global, .gamma = 0.6}), tolerance);
    agrees(
        s, recipes::cga({.weight_decay = wd, .of = mixed::half_step}, momentum{0.8}),
        s.expected({.aggregate = s.program(), .momentum = memory::heavy_ball, .sequence = order::adapt_then_combine}),
        tolerance);
  }
}

TEST_CASE("N-SADDLe follows its formulas, with SAM in all gradients or in the own one only") {
  for (const bool regular : {true, false}) {
    const tensor_setting s(regular ? ring() : irregular());
    for (const bool plain_cross : {false, true}) {
      CAPTURE(regular, plain_cross);
      const double rho_cross = plain_cross ? 0.0 : 0.3;
      agrees(s, recipes::n_saddle({.rho = 0.3, .plain_cross = plain_cross, .weight_decay = wd}, nesterov{0.8}),
             s.expected({.aggregate = s.mean(1.0), .rho_own = 0.3, .rho_cross = rho_cross}));
      agrees(
          s,
          recipes::n_saddle({.rho = 0.3, .plain_cross = plain_cross, .weight_decay = wd, .gamma = 0.6}, quasi_global),
          s.expected({.aggregate = s.mean(1.0),
                      .rho_own = 0.3,
                      .rho_cross = rho_cross,
                      .momentum = memory::quasi_global,
                      .gamma = 0.6}));
      agrees(s,
             recipes::n_saddle({.rho = 0.3, .plain_cross = plain_cross, .weight_decay = wd, .of = mixed::half_step},
                               nesterov{0.8}),
             s.expected({.aggregate = s.mean(1.0),
                         .rho_own = 0.3,
                         .rho_cross = rho_cross,
                         .sequence = order::adapt_then_combine}));
    }
  }
}

TEST_CASE("cross-gradients in every step go with mixing every few steps") {
  const tensor_setting s(irregular());
  const std::size_t tau = 3;
  rows x(workers, s.x0);
  for (std::size_t t = 0; t < steps; ++t) {
    crossed g(workers, rows(workers));
    for (std::size_t i = 0; i < workers; ++i) {
      for (std::size_t j = 0; j < workers; ++j) g[i][j] = s.f.gradient(i, x[j]);
    }
    rows next = (t + 1) % tau == 0 || t + 1 == steps ? mix(s.problem, x, 1.0) : x;
    for (std::size_t i = 0; i < workers; ++i) {
      const auto whole = s.mean(0.5)(i, g);
      for (std::size_t k = 0; k < dimension; ++k) next[i][k] -= s.problem.lr(t) * whole[k];
    }
    x = next;
  }
  agrees(s,
         algorithm{cross_gradients<plain>{.data_share = 0.5}, chain<>{}, every{tau, gossip{.of = mixed::before_step}}},
         x);
}

TEST_CASE("rho = 0 is NGM bit for bit, also when all passes are forced") {
  for (const bool regular : {true, false}) {
    const tensor_setting s(regular ? ring() : irregular());
    for (const bool plain_cross : {false, true}) {
      const auto n_saddle = [&](double rho, bool force) {
        return s.train<float>(
            eigen_backend{},
            recipes::n_saddle(
                {.rho = rho, .plain_cross = plain_cross, .weight_decay = wd, .force_second_pass = force}));
      };
      const auto base = s.train<float>(eigen_backend{}, recipes::ngm({.weight_decay = wd}));
      CHECK(n_saddle(0.0, false) == base);
      CHECK(n_saddle(0.0, true) == base);
      CHECK(n_saddle(1e-3, false) != base);
    }
  }
}

TEST_CASE("mixing the parameters before the step gives the same bits whether the exchange is shared or not") {
  // a = 1 keeps the mixture, a = 0 the neighbors' parameters; with equal quadratics both means are the own gradient, and
  // plain gradients with a gossip that exchanges for itself are the third way.
  const quadratics f(1, dimension, 5);
  rows start;
  random_stream random({19, purpose::test});
  for (std::size_t i = 0; i < workers; ++i) {
    start.emplace_back();
    for (std::size_t k = 0; k < dimension; ++k) start.back().push_back(random.normal());
  }
  const auto train = [&](const auto& rule) {
    return train_team(eigen_backend{}, algorithm{rule, chain<>{}, gossip{.gamma = 0.7, .of = mixed::before_step}},
                      irregular(), start, [&](int) { return f.of(0); }, 20, {.lr = {.base = 0.0}});
  };
  const auto alone = train(plain{});
  CHECK(train(cross_gradients{}) == alone);
  CHECK(train(cross_gradients<plain>{.data_share = 0.0}) == alone);
  CHECK(train(cross_gradients<plain>{.data_share = 0.0, .own = self_point::mixed}) == alone);
  CHECK(alone != start);
}

TEST_CASE("with cross-gradients, too, workers with equal data and equal models stay equal, bit for bit") {
  const quadratics f(1, dimension, 5);
  const auto all_equal = [&](const auto& parts) {
    const auto x =
        train_team(eigen_backend{}, parts, ring(), equal_start<float>(workers, std::vector<float>(dimension, 1.0f)),
                   [&](int) { return f.of(0); }, 50, {.lr = {.base = 0.05}});
    for (const auto& row : x) {
      if (row != x.front()) return false;
    }
    return x.front() != std::vector<float>(dimension, 1.0f);
  };
  CHECK(all_equal(recipes::ngm()));
  CHECK(all_equal(recipes::ngm({.data_share = 0.0})));
  CHECK(all_equal(recipes::cga()));
  CHECK(all_equal(recipes::n_saddle()));
}

}  // namespace
