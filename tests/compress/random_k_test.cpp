#include "polder/compress/random_k.hpp"

#include <cmath>
#include <vector>

#include "compress/support.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;

namespace {

std::vector<bool> positions(const random_k& k, const layout& tensors, const stamp& which) {
  const auto y = through(k, std::vector<float>(tensors.size(), 1.0f), tensors, which);
  std::vector<bool> kept;
  for (const float value : y) kept.push_back(value != 0.0f);
  return kept;
}

}  // namespace

TEST_CASE("random_k keeps exactly k numbers of each tensor, as they are or times m / k", "[random_k]") {
  const layout tensors = awkward_layout();
  const auto x = normal_numbers<float>(tensors.size(), 1);
  for (const double keep : {1e-6, 0.1, 0.5, 1.0}) {
    for (const scaling scale : {scaling::contraction, scaling::unbiased}) {
      const auto y = through(random_k{keep, scale}, x, tensors, {.seed = 3});
      for (const tensor_info& tensor : tensors.tensors()) {
        const std::size_t m = tensor.size();
        if (m == 0) continue;
        const auto k = std::max<std::size_t>(1, static_cast<std::size_t>(std::floor(keep * static_cast<double>(m))));
        const double stretch = scale == scaling::unbiased ? static_cast<double>(m) / static_cast<double>(k) : 1.0;
        std::size_t kept = 0;
        for (std::size_t i = tensor.offset; i < tensor.offset + m; ++i) {
          if (y[i] == 0.0f) continue;
          ++kept;
          CHECK(y[i] == static_cast<float>(stretch * static_cast<double>(x[i])));
        }
        CHECK(kept == k);
      }
    }
  }
}

TEST_CASE("random_k sends its stamp and k values, and no index", "[random_k]") {
  // k = 1, 0, 1, 12, 12, 409
  CHECK(random_k{0.1}.max_bytes<double>(awkward_layout()) == 40 + 24 + 4 * (1 + 0 + 1 + 12 + 12 + 409));
  const std::vector<float> x(10, 2.5f);
  const byte_vector message = packed(random_k{0.2}, x, layout(10), {.seed = 1, .step = 2, .worker = 3, .edge = 4});
  REQUIRE(message.size() == 40 + 24 + 8);
  CHECK(payload_value<std::uint64_t>(message, 0) == 1);
  CHECK(payload_value<std::uint64_t>(message, 8) == 2);
  CHECK(payload_value<std::uint32_t>(message, 16) == 3);
  CHECK(payload_value<std::uint32_t>(message, 20) == 4);
  CHECK(payload_value<float>(message, 24) == 2.5f);
  CHECK(payload_value<float>(message, 28) == 2.5f);
}

TEST_CASE("positions differ with every part of the stamp, or with seed and step alone", "[random_k]") {
  const layout tensors(200);
  const stamp base{.seed = 1, .step = 2, .worker = 3, .edge = 4};
  const random_k own{0.3};
  const random_k same{.keep = 0.3, .same_positions = true};
  CHECK(positions(own, tensors, base) == positions(own, tensors, base));
  stamp other = base;
  other.worker = 9;
  CHECK(positions(own, tensors, base) != positions(own, tensors, other));
  CHECK(positions(same, tensors, base) == positions(same, tensors, other));
  other = base;
  other.edge = 9;
  CHECK(positions(own, tensors, base) != positions(own, tensors, other));
  CHECK(positions(same, tensors, base) == positions(same, tensors, other));
  other = base;
  other.step = 9;
  CHECK(positions(own, tensors, base) != positions(own, tensors, other));
  CHECK(positions(same, tensors, base) != positions(same, tensors, other));
  other = base;
  other.seed = 9;
  CHECK(positions(own, tensors, base) != positions(own, tensors, other));
  CHECK(positions(same, tensors, base) != positions(same, tensors, other));
}

TEST_CASE("every pair of positions is drawn equally often", "[random_k]") {
  // k = 3 of 8: a pair is kept with probability p = 3/8 2/7; its count is binomial, and 28 pairs and 8 positions stay
  // within 5 standard deviations with probability above 1 - 2.1e-5
  const int draws = 20000;
  std::vector<std::vector<int>> counts(8, std::vector<int>(8, 0));
  for (int draw = 0; draw < draws; ++draw) {
    const auto kept = positions(random_k{0.4}, layout(8), {.seed = 7, .step = static_cast<std::uint64_t>(draw)});
    for (std::size_t i = 0; i < 8; ++i) {
      for (std::size_t j = 0; j <= i; ++j) counts[i][j] += kept[i] && kept[j] ? 1 : 0;
    }
  }
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double p = i == j ? 3.0 / 8 : 3.0 / 8 * 2 / 7;
      CHECK(std::fabs(counts[i][j] - draws * p) < 5 * std::sqrt(draws * p * (1 - p)));
    }
  }
}

TEST_CASE("random_k has the expectation and the error of its formulas", "[random_k]") {
  const std::size_t m = 20;
  const auto x = normal_numbers<double>(m, 5);
  const int draws = 20000;
  for (const scaling scale : {scaling::contraction, scaling::unbiased}) {
    const random_k k{0.25, scale};
    std::vector<double> mean(m, 0.0);
    double error = 0;
    for (int draw = 0; draw < draws; ++draw) {
      const auto y = through(k, x, layout(m), {.step = static_cast<std::uint64_t>(draw)});
      for (std::size_t i = 0; i < m; ++i) mean[i] += y[i] / draws;
      error += squared_distance(x, y) / draws;
    }
    const double stretch = scale == scaling::unbiased ? 4.0 : 1.0;
    for (std::size_t i = 0; i < m; ++i) {
      // stretch x_i times a Bernoulli(1/4), averaged: within 5 standard deviations
      const double deviation = stretch * std::fabs(x[i]) * std::sqrt(0.25 * 0.75 / draws);
      CHECK(std::fabs(mean[i] - 0.25 * stretch * x[i]) < 5 * deviation + 1e-7);
    }
    // (1 - k/m) ||v||^2 and (m/k - 1) ||v||^2; one draw's error lies in [0, 9 ||v||^2]
    const double expected = (scale == scaling::unbiased ? 3.0 : 0.75) * squared_norm(x);
    CHECK(std::fabs(error - expected) < 0.05 * expected);
  }
}

TEST_CASE("random_k refuses what it cannot do", "[random_k]") {
  for (const double keep : {0.0, 1.5, std::nan("")}) {
    CHECK_THAT(message_of<config_error>([&] { (void)random_k{keep}.init<float>(layout(3)); }),
               Catch::Contains("random_k: keep is ") && Catch::Contains("(0, 1]"));
  }
  CHECK_THROWS_AS((random_k{0.5, static_cast<scaling>(5)}.init<float>(layout(3))), config_error);
  CHECK_THROWS_AS(packed(random_k{0.5}, std::vector<double>{1.0, 1e39}, layout(2)), compress_error);
  // a stretch may leave the range of float32
  byte_vector message = packed(random_k{0.1, scaling::unbiased}, std::vector<float>(10, 1e38f), layout(10));
  CHECK_THROWS_AS(unpacked<float>(random_k{0.1, scaling::unbiased}, message, layout(10)), compress_error);
  // settings that differ are noticed
  CHECK_THROWS_AS(unpacked<float>(random_k{0.1}, message, layout(10)), compress_error);
  // positions of one worker where all are to have the same
  const random_k same{.keep = 0.5, .same_positions = true};
  byte_vector own = packed(same, std::vector<float>(4, 1.0f), layout(4), {.worker = 3});
  CHECK_NOTHROW(unpacked<float>(same, own, layout(4)));
  set_payload(own, 16, std::uint32_t{3});
  CHECK_THAT(message_of<compress_error>([&] { (void)unpacked<float>(same, own, layout(4)); }),
             Catch::Contains("worker 3"));
}
