// Pull and push against closed forms: where the gaps settle, without gradients, on quadratics, under noise.
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "mixing/gaps.hpp"
#include "polder/backend/reference.hpp"
#include "polder/core/random.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"
#include "support/catch.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;

/// f = 1/2 sum_i h_i x_i^2, with noise of standard deviation s_i in the parameters after the last local step of a round.
struct noisy_quadratic {
  std::vector<double> h;
  std::vector<double> s;
  double eta = 0.1;
  std::uint64_t tau = 4;
  std::uint32_t worker = 0;
  std::vector<double> noise;

  void select_batch(std::uint64_t step) {
    noise.assign(h.size(), 0.0);
    if (s.empty() || (step + 1) % tau != 0) return;
    random_stream random({42, purpose::test, step, worker});
    for (std::size_t i = 0; i < h.size(); ++i) noise[i] = s[i] / eta * random.normal();
  }
  double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
    double loss = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      g[i] = h[i] * x[i] + noise[i];
      loss += 0.5 * h[i] * x[i] * x[i];
    }
    return loss;
  }
};

vectors push_only(const vectors& start, std::uint64_t rounds, pull_push rule = {.alpha = alpha, .lambda = lambda}) {
  return train_team(
      reference_backend{}, algorithm{plain{}, chain<>{}, rule}, weights(start.size()), start,
      [](int) { return no_gradient{}; }, rounds);
}

template <class Update>
vectors on_quadratic(const vectors& start, std::vector<double> h, const Update& update, double eta,
                     std::uint64_t rounds, bool exact = false) {
  const std::uint64_t tau = 4;
  return train_team(
      reference_backend{},
      algorithm{plain{}, update, every{tau, pull_push{.alpha = alpha, .lambda = lambda, .exact_push = exact}}},
      weights(start.size()), start, [&](int) { return noisy_quadratic{h, {}, eta, tau, 0, {}}; }, rounds * tau,
      {.lr = {.base = eta}});
}

TEST_CASE("two workers without gradients: the gap obeys r <- (1 - alpha) r + lambda") {
  const vectors start = random_start(2, 7);
  double r = radii(start)[0];
  for (std::uint64_t k = 1; k <= 40; ++k) {
    r = (1.0 - alpha) * r + lambda;
    const auto now = radii(push_only(start, k));
    CHECK(now[0] == Approx(r).epsilon(1e-13));
    CHECK(now[1] == Approx(r).epsilon(1e-13));
  }
}

TEST_CASE("without gradients every gap settles at lambda / alpha and the directions cancel") {
  for (const auto& [workers, dimension] : {std::pair{2, 2}, {3, 2}, {3, 50}, {4, 3}, {8, 50}}) {
    CAPTURE(workers, dimension);
    const auto x =
        push_only(random_start(static_cast<std::size_t>(workers), static_cast<std::size_t>(dimension)), 3000);
    std::vector<double> u_mean(static_cast<std::size_t>(dimension), 0.0);
    for (std::size_t m = 0; m < x.size(); ++m) {
      const auto d = gap(x, m);
      CHECK(length(d) == Approx(5.0).epsilon(1e-9));
      for (std::size_t k = 0; k < d.size(); ++k) u_mean[k] += d[k] / length(d) / workers;
    }
    CHECK(length(u_mean) < 1e-9);
  }
}

TEST_CASE("in one dimension with p : q workers the width is 5 (1 - s^2), s = |p - q| / M") {
  const auto settled = [](std::vector<double> at) {
    vectors start;
    for (const double x : at) start.push_back({x});
    return push_only(start, 600);
  };
  const auto three = settled({0.1, 0.2, -0.9});
  CHECK(width(three) == Approx(4.444444).margin(5e-7));
  CHECK(radii(three)[0] == Approx(3.3333).margin(5e-5));
  CHECK(radii(three)[1] == Approx(3.3333).margin(5e-5));
  CHECK(radii(three)[2] == Approx(6.6667).margin(5e-5));
  CHECK(width(settled({1.0, 1.1, 1.2, -1.0, -1.1})) == Approx(4.8).margin(5e-7));
  CHECK(width(settled({1.0, 1.1, 1.2, 1.3, -1.0, -1.1, -1.2})) == Approx(4.897959).margin(5e-7));
  CHECK(width(settled({1.0, 1.1, 1.2, -4.0})) == Approx(3.75).margin(5e-7));
}

TEST_CASE("alpha = 1 puts every worker at distance lambda from the old mean") {
  const vectors start = random_start(5, 11);
  const auto old_mean = mean_of(start);
  const auto x = push_only(start, 1, {.alpha = 1.0, .lambda = lambda});
  for (const auto& row : x) {
    std::vector<double> d = row;
    for (std::size_t k = 0; k < d.size(); ++k) d[k] -= old_mean[k];
    CHECK(length(d) == Approx(lambda).epsilon(1e-13));
  }
}

TEST_CASE("workers without a gap are not pushed, also where their mean rounds") {
  for (const std::size_t workers : {2, 3, 4, 5, 7, 10}) {
    CAPTURE(workers);
    const vectors start(workers, std::vector<double>{0.1, -0.7, 3.3});
    for (const auto& x : push_only(start, 10)) {
      for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == Approx(start[0][i]).epsilon(1e-14));
    }
  }
}

TEST_CASE("scheduled pushes add up: increasing and decreasing over 300 rounds") {
  const vectors start{{1.0, 0.2}, {-0.4, 0.1}};
  const auto settled = [&](push_schedule schedule) {
    return width(push_only(start, 300, {.alpha = alpha, .lambda = lambda, .schedule = schedule}));
  };
  CHECK(settled(push_schedule::increasing) == Approx(4.974209983552).margin(5e-12));
  CHECK(settled(push_schedule::decreasing) == Approx(0.025790016447).margin(5e-12));
}

TEST_CASE("the potential sum (alpha/2) r^2 - lambda r never increases for alpha in (0, 2)") {
  for (const double pull : {0.1, 0.5, 1.0, 1.5, 1.9}) {
    CAPTURE(pull);
    vectors x = random_start(5, 6, 77);
    double before = INFINITY;
    for (int k = 0; k < 100; ++k) {
      x = push_only(x, 1, {.alpha = pull, .lambda = lambda});
      double potential = 0.0;
      for (const double r : radii(x)) potential += 0.5 * pull * r * r - lambda * r;
      CHECK(potential <= before + 1e-12);
      before = potential;
    }
  }
}

TEST_CASE("isotropic quadratic: r+ = lambda / (1 - (1 - alpha) rho), r- = rho r+") {
  for (const auto& [workers, dimension] : {std::pair{2, 3}, {4, 6}}) {
    CAPTURE(workers, dimension);
    const std::vector<double> h(static_cast<std::size_t>(dimension), 0.3);
    const auto start = random_start(static_cast<std::size_t>(workers), h.size());
    CHECK(width(on_quadratic(start, h, chain<>{}, 0.1, 600)) == Approx(2.460188358614).margin(5e-12));
    double before = 0.0;
    (void)train_team(
        reference_backend{}, algorithm{plain{}, chain<>{}, every{4, pull_push{.alpha = alpha, .lambda = lambda}}},
        weights(start.size()), start, [&](int) { return noisy_quadratic{h, {}, 0.1, 4, 0, {}}; }, 2400,
        {.lr = {.base = 0.1}},
        [&](auto& one, std::uint64_t t) {
          if (t + 1 == 2400 && one.rank() == 0) before = std::sqrt(one.last_gaps().data[0]);
        });
    CHECK(before == Approx(2.177987065127).margin(5e-12));
  }
}

TEST_CASE("local momentum that is never communicated nor reset narrows the valley as predicted") {
  // One direction only: with momentum the state in which gap and momentum are parallel is unstable against turning (at
  // this point by a factor of 1.3 a round), so in more dimensions rounding errors lead to a wider, turning state.
  const std::vector<double> h(1, 0.3);
  const auto start = random_start(2, 1);
  CHECK(width(on_quadratic(start, h, chain{weight_decay{0.01}, momentum{0.9}}, 0.05, 600)) ==
        Approx(0.905582538390).margin(5e-12));
  CHECK(width(on_quadratic(start, h, chain{weight_decay{0.01}, nesterov{0.9}}, 0.05, 600)) ==
        Approx(0.907324386774).margin(5e-12));
}

TEST_CASE("in more dimensions gaps turn about local momentum, and shrink by the determinant of a round") {
  // The determinant of one step is beta for heavy ball and beta (1 - eta h) for Nesterov; a round has four of them.
  const std::vector<double> h(6, 0.3);
  const auto expected = [](double step) { return lambda / (1.0 - (1.0 - alpha) * std::pow(step, 4)); };
  for (const std::size_t workers : {2, 4}) {
    CAPTURE(workers);
    const auto start = random_start(workers, h.size());
    CHECK(width(on_quadratic(start, h, chain{weight_decay{0.01}, momentum{0.9}}, 0.05, 1200)) ==
          Approx(expected(0.9)).margin(5e-12));
    CHECK(width(on_quadratic(start, h, chain{weight_decay{0.01}, nesterov{0.9}}, 0.05, 1200)) ==
          Approx(expected(0.9 * (1.0 - 0.05 * 0.31))).margin(5e-12));
  }
}

TEST_CASE("anisotropic quadratic, two workers: the gap turns into the flattest direction") {
  const auto x = on_quadratic(random_start(2, 4), {1.0, 0.3, 0.05, 0.2}, chain<>{}, 0.1, 1500);
  CHECK(width(x) == Approx(4.242125257115).margin(5e-12));
  const auto d = gap(x, 0);
  CHECK(std::abs(d[2]) == Approx(length(d)).epsilon(1e-12));
}

TEST_CASE("three workers: the truncated push shifts the mean along the flattest direction, the exact one does not") {
  const std::vector<double> h{1.0, 0.3, 0.05, 0.2};
  const auto truncated = on_quadratic(random_start(3, 4), h, chain<>{}, 0.1, 3000);
  CHECK(width(truncated) == Approx(3.77078).margin(5e-6));
  const auto mean = mean_of(truncated);
  CHECK(std::abs(mean[2]) == Approx(8.396).margin(5e-4));
  CHECK(length(mean) == Approx(std::abs(mean[2])).epsilon(1e-9));

  const auto exact = on_quadratic(random_start(3, 4), h, chain<>{}, 0.1, 3000, true);
  CHECK(width(exact) == Approx(3.77078).margin(5e-6));
  CHECK(length(mean_of(exact)) < 1e-9);
}

/// The mean over the rounds from `first` on of sum over coordinates [from, to) of the squared gap of worker 0 before the
/// communication, averaged over workers through symmetry of the run.
struct gap_energy {
  double total = 0.0;
  double width = 0.0;
  std::vector<double> parts;
};
gap_energy noisy_run(std::size_t workers, const std::vector<double>& h, const std::vector<double>& s, double push,
                     std::uint64_t rounds, std::uint64_t first, std::size_t split) {
  const double eta = 0.1;
  const std::uint64_t tau = 4;
  // What the workers hold right before the communication is x_half of the round's last step: recompute it from the
  // recorded x of the step before.
  std::vector<vectors> before(rounds, vectors(workers));
  (void)train_team(
      reference_backend{}, algorithm{plain{}, chain<>{}, every{tau, pull_push{.alpha = alpha, .lambda = push}}},
      weights(workers), vectors(workers, std::vector<double>(h.size(), 0.0)),
      [&](int m) { return noisy_quadratic{h, s, eta, tau, static_cast<std::uint32_t>(m), {}}; }, rounds * tau,
      {.lr = {.base = eta}},
      [&](auto& one, std::uint64_t t) {
        if ((t + 2) % tau != 0) return;
        noisy_quadratic f{h, s, eta, tau, static_cast<std::uint32_t>(one.rank()), {}};
        f.select_batch(t + 1);
        std::vector<double> x(one.x().data, one.x().data + h.size()), g(h.size());
        f.loss_and_gradient(x, g);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] -= eta * g[i];
        before[t / tau][static_cast<std::size_t>(one.rank())] = std::move(x);
      });
  gap_energy result{0.0, 0.0, {0.0, 0.0}};
  const double count = static_cast<double>((rounds - first) * workers);
  for (std::uint64_t k = first; k < rounds; ++k) {
    for (std::size_t m = 0; m < workers; ++m) {
      const auto d = gap(before[k], m);
      for (std::size_t i = 0; i < d.size(); ++i) result.parts[i < split ? 0 : 1] += d[i] * d[i] / count;
      result.width += length(d) / count;
    }
  }
  return result;
}

// The formulas are exact for infinitely many coordinates. With n = 4000 a squared gap fluctuates by sqrt(2/n) = 2 % around
// its mean; 300 rounds that forget in about five leave 0.3 %.
TEST_CASE("isotropic noise: the width with and without push follows the mean-field formula") {
  const std::vector<double> h(4000, 0.3), s(4000, 0.02);
  CHECK(noisy_run(2, h, s, lambda, 340, 40, 0).width == Approx(2.8790).epsilon(0.005));
  CHECK(noisy_run(2, h, s, 0.0, 340, 40, 0).width == Approx(1.480).epsilon(0.01));
}

TEST_CASE("anisotropic noise: with the push nearly all gap energy lies in the flat block") {
  std::vector<double> h(1000, 1.0), s(1000, 0.02);
  h.resize(2000, 0.05);
  s.resize(2000, 0.01);
  const auto two = noisy_run(2, h, s, lambda, 1000, 200, 1000);
  CHECK(two.parts[0] == Approx(0.362).epsilon(0.02));
  CHECK(two.parts[1] == Approx(17.357).epsilon(0.02));
  const auto four = noisy_run(4, h, s, lambda, 1000, 200, 1000);
  CHECK(four.parts[0] == Approx(0.542).epsilon(0.02));
  CHECK(four.parts[1] == Approx(17.397).epsilon(0.02));
}

TEST_CASE("a pull or push out of range is refused with the value and the range") {
  CHECK_THROWS_WITH(push_only(random_start(2, 2), 1, {.alpha = 2.5}),
                    Catch::Contains("alpha is 2.5") && Catch::Contains("(0, 2)"));
  CHECK_THROWS_WITH(push_only(random_start(2, 2), 1, {.lambda = -1.0}), Catch::Contains("lambda is -1"));
}

}  // namespace
