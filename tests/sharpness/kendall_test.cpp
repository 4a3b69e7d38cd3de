#include <cmath>
#include <limits>
#include <vector>

#include "polder/sharpness/kendall.hpp"
#include "support/catch.hpp"

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
