// Pulls that go elsewhere than to the average, against closed forms: the gaps do not notice, centers follow their map.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "mixing/gaps.hpp"
#include "polder/backend/reference.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/elastic_center.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/objective/quadratic.hpp"
#include "polder/train/metrics.hpp"
#include "polder/update/chain.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::test;

/// A random loss for each step, and a constant gradient of its own for each worker and tensor. With a learning rate of 0
/// it moves nobody: it only chooses leaders and weights.
struct opinion {
  std::uint32_t worker = 0;
  std::vector<std::size_t> tensors{};  // sizes; none: one vector
  double loss = 0.0;

  void select_batch(std::uint64_t step) { loss = random_stream({11, purpose::test, step, worker}).normal(); }
  double loss_and_gradient(std::span<const double>, std::span<double> g) const {
    random_stream random({12, purpose::test, 0, worker});
    for (double& v : g) v = random.normal() * (1.0 + worker);
    return loss;
  }
  [[nodiscard]] polder::layout layout() const {
    polder::layout table;
    for (const std::size_t size : tensors) table.add(text("t", table.tensors().size()), {size});
    return table;
  }
};

template <class Mixing>
vectors settle(const vectors& start, const Mixing& rule, std::uint64_t rounds, std::vector<std::size_t> tensors = {}) {
  if (tensors.empty()) tensors = {start[0].size()};
  return train_team(reference_backend{}, algorithm{plain{}, chain<>{}, rule}, weights(start.size()), start,
                    [&](int i) {
                      return opinion{static_cast<std::uint32_t>(i), tensors};
                    },
                    rounds, {.lr = {.base = 0.0}});
}
double farthest(const vectors& a, const vectors& b) {
  double most = 0.0;
  for (std::size_t m = 0; m < a.size(); ++m) {
    for (std::size_t i = 0; i < a[m].size(); ++i) most = std::max(most, std::abs(a[m][i] - b[m][i]));
  }
  return most;
}
vectors gaps(const vectors& x) {
  vectors d;
  for (std::size_t m = 0; m < x.size(); ++m) d.push_back(gap(x, m));
  return d;
}

TEST_CASE("the gaps do not depend on the pull nor on the truncation; the mean does") {
  const std::size_t workers = 5;
  const vectors start = random_start(workers, 11);
  const auto after = [&](auto pull, double strength, bool exact) {
    return settle(
        start, pull_push_toward<decltype(pull)>{.pull = pull, .alpha = strength, .lambda = lambda, .exact_push = exact},
        30, {4, 7});
  };
  const vectors base = after(the_average{}, alpha, false);
  for (const bool exact : {false, true}) {
    CAPTURE(exact);
    const vectors others[] = {after(leader{.window = 1}, alpha, exact), after(gradient_weighted{}, alpha, exact),
                              after(gradient_weighted{.per = weights_per::tensor}, alpha, exact),
                              after(elastic_center{}, alpha * workers, exact)};
    for (std::size_t k = 0; k < std::size(others); ++k) {
      const vectors& other = others[k];
      CAPTURE(k);
      CHECK(farthest(gaps(other), gaps(base)) < 1e-13);
      CHECK(length(mean_of(other)) != Approx(length(mean_of(base))).epsilon(1e-3));
    }
  }
  // Exact: the average stays where it is.
  const auto before = mean_of(start), then = mean_of(after(the_average{}, alpha, true));
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(then[i] == within(before[i], 1e-13));
}

TEST_CASE("every gap settles at lambda / alpha, at M times that for the elastic center") {
  const vectors start = random_start(4, 50);
  for (const double r : radii(settle(start, pull_push_toward<leader>{.pull = {.window = 1}}, 1500))) {
    CHECK(r == Approx(5.0).epsilon(1e-9));
  }
  for (const double r : radii(settle(start, pull_push_toward<gradient_weighted>{}, 1500))) {
    CHECK(r == Approx(5.0).epsilon(1e-9));
  }
  for (const double r : radii(settle(start, pull_push_toward<elastic_center>{}, 6000))) {
    CHECK(r == Approx(20.0).epsilon(1e-9));
  }
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> d = a;
  for (std::size_t i = 0; i < d.size(); ++i) d[i] -= b[i];
  return length(d);
}

TEST_CASE("a push from a changing leader: all are lambda / alpha apart, and the width tells which reference is used") {
  const vectors start = random_start(4, 50);
  const pull_push_toward<leader> from_leader{.pull = {.window = 1}, .from = push_reference::target};
  const auto x = settle(start, from_leader, 3000);
  CHECK(width(x) == within(3.061862, 5e-7));
  CHECK(width(x) == within(5.0 * std::sqrt(3.0 / 8.0), 1e-9));
  for (std::size_t a = 0; a < x.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) CHECK(distance(x[a], x[b]) == within(5.0, 1e-9));
  }
}

/// Worker 2 leads always.
struct led : no_gradient {
  int worker = 0;
  double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
    no_gradient::loss_and_gradient(x, g);
    return worker == 2 ? 0.0 : 1.0;
  }
};

TEST_CASE("a push from a leader that stays: the others come to lambda / alpha from it, each in its own direction") {
  const vectors start = random_start(4, 7);
  const pull_push_toward<leader> from_leader{.pull = {.window = 1}, .from = push_reference::target};
  const auto run = [&](std::uint64_t rounds) {
    return train_team(
        reference_backend{}, algorithm{plain{}, chain<>{}, from_leader}, weights(4), start,
        [](int i) {
          return led{{}, i};
        },
        rounds);
  };
  for (const std::uint64_t rounds : {1, 7, 50, 600}) {
    CAPTURE(rounds);
    const auto x = run(rounds);
    CHECK(x[2] == start[2]);
    for (const std::size_t m : {0, 1, 3}) {
      const double r0 = distance(start[m], start[2]);
      const double r = 5.0 + std::pow(1.0 - alpha, static_cast<double>(rounds)) * (r0 - 5.0);
      CHECK(distance(x[m], x[2]) == within(r, 1e-12));
      for (std::size_t i = 0; i < 7; ++i) {
        CHECK(x[m][i] - x[2][i] == within(r / r0 * (start[m][i] - start[2][i]), 1e-12));
      }
    }
  }
}

TEST_CASE("a push for each tensor gives each of them the width lambda / alpha") {
  const std::vector<std::size_t> sizes{20, 5, 25};
  const auto x = settle(random_start(4, 50), pull_push_toward<the_average>{.per_tensor = true}, 3000, sizes);
  for (std::size_t m = 0; m < x.size(); ++m) {
    const auto d = gap(x, m);
    std::size_t first = 0;
    for (const std::size_t size : sizes) {
      CHECK(length({d.begin() + static_cast<std::ptrdiff_t>(first),
                    d.begin() + static_cast<std::ptrdiff_t>(first + size)}) == Approx(5.0).epsilon(1e-9));
      first += size;
    }
    CHECK(length(d) == Approx(5.0 * std::sqrt(3.0)).epsilon(1e-9));
  }
}

TEST_CASE("workers of equal gradient norms have equal weights") {
  struct constant : no_gradient {
    double loss_and_gradient(std::span<const double>, std::span<double> g) const {
      for (double& v : g) v = 0.25;
      return 0.0;
    }
  };
  const vectors start = random_start(3, 8);
  const auto x =
      train_team(reference_backend{},
                 algorithm{plain{}, chain<>{}, pull_push_toward<gradient_weighted>{.alpha = 1.0, .lambda = 0.0}},
                 weights(3), start, [](int) { return constant{}; }, 1, {.lr = {.base = 0.0}});
  for (const auto& row : x) {
    for (std::size_t i = 0; i < row.size(); ++i) CHECK(row[i] == within(mean_of(start)[i], 1e-14));
  }
}

/// Worker 1's probe batch has three times the gradient of its minibatch.
struct probed {
  int worker = 0;
  bool probing = false;
  void select_batch(std::uint64_t) { probing = false; }
  void select_probe(std::uint64_t) { probing = true; }
  double loss_and_gradient(std::span<const double>, std::span<double> g) const {
    for (double& v : g) v = probing && worker == 1 ? 3.0 : 1.0;
    return 0.0;
  }
};

TEST_CASE("weights come from the probe batch where the objective has one") {
  const vectors start{{0.0, 0.0}, {4.0, 8.0}};
  const auto x =
      train_team(reference_backend{},
                 algorithm{plain{}, chain<>{}, pull_push_toward<gradient_weighted>{.alpha = 1.0, .lambda = 0.0}},
                 weights(2), start, [](int i) { return probed{i}; }, 1, {.lr = {.base = 0.0}});
  // Norms 1 : 3, weights 3/4 and 1/4.
  CHECK(x[0][0] == Approx(1.0).epsilon(1e-12));
  CHECK(x[1][1] == Approx(2.0).epsilon(1e-12));
}

/// Where worker and center are after `rounds` rounds of `tau` steps on h/2 x^2, all workers equal, both from 1.
struct elastic_pair {
  double x = 0.0, z = 0.0;
};
elastic_pair elastic_run(elastic_center pull, double beta, std::uint64_t tau, std::uint64_t rounds) {
  elastic_pair end;
  (void)train_team(
      reference_backend{},
      algorithm{plain{}, chain<>{},
                every{tau, pull_push_toward<elastic_center>{.pull = pull, .alpha = beta, .lambda = 0.0}}},
      weights(4), vectors(4, {1.0}), [](int) { return quadratic::diagonal({0.3}); }, rounds * tau,
      {.lr = {.base = 0.1}},
      [&](auto& one, std::uint64_t) {
        if (one.rank() == 0) end = {one.x().data[0], one.model().data[0]};
      });
  return end;
}
elastic_pair mapped(const double (&map)[2][2], std::uint64_t rounds) {
  elastic_pair at{1.0, 1.0};
  for (std::uint64_t k = 0; k < rounds; ++k) {
    at = {map[0][0] * at.x + map[0][1] * at.z, map[1][0] * at.x + map[1][1] * at.z};
  }
  return at;
}

TEST_CASE("equal workers and their elastic center follow their linear map") {
  const double beta = 0.6, a = beta / 4, shrink = 1.0 - 0.1 * 0.3;
  for (const std::uint64_t tau : {std::uint64_t{1}, std::uint64_t{4}}) {
    const double rho = std::pow(shrink, static_cast<double>(tau));
    const auto end = elastic_run({}, beta, tau, 25);
    const auto expected = mapped({{(1.0 - a) * rho, a}, {beta * rho, 1.0 - beta}}, 25);
    CHECK(end.x == Approx(expected.x).epsilon(1e-13));
    CHECK(end.z == Approx(expected.z).epsilon(1e-13));
  }
  // The textbook form takes gradient and pull at the same point.
  const auto end = elastic_run({.of = mixed::before_step}, beta, 1, 25);
  const auto expected = mapped({{shrink - a, a}, {beta, 1.0 - beta}}, 25);
  CHECK(end.x == Approx(expected.x).epsilon(1e-13));
  CHECK(end.z == Approx(expected.z).epsilon(1e-13));
}

TEST_CASE("the length of the mean unit direction is |p - q| / M on a line, and 0 where the directions cancel") {
  const auto direction = [](const vectors& start, std::uint64_t rounds) {
    double result = 0.0;
    (void)train_team(
        reference_backend{}, algorithm{plain{}, chain<>{}, pull_push{}}, weights(start.size()), start,
        [](int) { return no_gradient{}; }, rounds, {},
        [&](auto& one, std::uint64_t t) {
          if (t + 1 != rounds) return;
          const double mine = mean_direction(one.backend(), one.comm(), one.x(), one.steps());
          if (one.rank() == 0) result = mine;
        });
    return result;
  };
  CHECK(direction({{0.1}, {0.2}, {-0.9}}, 600) == Approx(1.0 / 3.0).epsilon(1e-12));
  CHECK(direction({{1.0}, {1.1}, {1.2}, {1.3}, {-1.0}, {-1.1}, {-1.2}}, 600) == Approx(1.0 / 7.0).epsilon(1e-12));
  CHECK(direction(random_start(4, 50), 3000) < 1e-9);
  CHECK(direction(vectors(3, {0.1, 0.7}), 1) == 0.0);
}

TEST_CASE("pulls out of range are refused with the value and the remedy") {
  const vectors start = random_start(2, 2);
  const auto refused = [&](const auto& rule) { (void)settle(start, rule, 1); };
  CHECK_THROWS_WITH(refused(pull_push_toward<leader>{.pull = {.window = 0}}), Catch::Contains("window is 0"));
  CHECK_THROWS_WITH(refused(pull_push_toward<leader>{.pull = {.proximal = 1.0}}),
                    Catch::Contains("leader: proximal is 1"));
  CHECK_THROWS_WITH(refused(pull_push_toward<leader>{.alpha = 0.0}), Catch::Contains("must be in (0, 2)"));
  CHECK_THROWS_WITH(refused(pull_push_toward<gradient_weighted>{.pull = {.memory = 1.0}}),
                    Catch::Contains("memory is 1"));
  CHECK_THROWS_WITH(refused(pull_push_toward<elastic_center>{.alpha = 2.0}), Catch::Contains("must be in [0, 2)"));
  CHECK_THROWS_WITH(refused(pull_push_toward<elastic_center>{.pull = {.server = true}}),
                    Catch::Contains("push from the target"));
  CHECK_THROWS_WITH(
      refused(pull_push_toward<elastic_center>{.pull = {.server = true, .of = mixed::before_step}, .lambda = 0.0}),
      Catch::Contains("half_step"));
}

}  // namespace
