// When rounds end: each synchronization rule against its recursion, and what communication costs.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mixing/gaps.hpp"
#include "polder/backend/reference.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/average.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/mixing/synchronization.hpp"
#include "polder/objective/quadratic.hpp"
#include "polder/update/chain.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::test;

/// A slope of its own for each worker, and a loss that falls with the steps.
struct slope {
  int worker = 0;
  double loss = 0.0;
  void select_batch(std::uint64_t step) { loss = (1.0 + worker) * std::pow(0.97, static_cast<double>(step)); }
  double loss_and_gradient(std::span<const double>, std::span<double> g) const {
    for (double& v : g) v = 1.0 + worker;
    return loss;
  }
};

constexpr int workers = 3;

/// The numbers of steps after which rounds end.
template <class Period>
std::vector<std::uint64_t> ends(const Period& period, std::uint64_t steps, const learning_rate& rates) {
  std::vector<std::uint64_t> result;
  std::uint64_t rounds = 0;
  (void)train_team(
      reference_backend{}, algorithm{plain{}, chain<>{}, every{period, average{}}}, weights(workers),
      vectors(workers, {0.0, 0.0}), [](int i) { return slope{i}; }, steps, {.lr = rates},
      [&](auto& one, std::uint64_t t) {
        if (one.rank() != 0) return;
        if (one.rounds() != rounds) result.push_back(t + 1);
        rounds = one.rounds();
        if (t == 0) CHECK((one.rounds_in(steps) == 0 || one.rounds_in(steps) >= rounds));
      });
  const std::uint64_t promised = every{period, average{}}.rounds_in(steps, rates);
  CHECK((promised == 0 || promised == result.size()));
  return result;
}
using steps_of = std::vector<std::uint64_t>;

TEST_CASE("a constant period ends rounds after tau, 2 tau, ... and the last one with the run") {
  CHECK(ends(constant_period{4}, 14, {}) == steps_of{4, 8, 12, 14});
  CHECK(ends(std::uint64_t{5}, 10, {}) == steps_of{5, 10});
}

TEST_CASE("post-local averages each step, then every tau") {
  CHECK(ends(post_local{3, 4}, 14, {}) == steps_of{1, 2, 3, 7, 11, 14});
  CHECK(ends(post_local{0, 4}, 14, {}) == ends(constant_period{4}, 14, {}));
  CHECK(ends(post_local{20, 4}, 5, {}) == steps_of{1, 2, 3, 4, 5});
  // SWAP: the rest of the run is one round.
  CHECK(ends(post_local{3, 0}, 14, {}) == steps_of{1, 2, 3, 14});
  CHECK(ends(post_local{0, 0}, 14, {}) == steps_of{14});
}

TEST_CASE("QSR's last round ends with the run while the learning rate warms up, and at a constant period") {
  CHECK(ends(qsr{.alpha = 0.0, .least = 4, .warmup_tau = 6}, 14, {}) == steps_of{6, 12, 14});
  const learning_rate warming{.base = 0.1, .warmup_steps = 14};
  CHECK(ends(qsr{.alpha = 0.1, .least = 4, .warmup_tau = 1000}, 14, warming) == steps_of{14});
}

TEST_CASE("QSR follows its recursion for the powers 1, 2 and 3, and its last round ends with the run") {
  const std::uint64_t total = 200;
  const learning_rate rates{.base = 0.1, .kind = learning_rate::shape::cosine, .warmup_steps = 10};
  for (const int power : {1, 2, 3}) {
    CAPTURE(power);
    const double alpha = power == 1 ? 0.4 : 0.2;
    steps_of expected;
    std::uint64_t t = 0;
    double longest = 0.0, shortest = 1e9;
    while (t < total) {
      const double eta =
          t < 10 ? 0.0 : 0.05 * (1.0 + std::cos(M_PI * static_cast<double>(t - 10) / static_cast<double>(total - 10)));
      double h = t < 10 ? 3.0 : std::max(2.0, std::floor(std::pow(alpha / eta, power)));
      if (t >= 10) h = std::max(1.0, std::min(h, static_cast<double>(total - t)));
      longest = std::max(longest, h);
      shortest = std::min(shortest, h);
      t += static_cast<std::uint64_t>(h);
      expected.push_back(t);
    }
    CHECK(ends(qsr{.alpha = alpha, .power = power, .least = 2, .warmup_tau = 3}, total, rates) == expected);
    CHECK(expected.back() == total);
    CHECK(longest > 2.0 * shortest);
  }
  CHECK(ends(qsr{.alpha = 0.0, .least = 4}, 14, rates) == ends(constant_period{4}, 14, rates));
}

TEST_CASE("loss-adaptive rounds follow the mean losses and the learning rate") {
  const std::uint64_t total = 120;
  const learning_rate rates{.base = 0.1, .kind = learning_rate::shape::steps, .factor = 0.25, .milestones = {0.5}};
  steps_of expected;
  double first = 0.0;
  std::uint64_t t = 0, h = 12;
  while (t < total) {
    double mean = 0.0;
    for (std::uint64_t k = t; k < t + h; ++k)
      mean += 2.0 * std::pow(0.97, static_cast<double>(k)) / static_cast<double>(h);
    t += h;
    expected.push_back(t);
    if (first == 0.0) first = mean;
    const double slower = t < 60 ? 1.0 : 4.0;
    const auto wanted = static_cast<std::uint64_t>(std::ceil(12.0 * std::sqrt(slower * mean / first)));
    h = std::min(wanted, total - t);
  }
  CHECK(ends(loss_adaptive{12}, total, rates) == expected);
  CHECK(expected.size() > 10);
}

TEST_CASE("drift ends a round when the farthest worker has gone too far, and at the end") {
  // Worker 2 goes 0.1 * 3 * sqrt(2) = 0.424 in a step: past 1 with the third.
  CHECK(ends(drift_triggered{1.0}, 10, {}) == steps_of{3, 6, 9, 10});
  CHECK(ends(drift_triggered{0.0}, 4, {}) == steps_of{1, 2, 3, 4});
  CHECK(ends(drift_triggered{1.0, 2}, 10, {}) == steps_of{4, 8, 10});
}

TEST_CASE("QSR of power 1 at a constant learning rate is a constant period, the schedule of a push included") {
  const vectors start = random_start(3, 5);
  const auto run = [&](auto period) {
    return train_team(reference_backend{},
                      algorithm{plain{}, chain<>{}, every{period, pull_push{.schedule = push_schedule::increasing}}},
                      weights(3), start,
                      [](int) {
                        return quadratic::diagonal({0.1, 0.2, 0.3, 0.4, 0.5});
                      },
                      40, {.lr = {.base = 0.1}});
  };
  CHECK(run(qsr{.alpha = 0.51, .power = 1, .least = 1}) == run(constant_period{5}));
  CHECK(run(qsr{.alpha = 0.81, .power = 1, .least = 1}) != run(constant_period{5}));
}

TEST_CASE("periods out of range are refused with the value and the remedy") {
  CHECK_THROWS_WITH(ends(constant_period{0}, 3, {}), Catch::Contains("tau is 0"));
  CHECK_THROWS_WITH(ends(qsr{.power = 4}, 3, {}), Catch::Contains("power is 4"));
  CHECK_THROWS_WITH(ends(qsr{.alpha = -1.0}, 3, {}), Catch::Contains("alpha is -1"));
  CHECK_THROWS_WITH(ends(drift_triggered{-1.0}, 3, {}), Catch::Contains("distance is -1"));
  CHECK_THROWS_WITH(ends(loss_adaptive{0}, 3, {}), Catch::Contains("tau is 0"));
  const vectors start = random_start(2, 2);
  CHECK_THROWS_WITH(
      train_team(
          reference_backend{},
          algorithm{plain{}, chain<>{}, every{drift_triggered{}, pull_push{.schedule = push_schedule::increasing}}},
          weights(2), start, [](int i) { return slope{i}; }, 5),
      Catch::Contains("no synchronization rule that follows the run itself"));
}

}  // namespace
