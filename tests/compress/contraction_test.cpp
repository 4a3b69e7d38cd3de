// What compressors say of their contraction, against what they lose.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "compress/support.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::test;

layout two_tensors() {
  layout tensors;
  tensors.add("weight", {14, 14});
  tensors.add("none", {0});
  tensors.add("bias", {7});
  return tensors;
}

/// Gaussian numbers, numbers of one magnitude, a single number, and a few among many small ones.
template <class T>
std::vector<std::vector<T>> vectors(std::size_t n) {
  std::vector<std::vector<T>> all{normal_numbers<T>(n, 3), std::vector<T>(n), std::vector<T>(n),
                                  normal_numbers<T>(n, 4)};
  for (std::size_t i = 0; i < n; ++i) all[1][i] = i % 3 == 0 ? T(-2) : T(2);
  all[2][n / 2] = T(5);
  for (std::size_t i = 0; i < n; ++i) all[3][i] *= i % 50 == 0 ? T(1) : T(0.01);
  return all;
}

/// The mean of ||C(v) - v||^2 / ||v||^2 over `draws` messages, and the standard error of this mean.
struct loss {
  double mean = 0.0, uncertain = 0.0;
};
template <class T, class K>
loss lost(const K& k, const std::vector<T>& v, const layout& tensors, std::uint64_t draws) {
  double sum = 0.0, squares = 0.0;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    const double part = squared_distance(through(k, v, tensors, {.seed = 8, .step = draw}), v) / squared_norm(v);
    sum += part;
    squares += part * part;
  }
  const double n = static_cast<double>(draws), mean = sum / n;
  return {mean, std::sqrt(std::max(0.0, squares / n - mean * mean) / n)};
}

/// E||C(v) - v||^2 <= (1 - delta) ||v||^2, to four standard errors and a float's rounding.
template <class K>
void keeps_its_word(const K& k, std::uint64_t draws) {
  const layout tensors = two_tensors();
  const double delta = k.contraction(tensors);
  CHECK(delta > 0.0);
  CHECK(delta <= 1.0);
  const auto check = [&](auto number) {
    using T = decltype(number);
    for (const std::vector<T>& v : vectors<T>(tensors.size())) {
      const loss l = lost(k, v, tensors, draws);
      CHECK(l.mean <= 1.0 - delta + 4.0 * l.uncertain + 1e-7);
    }
  };
  check(0.0f);
  check(0.0);
}

TEST_CASE("no compressor loses more than its contraction says", "[compress]") {
  keeps_its_word(raw{}, 1);
  keeps_its_word(half{}, 1);
  keeps_its_word(half{half_format::fp16}, 1);
  keeps_its_word(sign{}, 1);
  for (const double keep : {0.01, 0.1, 0.25, 0.5, 1.0}) {
    keeps_its_word(top_k{keep}, 1);
    keeps_its_word(random_k{keep}, 400);
  }
  keeps_its_word(random_k{.keep = 0.75, .scale = scaling::unbiased}, 400);
  for (unsigned bits = 2; bits <= 8; ++bits) keeps_its_word(qsgd{.bits = bits, .scale = scaling::contraction}, 400);
  keeps_its_word(qsgd{.bits = 1, .levels = qsgd::level_mode::sign_beside, .scale = scaling::contraction}, 400);
  keeps_its_word(qsgd{.bits = 3, .scale = scaling::contraction, .bucket = 64}, 400);
  keeps_its_word(qsgd{.bits = 8}, 400);
}

TEST_CASE("there are vectors that lose as much as the contraction allows", "[compress]") {
  const layout tensors = two_tensors();
  const std::size_t n = tensors.size();
  std::vector<double> one(n, 0.0), equal(n, 0.0), small(n, 0.0);
  one[3] = 2.0;                                          // in the tensor of 196
  for (std::size_t i = 0; i < 196; ++i) equal[i] = 0.5;  // that tensor alone
  for (std::size_t i = 196; i < n; ++i) small[i] = 0.5;  // the tensor of 7 alone
  CHECK(lost(sign{}, one, tensors, 1).mean == Approx(1.0 - 1.0 / 196.0).epsilon(1e-6));
  CHECK(sign{}.contraction(tensors) == 1.0 / 196.0);
  // Of 196 numbers 49 are kept, of 7 one: the second is the worse share.
  CHECK(top_k{0.25}.contraction(tensors) == 1.0 / 7.0);
  CHECK(lost(top_k{0.25}, small, tensors, 1).mean == Approx(1.0 - 1.0 / 7.0).epsilon(1e-12));
  CHECK(lost(random_k{0.25}, small, tensors, 1).mean == Approx(1.0 - 1.0 / 7.0).epsilon(1e-12));
  CHECK(random_k{0.25}.contraction(tensors) == 1.0 / 7.0);
  CHECK(random_k{.keep = 0.8, .scale = scaling::unbiased}.contraction(tensors) ==
        Approx(2.0 - 7.0 / 5.0).epsilon(1e-14));
  CHECK(random_k{.keep = 0.25, .scale = scaling::unbiased}.contraction(tensors) == 0.0);
  // With s = 7 levels 196 equal numbers lie between two levels each: every Bernoulli number has the variance 1/4.
  const qsgd four_bits{.bits = 4, .scale = scaling::contraction};
  const double c = 1.0 / 3.0;  // 1 / (1 + min(196 / 49, 14 / 7))
  CHECK(four_bits.contraction(tensors) == Approx(1.0 - (1.0 - c) * (1.0 - c) - c * c * 1.0).epsilon(1e-14));
  const loss l = lost(four_bits, equal, tensors, 2000);
  CHECK(std::abs(l.mean - (1.0 - four_bits.contraction(tensors))) < 4.0 * l.uncertain + 1e-7);
  CHECK(l.uncertain < 1e-3);
  // Below s^2 < m the other bound counts, and delta is c.
  const qsgd two_bits{.bits = 2, .scale = scaling::contraction};
  CHECK(two_bits.contraction(tensors) == Approx(two_bits.shrinkage(196)).epsilon(1e-14));
  CHECK(qsgd{.bits = 2, .scale = scaling::contraction, .bucket = 64}.contraction(tensors) ==
        Approx(1.0 / 9.0).epsilon(1e-14));
  CHECK(qsgd{.bits = 2}.contraction(tensors) == 0.0);
  CHECK(half{}.contraction(tensors) == 1.0 - 0x1p-16);
  CHECK(raw{}.contraction(tensors) == 1.0);
  CHECK(sign{}.contraction(layout()) == 1.0);  // of nothing nothing is lost
}

TEST_CASE("the scaled sign keeps 2/pi of Gaussian numbers", "[compress]") {
  const layout tensors(200000);
  const double kept = 1.0 - lost(sign{}, normal_numbers<double>(tensors.size(), 9), tensors, 1).mean;
  CHECK(kept == Approx(2.0 / std::numbers::pi).epsilon(0.01));
  const double t = 2.0 / std::numbers::pi;
  CHECK(effective_contraction(sign{}, tensors) == Approx(2.0 * t / (4.0 - t)).epsilon(1e-14));
  CHECK(sign::typical_contraction == Approx(2.0 / std::numbers::pi).epsilon(1e-15));
}

TEST_CASE("of numbers that drift at random a message of top_k carries its effective contraction at least",
          "[compress]") {
  const layout tensors(120);
  for (const double keep : {0.05, 0.25, 0.5}) {
    const top_k k{keep};
    CHECK(effective_contraction(k, tensors) == Approx(2.0 * keep / (1.0 + keep)).epsilon(1e-14));
    random_stream random({4, purpose::test});
    std::vector<double> v(tensors.size(), 0.0);
    double kept = 0.0, all = 0.0;
    for (std::uint64_t t = 0; t < 600; ++t) {
      for (double& a : v) a += random.normal();
      const std::vector<double> q = through(k, v, tensors);
      if (t >= 100) kept += squared_norm(q), all += squared_norm(v);
      for (std::size_t i = 0; i < v.size(); ++i) v[i] -= q[i];
    }
    CHECK(kept / all > effective_contraction(k, tensors));
    CHECK(kept / all < 3.0 * effective_contraction(k, tensors));
  }
  CHECK(effective_contraction(top_k{0.25}, layout(4)) == Approx(0.5 / 3.75).epsilon(1e-14));
  CHECK(effective_contraction(top_k{0.25}, layout(1)) == 1.0);
}

TEST_CASE("error feedback has the contraction of what is inside it", "[compress]") {
  const layout tensors = two_tensors();
  CHECK(error_feedback{top_k{0.25}}.contraction(tensors) == 1.0 / 7.0);
  CHECK(effective_contraction(error_feedback{top_k{0.25}}, tensors) == Approx(0.25).epsilon(1e-14));
  CHECK(effective_contraction(error_feedback{qsgd{}}, tensors) == qsgd{}.contraction(tensors));
  const random_k same{.keep = 0.5, .same_positions = true};
  CHECK(same.contraction(tensors) == 3.0 / 7.0);
  CHECK(effective_contraction(same, tensors) == Approx(2.0 * 3.0 / (4.0 * 7.0 - 3.0)).epsilon(1e-14));
  static_assert(!contracting_compressor<polder::detail::compressor_archetype>);
}

}  // namespace
