// Cross-gradients: closed forms, what a step evaluates and sends, and what is refused.
#include "polder/gradient/cross_gradients.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "polder/backend/counting.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/comm/counted.hpp"
#include "polder/comm/recorded.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/comm/self.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/gradient/asam.hpp"
#include "polder/gradient/sam.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/choco_before_step.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/mixing/none.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/recipes/n_saddle.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

constexpr std::size_t dimension = 40;
constexpr gossip before_step{.of = mixed::before_step};

/// What worker i hands to the update: with lr = 1, no momentum and no mixing it is x - x_next.
template <class T, class Gradient, class F>
stacked<T> gradients_of(const Gradient& rule, const mixing_matrix& weights, const stacked<T>& x, F make_objective) {
  stacked<T> g = train_team(reference_backend{}, algorithm{rule, chain<>{}, none{}}, weights, x, make_objective, 1,
                            {.lr = {.base = 1.0}});
  for (std::size_t i = 0; i < g.size(); ++i) {
    for (std::size_t k = 0; k < g[i].size(); ++k) g[i][k] = x[i][k] - g[i][k];
  }
  return g;
}

/// A gradient that does not depend on x: exact in any arithmetic.
struct slope {
  std::vector<float> g;
  std::size_t tensors = 1;
  double loss_and_gradient(std::span<const float>, std::span<float> to) const {
    std::copy(g.begin(), g.end(), to.begin());
    return 1.0;
  }
  [[nodiscard]] polder::layout layout() const {
    polder::layout table;
    for (std::size_t t = 0; t < tensors; ++t) table.add("t", {g.size() / tensors});
    return table;
  }
};

TEST_CASE("equal data and equal models: the mean is the own gradient, the program on a ring 2/3 of it") {
  const auto ring = mixing_matrix::metropolis(topology::ring(8));
  const stacked<float> x(8, std::vector<float>(6, 0.0f));
  const slope f{{3.0f, -1.5f, 0.75f, 6.0f, -12.0f, 0.375f}, 2};
  const auto same = [&](int) { return f; };
  for (const double a : {1.0, 0.0, 0.25}) {
    for (const auto& g : gradients_of(cross_gradients<plain>{.data_share = a}, ring, x, same)) CHECK(g == f.g);
  }
  const auto by_program = gradients_of(cross_gradients<plain>{.by = cross_aggregate::quadratic_program}, ring, x, same);
  for (const auto& g : by_program) {
    for (std::size_t k = 0; k < g.size(); ++k) CHECK(g[k] == Approx(f.g[k] * 2.0f / 3.0f).epsilon(1e-7));
  }
}

TEST_CASE("tensors are programs of their own, and gradients that are zero are no rows of them") {
  // 3 workers that all know each other, weights 1/3. Worker 0 has g = (6; 6), worker 1 (-12; 0), worker 2 (0; 0), in two
  // tensors of one number. First: b = 2, one row M = -4: v = max(1/2, 8 / 16), so G = 2 - 4 v = 0. Second: no rows, G = 2.
  const auto weights = mixing_matrix::metropolis(topology::complete(3));
  const std::vector<slope> f{{{6.0f, 6.0f}, 2}, {{-12.0f, 0.0f}, 2}, {{0.0f, 0.0f}, 2}};
  const stacked<float> x(3, std::vector<float>(2, 0.0f));
  const auto g = gradients_of(cross_gradients<plain>{.by = cross_aggregate::quadratic_program}, weights, x,
                              [&](int i) { return f[static_cast<std::size_t>(i)]; });
  CHECK(g[0][0] == within(0.0f, 1e-6));
  CHECK(g[0][1] == Approx(2.0f));
  // Worker 1: b = (-4; 0), the row of worker 0 (2; 2), that of worker 2 zero. First: v = max(1/2, 8 / 4) = 2, G = 0.
  // Second: v = 1/2, G = 1.
  CHECK(g[1][0] == within(0.0f, 1e-6));
  CHECK(g[1][1] == Approx(1.0f));
  // Worker 2: b = 0; first rows (2), (-4) with the least of |2 v - 4 w|^2 at v = 1, w = 1/2; second one row (2): G = 1.
  CHECK(g[2][0] == within(0.0f, 1e-6));
  CHECK(g[2][1] == Approx(1.0f));
}

TEST_CASE("a worker without neighbors has its own gradient") {
  const quadratics q(1, dimension, 3);
  const auto alone = mixing_matrix::metropolis(topology::ring(1));
  const stacked<double> x(1, std::vector<double>(dimension, 1.0));
  const auto of = [&](int i) { return q.of(i); };
  const auto expected = gradients_of(plain{}, alone, x, of);
  CHECK(gradients_of(cross_gradients{}, alone, x, of) == expected);
  CHECK(gradients_of(cross_gradients<plain>{.by = cross_aggregate::quadratic_program}, alone, x, of) == expected);
  CHECK(gradients_of(cross_gradients{sam{}}, alone, x, of) == gradients_of(sam{}, alone, x, of));
}

TEST_CASE("any rule that takes the gradient at a point can be inside") {
  const quadratics q(4, dimension, 3);
  const auto weights = mixing_matrix::metropolis(topology::complete(4));
  const stacked<double> x(4, std::vector<double>(dimension, 1.0));  // equal: g_ij is worker i's gradient at its own x
  const auto of = [&](int i) { return q.of(i); };
  const auto own = gradients_of(asam{}, weights, x, of);
  const auto mean = gradients_of(cross_gradients{asam{}}, weights, x, of);
  for (std::size_t k = 0; k < dimension; ++k) {
    const double expected = (own[0][k] + own[1][k] + own[2][k] + own[3][k]) / 4.0;
    for (std::size_t i = 0; i < 4; ++i) CHECK(mean[i][k] == Approx(expected).epsilon(1e-12));
  }
}

struct counts {
  double evaluations;  ///< per worker and step
  double least_sent;   ///< vectors to each neighbor and step, by the worker that sends least
  double most_sent;
  double messages;  ///< to each neighbor and step, by all workers in the mean
  std::string disagreement;
};

/// What 10 steps on a 3 x 3 torus cost.
template <class Algorithm>
counts costs_of(const Algorithm& parts) {
  const quadratics q(9, dimension, 5);
  const auto weights = mixing_matrix::metropolis(topology::torus(3, 3));
  std::atomic<int> evaluations{0};
  std::vector<double> sent(9), messages(9);
  std::vector<std::vector<recorded_call>> logs(9);
  struct watched {
    quadratics::objective f;
    std::atomic<int>* evaluations;
    double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
      ++*evaluations;
      return f.loss_and_gradient(x, g);
    }
  };
  run_workers(9, [&](auto& inner) {
    counted counting(inner);
    recorded comm(counting);
    watched f{q.of(comm.rank()), &evaluations};
    const std::vector<float> x0(dimension, 1.0f);
    {
      worker one(parts, eigen_backend{}, comm, weights, f, std::span<const float>(x0), {.lr = {.base = 0.01}});
      for (int t = 0; t < 10; ++t) one.step();
    }
    const auto rank = static_cast<std::size_t>(comm.rank());
    sent[rank] = static_cast<double>(counting.bytes_sent()) / (4.0 * 10.0 * 4.0 * dimension);
    messages[rank] = static_cast<double>(counting.messages_sent()) / (4.0 * 10.0);
    logs[rank] = comm.calls();
  });
  const auto [least, most] = std::minmax_element(sent.begin(), sent.end());
  const double all_messages = std::accumulate(messages.begin(), messages.end(), 0.0);
  return {evaluations / 90.0, *least, *most, all_messages / 9.0, disagreement(logs)};
}

TEST_CASE("a step evaluates 1 + K times and sends two vectors to each neighbor, one without the way back") {
  const auto check = [](const auto& rule, const auto& mixing, double evaluations, double sent) {
    const counts c = costs_of(algorithm{rule, momentum{}, mixing});
    CHECK(c.evaluations == evaluations);
    CHECK(c.least_sent == Approx(sent).epsilon(1e-12));
    CHECK(c.most_sent == Approx(sent).epsilon(1e-12));
    CHECK(c.disagreement == "");
  };
  const cross_gradients<plain> data{}, model{.data_share = 0.0}, blend{.data_share = 0.5};
  const cross_gradients<plain> program{.by = cross_aggregate::quadratic_program};
  check(data, before_step, 5.0, 2.0);
  check(program, before_step, 5.0, 2.0);
  check(blend, before_step, 5.0, 2.0);
  check(model, before_step, 5.0, 1.0);
  check(cross_gradients<plain>{.own = self_point::mixed}, before_step, 5.0, 2.0);
  check(cross_gradients<plain>{.data_share = 0.0, .own = self_point::mixed}, before_step, 5.0, 1.0);
  check(data, gossip{}, 5.0, 3.0);
  check(model, gossip{}, 5.0, 2.0);
  check(model, none{}, 5.0, 1.0);
  check(data, every{5, before_step}, 5.0, 2.0);
  check(model, every{5, gossip{}}, 5.0, 1.2);
  check(cross_gradients{sam{}}, before_step, 10.0, 2.0);
  check(cross_gradients{sam{.rho = 0.0}}, before_step, 5.0, 2.0);
  check(cross_gradients<sam>{.plain_cross = true}, before_step, 6.0, 2.0);
}

TEST_CASE("with compressors a step sends one message of each to each neighbor") {
  const auto check = [](const auto& rule, const auto& mixing, double evaluations, double messages, double bytes) {
    const counts c = costs_of(algorithm{rule, momentum{}, mixing});
    CHECK(c.evaluations == evaluations);
    CHECK(c.messages == Approx(messages).epsilon(1e-12));
    CHECK(c.least_sent * 4 * dimension == Approx(bytes).epsilon(1e-12));
    CHECK(c.most_sent * 4 * dimension == Approx(bytes).epsilon(1e-12));
    CHECK(c.disagreement == "");
  };
  // A header of 40 bytes; 40 signs and a scale; 40 numbers of 8 bits and a norm; 4 float32 and 4 offsets of 6 bits.
  constexpr double signs = 40 + 5 + 4, eight_bits = 40 + 40 + 4, largest = 40 + 3 + 16, whole = 4 * dimension;
  const error_feedback fed{sign{}};
  const choco_before_step quantized{qsgd{.bits = 8, .scale = scaling::contraction}};
  check(cross_gradients{plain{}, fed}, before_step, 5.0, 2.0, whole + signs);
  check(cross_gradients<plain, error_feedback<sign>>{.compress_own = true}, before_step, 5.0, 2.0, whole + signs);
  check(cross_gradients<plain, top_k>{.compressor = {.keep = 0.1}, .data_share = 0.5}, before_step, 5.0, 2.0,
        whole + largest);
  check(cross_gradients{plain{}, fed}, gossip{}, 5.0, 3.0, 2 * whole + signs);
  check(cross_gradients{plain{}, fed}, choco{sign{}}, 5.0, 3.0, whole + 2 * signs);
  check(cross_gradients{plain{}, fed}, quantized, 5.0, 2.0, eight_bits + signs);
  check(cross_gradients{sam{}, fed}, quantized, 10.0, 2.0, eight_bits + signs);
  check(cross_gradients{}, quantized, 5.0, 2.0, eight_bits + whole);
  check(cross_gradients<plain>{.data_share = 0.0}, quantized, 5.0, 1.0, eight_bits);
  check(cross_gradients<plain>{.own = self_point::mixed}, quantized, 5.0, 2.0, eight_bits + whole);
  check(plain{}, quantized, 1.0, 1.0, eight_bits);
  check(plain{}, every{5, quantized}, 1.0, 0.2, 0.2 * eight_bits);
  check(cross_gradients{plain{}, fed}, every{5, quantized}, 5.0, 2.0, eight_bits + signs);
}

TEST_CASE("the neighbors' parameters are let go before a reduction over all workers") {
  const counts c = costs_of(algorithm{cross_gradients<plain>{.data_share = 0.0}, chain<>{}, pull_push{}});
  CHECK(c.disagreement == "");
}

TEST_CASE("cross-gradients on a graph that changes from round to round") {
  // Two phases of pairs: a worker's neighbor of one round is not that of the next, nor need it be at the same place.
  const std::vector<std::vector<topology::edge>> phases{{{0, 1}, {1, 0}, {2, 3}, {3, 2}},
                                                        {{1, 2}, {2, 1}, {0, 3}, {3, 0}}};
  const auto weights = mixing_matrix::metropolis(topology::graph("pairs", 4, phases));
  const quadratics q(4, dimension, 5);
  const auto train = [&](const auto& backend) {
    return train_team(backend, algorithm{cross_gradients{}, chain<>{}, before_step}, weights,
                      equal_start<double>(4, std::vector<double>(dimension, 1.0)), [&](int i) { return q.of(i); }, 9,
                      {.lr = {.base = 0.05}});
  };
  std::vector<std::vector<double>> x(4, std::vector<double>(dimension, 1.0));
  for (std::size_t t = 0; t < 9; ++t) {
    auto next = x;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t j = t % 2 == 0 ? i ^ 1 : 3 - i;
      const auto own = q.gradient(i, x[i]), other = q.gradient(j, x[i]);
      for (std::size_t k = 0; k < dimension; ++k) {
        next[i][k] = 0.5 * (x[i][k] + x[j][k]) - 0.05 * 0.5 * (own[k] + other[k]);
      }
    }
    x = next;
  }
  const auto trained = train(reference_backend{});
  CHECK(train(eigen_backend{}) == trained);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t k = 0; k < dimension; ++k) CHECK(trained[i][k] == within(x[i][k], 1e-12));
  }
}

TEST_CASE("weights and parameters that do not suit are refused in a sentence") {
  const quadratics q(3, dimension, 3);
  const stacked<double> x(3, std::vector<double>(dimension, 1.0));
  const auto ring = mixing_matrix::metropolis(topology::ring(3));
  const auto train = [&](const auto& rule, const mixing_matrix& weights, const auto& mixing) {
    (void)train_team(
        reference_backend{}, algorithm{rule, chain<>{}, mixing}, weights, x, [&](int i) { return q.of(i); }, 1);
  };
  const std::vector<double> circle{0.5, 0.5, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0, 0.5};
  CHECK_THROWS_WITH(train(cross_gradients{}, mixing_matrix::from_dense(3, circle), before_step),
                    Catch::Contains("symmetric weights are needed (cross-gradients go back where the parameters came"));
  CHECK_THROWS_WITH(train(cross_gradients<plain>{.data_share = 1.5}, ring, before_step),
                    Catch::Contains("data_share is 1.5 but must be in [0, 1]"));
  CHECK_THROWS_WITH(
      train(cross_gradients<plain>{.data_share = 0.5, .by = cross_aggregate::quadratic_program}, ring, before_step),
      Catch::Contains("data_share is 0.5 but the quadratic program takes data-variant gradients only"));
  CHECK_THROWS_WITH(train(cross_gradients<plain>{.own = self_point::mixed}, ring, gossip{}),
                    Catch::Contains("gossip{.of = mixed::before_step}"));
  CHECK_THROWS_WITH(train(cross_gradients{sam{-1.0}}, ring, before_step), Catch::Contains("rho is -1"));
}

/// Finite at the worker's own parameters, which are all `own`.
struct fragile {
  float own;
  bool in_loss;
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    const bool bad = x[0] != own;
    for (float& v : g) v = bad && !in_loss ? std::numeric_limits<float>::infinity() : 1.0f;
    return bad && in_loss ? std::numeric_limits<double>::quiet_NaN() : 1.0;
  }
};

TEST_CASE("a loss or a row of a program that is not finite stops the run and names whose it is") {
  const auto ring = mixing_matrix::metropolis(topology::ring(2));
  const stacked<float> x{std::vector<float>(3, 0.0f), std::vector<float>(3, 1.0f)};
  const auto train = [&](bool in_loss) {
    (void)train_team(
        reference_backend{},
        algorithm{cross_gradients<plain>{.by = cross_aggregate::quadratic_program}, chain<>{}, before_step}, ring, x,
        [&](int i) {
          return fragile{static_cast<float>(i), in_loss};
        },
        1);
  };
  CHECK_THROWS_WITH(train(true),
                    Catch::Contains("step 0: the loss at the parameters of worker") && Catch::Contains("nan"));
  CHECK_THROWS_WITH(train(false),
                    Catch::Contains("step 0: the squared norm of the gradient of tensor x on the minibatch") &&
                        Catch::Contains("inf"));
}

}  // namespace
