#include "polder/core/random.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <set>
#include <vector>

#include "support/catch.hpp"

using namespace polder;

namespace {

/// Digamma and trigamma: upwards by recurrence, then the asymptotic series.
double digamma(double x) {
  double below = 0;
  for (; x < 10; ++x) below += 1 / x;
  const double r = 1 / (x * x);
  return std::log(x) - 0.5 / x - r * (1.0 / 12 - r * (1.0 / 120 - r * (1.0 / 252 - r / 240))) - below;
}
double trigamma(double x) {
  double below = 0;
  for (; x < 10; ++x) below += 1 / (x * x);
  const double r = 1 / (x * x);
  return (1 + 0.5 / x + r * (1.0 / 6 - r * (1.0 / 30 - r * (1.0 / 42 - r / 30)))) / x + below;
}

struct moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0;
};
template <class Draw>
moments moments_of(int n, const Draw& draw) {
  std::vector<double> x(static_cast<std::size_t>(n));
  moments m;
  for (double& value : x) m.mean += value = draw();
  m.mean /= n;
  for (const double value : x) {
    const double d = value - m.mean;
    m.variance += d * d / n;
    m.skewness += d * d * d / n;
    m.kurtosis += d * d * d * d / n;
  }
  m.skewness /= std::pow(m.variance, 1.5);
  m.kurtosis /= m.variance * m.variance;
  return m;
}

}  // namespace

TEST_CASE("philox4x32-10 gives the known answers of Random123", "[random]") {
  using counter = std::array<std::uint32_t, 4>;
  static_assert(philox4x32({0, 0, 0, 0}, {0, 0}) == counter{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == counter{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == counter{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  CHECK(philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}) ==
        counter{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("each part of a key, and the index, gives other words", "[random]") {
  const random_key key{.seed = 1, .purpose = purpose::test, .step = 2, .worker = 3, .edge = 4};
  std::set<std::array<std::uint32_t, 4>> seen;
  std::size_t tries = 0;
  const auto add = [&](const random_key& other, std::uint64_t index) {
    seen.insert(random_words(other, index));
    CHECK(seen.size() == ++tries);
  };
  add(key, 5);
  for (int bit = 0; bit < 64; ++bit) {
    random_key other = key;
    other.seed ^= std::uint64_t{1} << bit;
    add(other, 5);
  }
  for (int bit = 0; bit < 40; ++bit) {
    random_key other = key;
    other.step ^= std::uint64_t{1} << bit;
    add(other, 5);
  }
  for (int bit = 0; bit < 24; ++bit) {
    random_key other = key;
    other.worker ^= std::uint32_t{1} << bit;
    add(other, 5);
  }
  for (int bit = 0; bit < 16; ++bit) {
    random_key other = key;
    other.edge ^= std::uint32_t{1} << bit;
    add(other, 5);
  }
  for (int bit = 0; bit < 48; ++bit) add(key, std::uint64_t{5} ^ (std::uint64_t{1} << bit));
  for (std::uint32_t other = 1; other <= 7; ++other) {
    random_key changed = key;
    changed.purpose = static_cast<purpose>(other);
    add(changed, 5);
  }
}

TEST_CASE("the purposes keep their numbers", "[random]") {
  CHECK(static_cast<int>(purpose::initialization) == 1);
  CHECK(static_cast<int>(purpose::shuffle) == 2);
  CHECK(static_cast<int>(purpose::augmentation) == 3);
  CHECK(static_cast<int>(purpose::rounding) == 4);
  CHECK(static_cast<int>(purpose::selection) == 5);
  CHECK(static_cast<int>(purpose::partition) == 6);
  CHECK(static_cast<int>(purpose::probe) == 7);
  CHECK(static_cast<int>(purpose::test) == 8);
}

TEST_CASE("a stream reads the words of its key in order, and twice the same", "[random]") {
  static_assert(std::uniform_random_bit_generator<random_stream>);
  const random_key key{.seed = 42, .purpose = purpose::shuffle, .step = 7, .worker = 2, .edge = 1};
  random_stream random(key);
  for (std::uint64_t index = 0; index < 10; ++index) {
    for (const std::uint32_t word : random_words(key, index)) CHECK(random() == word);
  }
  random_stream first(key), second(key);
  for (int i = 0; i < 1000; ++i) {
    CHECK(first.normal() == second.normal());
    CHECK(first.below(10) == second.below(10));
    CHECK(first.log_gamma(0.1) == second.log_gamma(0.1));
  }
}

TEST_CASE("uniform draws lie inside the open unit interval and have its moments", "[random]") {
  random_stream random({.seed = 3});
  const int n = 200000;
  const auto m = moments_of(n, [&] {
    const double u = random.uniform();
    if (!(u > 0.0 && u < 1.0)) FAIL("uniform() = " << u);
    return u;
  });
  CHECK(m.mean == within(0.5, 5 * std::sqrt(1.0 / 12 / n)));
  CHECK(m.variance == Approx(1.0 / 12).epsilon(0.01));
}

TEST_CASE("below() draws each number of its range equally often", "[random]") {
  random_stream random({.seed = 4});
  for (const std::uint64_t bound : {1u, 2u, 3u, 7u, 10u, 64u}) {
    const int n = 60000;
    std::vector<int> seen(bound);
    for (int i = 0; i < n; ++i) {
      const std::uint64_t drawn = random.below(bound);
      REQUIRE(drawn < bound);
      ++seen[drawn];
    }
    const double expected = n / static_cast<double>(bound);
    double chi_squared = 0;
    for (const int count : seen) chi_squared += (count - expected) * (count - expected) / expected;
    // mean bound - 1, variance 2 (bound - 1)
    CHECK(chi_squared <= static_cast<double>(bound - 1) + 6 * std::sqrt(2.0 * static_cast<double>(bound)));
  }
  CHECK(random.below(0) == 0);
}

TEST_CASE("below() has no bias where the range does not divide the words", "[random]") {
  random_stream random({.seed = 5});
  // Of a plain remainder, a third of the draws of 3/4 of the range would fall on the lowest quarter twice as often.
  for (const std::uint64_t bound : {std::uint64_t{3} << 30, std::uint64_t{3} << 62}) {
    const int n = 30000;
    int low = 0;
    for (int i = 0; i < n; ++i) {
      const std::uint64_t drawn = random.below(bound);
      REQUIRE(drawn < bound);
      if (drawn < bound / 3) ++low;
    }
    CHECK(low == within(n / 3.0, 6 * std::sqrt(n * 2.0 / 9)));
  }
}

TEST_CASE("normal draws have the moments of the standard normal", "[random]") {
  random_stream random({.seed = 6});
  const int n = 400000;
  const auto m = moments_of(n, [&] { return random.normal(); });
  CHECK(m.mean == within(0.0, 5 / std::sqrt(n)));
  CHECK(m.variance == within(1.0, 5 * std::sqrt(2.0 / n)));
  CHECK(m.skewness == within(0.0, 5 * std::sqrt(6.0 / n)));
  CHECK(m.kurtosis == within(3.0, 5 * std::sqrt(24.0 / n)));
}

TEST_CASE("log_gamma draws have the mean and variance of a gamma's logarithm", "[random]") {
  CHECK(digamma(1.0) == Approx(-std::numbers::egamma).epsilon(1e-9));
  CHECK(trigamma(1.0) == Approx(std::numbers::pi * std::numbers::pi / 6).epsilon(1e-9));
  for (const double shape : {0.01, 0.1, 0.3, 1.0, 2.5, 10.0}) {
    random_stream random({.seed = 7});
    const int n = 200000;
    const auto m = moments_of(n, [&] { return random.log_gamma(shape); });
    CAPTURE(shape);
    CHECK(m.mean == within(digamma(shape), 5 * std::sqrt(trigamma(shape) / n)));
    CHECK(m.variance == within(trigamma(shape), 5 * m.variance * std::sqrt((m.kurtosis - 1) / n)));
    CHECK(std::isfinite(m.mean));
  }
}
