#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "polder/sharpness/kendall.hpp"
#include "support/catch.hpp"

using polder::sharpness::bootstrap_interval;
using polder::sharpness::interval;
using polder::sharpness::kendall_interval;
using polder::sharpness::kendall_tau_b;

TEST_CASE("equal orders correlate with one, opposite ones with minus one") {
  const std::vector<double> a{1.0, 2.0, 3.0, 10.0};
  const std::vector<double> b{0.1, 0.2, 5.0, 6.0};
  const std::vector<double> opposite{4.0, 3.0, 2.0, 1.0};
  CHECK(kendall_tau_b(a, b) == 1.0);
  CHECK(kendall_tau_b(a, opposite) == -1.0);
}

TEST_CASE("one exchanged pair of five costs two of ten") {
  const std::vector<double> a{1.0, 2.0, 3.0, 4.0, 5.0};
  const std::vector<double> b{2.0, 1.0, 3.0, 4.0, 5.0};
  CHECK(kendall_tau_b(a, b) == Approx(0.8));
}

TEST_CASE("ties are corrected for") {
  // Of six pairs one is tied in a, another in b, and the other four agree: 4 / sqrt(5 * 5).
  const std::vector<double> a{1.0, 1.0, 2.0, 3.0};
  const std::vector<double> b{1.0, 2.0, 3.0, 3.0};
  CHECK(kendall_tau_b(a, b) == Approx(4.0 / 5.0));
  // Of ten pairs one is tied in both, one in each alone, and the other seven agree: 7 / sqrt(8 * 8).
  const std::vector<double> tied{1.0, 1.0, 2.0, 2.0, 3.0};
  const std::vector<double> in_both{1.0, 1.0, 2.0, 3.0, 3.0};
  CHECK(kendall_tau_b(tied, in_both) == Approx(7.0 / 8.0));
  const std::vector<double> constant(4, 7.0);
  CHECK(kendall_tau_b(a, constant) == 0.0);
}

TEST_CASE("what has no order is refused") {
  const std::vector<double> one{1.0};
  const std::vector<double> two{1.0, 2.0};
  const std::vector<double> broken{1.0, std::numeric_limits<double>::quiet_NaN()};
  CHECK_THROWS_WITH(kendall_tau_b(one, two), Catch::Contains("1 numbers beside 2"));
  CHECK_THROWS_WITH(kendall_tau_b(one, one), Catch::Contains("at least 2"));
  CHECK_THROWS_WITH(kendall_tau_b(two, broken), Catch::Contains("pair 1 holds not-a-number"));
}

TEST_CASE("a bootstrap interval ends where the drawn statistics do") {
  // The mean of two items drawn from {0, 1} is 0, 1/2, 1 with probability 1/4, 1/2, 1/4.
  const auto mean = [](std::span<const std::size_t> items) { return static_cast<double>(items[0] + items[1]) / 2.0; };
  const interval middle = bootstrap_interval(2, mean, {.level = 0.4});
  CHECK(middle.low == 0.5);
  CHECK(middle.high == 0.5);
  const interval most = bootstrap_interval(2, mean, {.level = 0.6});
  CHECK(most.low == 0.0);
  CHECK(most.high == 1.0);
  CHECK(most.holds(1.0));
  CHECK_FALSE(middle.holds(0.6));
}

TEST_CASE("a bootstrap interval of a mean is that of the normal distribution for many items") {
  // 400 items with mean 0 and variance 1: the drawn means have deviation 1/20, and 95 % of them lie within 1.96 of it.
  const auto mean = [](std::span<const std::size_t> items) {
    double sum = 0.0;
    for (const std::size_t item : items) sum += item < 200 ? 1.0 : -1.0;
    return sum / 400.0;
  };
  const interval found = bootstrap_interval(400, mean, {.draws = 20000});
  // Four standard errors of a quantile, sqrt(0.025 0.975 / 20000) / density: 0.0189 deviations of 0.05 each, and the
  // steps of 1/200 of the means.
  CHECK(found.high == within(1.95996 * 0.05, 4 * 0.0189 * 0.05 + 0.005));
  CHECK(found.low == within(-1.95996 * 0.05, 4 * 0.0189 * 0.05 + 0.005));
}

TEST_CASE("a perfect order stays perfect in every draw") {
  std::vector<double> a, b;
  for (int i = 0; i < 20; ++i) {
    a.push_back(i);
    b.push_back(-i * i);
  }
  const interval found = kendall_interval(a, b);
  CHECK(found.low == -1.0);
  CHECK(found.high == -1.0);
}

TEST_CASE("pairs are drawn together and by the seed") {
  const std::vector<double> a{1.0, 2.0, 3.0, 4.0, 5.0, 6.0};
  const std::vector<double> b{2.0, 1.0, 4.0, 3.0, 6.0, 5.0};
  const interval once = kendall_interval(a, b, {.draws = 50, .seed = 3});
  const interval again = kendall_interval(a, b, {.draws = 50, .seed = 3});
  CHECK(once.low == again.low);
  CHECK(once.high == again.high);
  CHECK(once.holds(kendall_tau_b(a, b)));
  const interval other = kendall_interval(a, b, {.draws = 50, .seed = 4});
  CHECK((other.low != once.low || other.high != once.high));
}

TEST_CASE("a bootstrap that cannot be done is refused") {
  const auto broken = [](std::span<const std::size_t>) { return std::numeric_limits<double>::quiet_NaN(); };
  const auto zero = [](std::span<const std::size_t>) { return 0.0; };
  CHECK_THROWS_WITH(bootstrap_interval(0, zero), Catch::Contains("0 items"));
  CHECK_THROWS_WITH(bootstrap_interval(3, zero, {.level = 1.0}), Catch::Contains("level is 1"));
  CHECK_THROWS_WITH(bootstrap_interval(3, zero, {.draws = 0}), Catch::Contains("draws is 0"));
  CHECK_THROWS_WITH(bootstrap_interval(3, broken), Catch::Contains("draw 0 is not-a-number"));
  const std::vector<double> one{1.0};
  CHECK_THROWS_WITH(kendall_interval(one, one), Catch::Contains("at least 2"));
}
