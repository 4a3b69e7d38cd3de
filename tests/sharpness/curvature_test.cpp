#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "polder/objective/quadratic.hpp"
#include "polder/sharpness/lanczos.hpp"
#include "polder/sharpness/trace.hpp"
#include "polder/topology/eigenvalues.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::sharpness;

/// A dense symmetric matrix as an operator.
struct dense_operator {
  std::size_t n;
  std::vector<double> a;
  std::size_t products = 0;

  [[nodiscard]] std::size_t size() const { return n; }
  void multiply(std::span<const double> v, std::span<double> hv) {
    ++products;
    for (std::size_t i = 0; i < n; ++i) {
      hv[i] = 0.0;
      for (std::size_t j = 0; j < n; ++j) hv[i] += a[i * n + j] * v[j];
    }
  }
  [[nodiscard]] double trace() const {
    double sum = 0.0;
    for (std::size_t i = 0; i < n; ++i) sum += a[i * n + i];
    return sum;
  }
  [[nodiscard]] double squares() const {
    double sum = 0.0;
    for (const double entry : a) sum += entry * entry;
    return sum;
  }
};

dense_operator random_symmetric(std::size_t n, std::uint64_t seed) {
  random_stream random({seed, purpose::test});
  dense_operator h{n, std::vector<double>(n * n)};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) h.a[i * n + j] = h.a[j * n + i] = random.normal();
  }
  return h;
}
dense_operator diagonal(std::vector<double> d) {
  dense_operator h{d.size(), std::vector<double>(d.size() * d.size())};
  for (std::size_t i = 0; i < d.size(); ++i) h.a[i * d.size() + i] = d[i];
  return h;
}

}  // namespace

TEST_CASE("the Ritz values of a tridiagonal matrix are its eigenvalues, and the ends those of its vectors") {
  // The path of n = 7: eigenvalues 2 cos(k pi / 8), vectors sin(i k pi / 8) / 2.
  const auto pairs = tridiagonal_eigenvalues(std::vector<double>(7, 0.0), std::vector<double>(6, 1.0));
  const double pi = std::acos(-1.0);
  for (std::size_t k = 1; k <= 7; ++k) {
    CHECK(pairs[k - 1].value == Approx(2.0 * std::cos(static_cast<double>(k) * pi / 8)).margin(1e-14));
    CHECK(std::abs(pairs[k - 1].first) == Approx(std::abs(std::sin(static_cast<double>(k) * pi / 8)) / 2));
    CHECK(std::abs(pairs[k - 1].last) == Approx(std::abs(std::sin(7 * static_cast<double>(k) * pi / 8)) / 2));
  }
  CHECK(tridiagonal_eigenvalues({3.0}, {}).front().value == 3.0);
  CHECK_THROWS_WITH(tridiagonal_eigenvalues({1.0, 2.0}, {}), Catch::Contains("has 1 beside it, not 0"));
}

TEST_CASE("a matrix that splits has the eigenvalues of its parts") {
  const auto pairs = tridiagonal_eigenvalues({1.0, 1.0, 5.0, 2.0}, {0.5, 0.0, 0.0});
  CHECK(pairs[0].value == Approx(5.0));
  CHECK(pairs[1].value == Approx(2.0));
  CHECK(pairs[2].value == Approx(1.5));
  CHECK(pairs[3].value == Approx(0.5));
}

TEST_CASE("differences give the Hessian of a quadratic up to rounding, in double and float") {
  const auto h = random_symmetric(12, 3);
  const auto f = quadratic::dense(h.a, std::vector<double>(12, 0.5));
  random_stream random({4, purpose::test});
  std::vector<double> v(12), hv(12), expected(12);
  for (double& number : v) number = 1e3 * random.normal();
  auto exact = h;
  exact.multiply(v, expected);
  const std::vector<double> x(12, 2.0);
  hessian_at(f, std::span<const double>(x)).multiply(v, hv);
  for (std::size_t i = 0; i < 12; ++i) CHECK(hv[i] == Approx(expected[i]).epsilon(1e-8).margin(1e-5));
  const std::vector<float> x_float(12, 2.0f);
  hessian_at(f, std::span<const float>(x_float)).multiply(v, hv);
  for (std::size_t i = 0; i < 12; ++i) CHECK(hv[i] == Approx(expected[i]).epsilon(1e-4).margin(1e-1));
  // The product with nothing is nothing, and is not 0/0.
  hessian_at(f, std::span<const double>(x)).multiply(std::vector<double>(12), hv);
  CHECK(std::all_of(hv.begin(), hv.end(), [](double number) { return number == 0.0; }));
}

TEST_CASE("an objective's own products are used where it has them") {
  struct own {
    double loss_and_gradient(std::span<const double>, std::span<double>) const { throw error("not to be called"); }
    void hessian_product(std::span<const double> x, std::span<const double> v, std::span<double> hv) const {
      for (std::size_t i = 0; i < v.size(); ++i) hv[i] = x[i] * v[i];
    }
  } f;
  const std::vector<double> x{1.0, 7.0, 2.0};
  auto h = hessian_at(f, std::span<const double>(x));
  CHECK(largest_eigenvalues(h).largest.front().value == Approx(7.0));
}

TEST_CASE("the largest eigenvalues of a dense matrix are found within their bounds") {
  auto h = random_symmetric(60, 1);
  const std::vector<double> all = topology::symmetric_eigenvalues(h.a, 60);  // ascending
  const auto found = largest_eigenvalues(h, {.count = 4, .tolerance = 1e-10});
  REQUIRE(found.converged);
  REQUIRE(found.largest.size() == 4);
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(std::abs(found.largest[k].value - all[59 - k]) <= found.largest[k].error + 1e-12);
    CHECK(found.largest[k].error <= 1e-10 * std::max(std::abs(all.front()), all.back()));
  }
  CHECK(found.products == h.products);
  CHECK(found.products < 61);
}

TEST_CASE("the largest is the largest, not the one of largest magnitude") {
  auto h = diagonal({-9.0, 1.0, 2.0, 3.0});
  const auto found = largest_eigenvalues(h);
  CHECK(found.largest.front().value == Approx(3.0));
  CHECK(found.smallest == Approx(-9.0));
}

TEST_CASE("a space that is invariant ends the method: zero and multiples of the identity") {
  auto zero = diagonal(std::vector<double>(20, 0.0));
  const auto nothing = largest_eigenvalues(zero, {.count = 3});
  CHECK(nothing.converged);
  CHECK(nothing.products == 1);
  CHECK(nothing.largest.front().value == 0.0);
  auto same = diagonal(std::vector<double>(20, 4.0));
  CHECK(largest_eigenvalues(same).products == 1);
  CHECK(largest_eigenvalues(same).largest.front().value == Approx(4.0));
}

TEST_CASE("products that are not finite end Lanczos' method") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const double bad : {std::nan(""), inf}) {
    auto h = diagonal({1.0, 2.0, bad, 3.0});
    CHECK_THROWS_AS(largest_eigenvalues(h), non_finite_error);
    CHECK_THROWS_AS(spectral_density(h), non_finite_error);
    CHECK_THROWS_AS(tridiagonal_eigenvalues({1.0, bad}, {0.5}), non_finite_error);
    CHECK_THROWS_AS(tridiagonal_eigenvalues({1.0, 2.0}, {bad}), non_finite_error);
  }
}

TEST_CASE("too few products are said, not hidden") {
  auto h = random_symmetric(80, 2);
  const auto found = largest_eigenvalues(h, {.tolerance = 1e-12, .most_steps = 5});
  CHECK_FALSE(found.converged);
  CHECK(found.products == 5);
  const double exact = topology::symmetric_eigenvalues(h.a, 80).back();
  CHECK(found.largest.front().value < exact);
  CHECK_THROWS_WITH(largest_eigenvalues(h, {.count = 0}), Catch::Contains("count is 0"));
  CHECK_THROWS_WITH(largest_eigenvalues(h, {.tolerance = 0.0}), Catch::Contains("tolerance is 0"));
}

TEST_CASE("the trace of a diagonal matrix is exact from one draw, that of others within its error") {
  auto plain = diagonal({1.0, -2.0, 5.0, 0.25});
  CHECK(hutchinson(plain, {.draws = 1}).trace.value == Approx(4.25));
  // The error of a single draw is not known.
  CHECK(std::isnan(hutchinson(plain, {.draws = 1}).trace.standard_error));
  CHECK(std::isnan(hutchinson(plain, {.draws = 1}).frobenius_error));
  auto h = random_symmetric(50, 5);
  const auto found = hutchinson(h, {.draws = 400});
  // A draw's variance is 2 sum over i != j of H_ij^2.
  double off_diagonal = h.squares();
  for (std::size_t i = 0; i < 50; ++i) off_diagonal -= h.a[i * 50 + i] * h.a[i * 50 + i];
  const double deviation = std::sqrt(2.0 * off_diagonal / 400);
  CHECK(std::abs(found.trace.value - h.trace()) < 4.0 * deviation);
  CHECK(found.trace.standard_error == Approx(deviation).epsilon(0.2));
  CHECK(found.frobenius_norm == Approx(std::sqrt(h.squares())).epsilon(0.05));
  CHECK(found.products == h.products);
  // ||H v||^2 = v^T H^2 v: the same variance with H^2 in place of H; its root moves by 1 / (2 ||H||_F) of that.
  double off_diagonal_square = 0.0;
  for (std::size_t i = 0; i < 50; ++i) {
    for (std::size_t j = 0; j < 50; ++j) {
      double entry = 0.0;
      for (std::size_t k = 0; k < 50; ++k) entry += h.a[i * 50 + k] * h.a[k * 50 + j];
      if (i != j) off_diagonal_square += entry * entry;
    }
  }
  const double norm = std::sqrt(h.squares());
  const double norm_deviation = std::sqrt(2.0 * off_diagonal_square / 400) / (2.0 * norm);
  CHECK(std::abs(found.frobenius_norm - norm) < 4.0 * norm_deviation);
  CHECK(found.frobenius_error == Approx(norm_deviation).epsilon(0.2));
  auto zero = diagonal(std::vector<double>(3, 0.0));
  CHECK(hutchinson(zero, {.draws = 2}).frobenius_error == 0.0);
}

TEST_CASE("Hutch++ is exact for a matrix of low rank and better than Hutchinson for a decaying spectrum") {
  // Rank 2: H = 3 a a^T + b b^T.
  random_stream random({6, purpose::test});
  dense_operator low{30, std::vector<double>(900)};
  std::vector<double> a(30), b(30);
  for (double& number : a) number = random.normal();
  for (double& number : b) number = random.normal();
  for (std::size_t i = 0; i < 30; ++i) {
    for (std::size_t j = 0; j < 30; ++j) low.a[i * 30 + j] = 3.0 * a[i] * a[j] + b[i] * b[j];
  }
  CHECK(hutch_plus_plus(low, {.draws = 9}).value == Approx(low.trace()).epsilon(1e-9));
  CHECK(low.products <= 9);
  // Rotated eigenvalues 1/k^2: the same products, a fraction of the error (the mean over 20 seeds).
  dense_operator decaying{40, std::vector<double>(1600)};
  for (std::size_t k = 0; k < 40; ++k) {
    // Columns of the discrete cosine transform are orthonormal.
    const auto entry = [&](std::size_t i) {
      return std::sqrt((k == 0 ? 1.0 : 2.0) / 40) *
             std::cos(std::acos(-1.0) * (static_cast<double>(i) + 0.5) * static_cast<double>(k) / 40);
    };
    const double value = 1.0 / static_cast<double>((k + 1) * (k + 1));
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t j = 0; j < 40; ++j) decaying.a[i * 40 + j] += value * entry(i) * entry(j);
    }
  }
  double plus = 0.0;
  double plain = 0.0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    plus += std::abs(hutch_plus_plus(decaying, {.draws = 15, .seed = seed}).value - decaying.trace());
    plain += std::abs(hutchinson(decaying, {.draws = 15, .seed = seed}).trace.value - decaying.trace());
  }
  CHECK(plus < 0.5 * plain);
  CHECK(std::isnan(hutch_plus_plus(decaying, {.draws = 3}).standard_error));
  CHECK(hutch_plus_plus(decaying, {.draws = 4}).standard_error > 0.0);
  CHECK_THROWS_WITH(hutch_plus_plus(low, {.draws = 2}), Catch::Contains("draws is 2 but must be at least 3"));
}

TEST_CASE("the spectral density has the moments of the spectrum and weights that sum to one") {
  // For a multiple of an orthogonal symmetric matrix with eigenvalues +-2 every vector's weights depend on the vector,
  // but the second moment is 4 exactly.
  auto swap = dense_operator{2, {0.0, 2.0, 2.0, 0.0}};
  const auto points = spectral_density(swap, {.steps = 2, .draws = 3});
  CHECK(points.mean([](double) { return 1.0; }) == Approx(1.0));
  CHECK(points.mean([](double value) { return value * value; }) == Approx(4.0));
  auto h = random_symmetric(60, 7);
  const auto spread = spectral_density(h, {.steps = 30, .draws = 50});
  CHECK(spread.mean([](double) { return 1.0; }) == Approx(1.0));
  CHECK(60.0 * spread.mean([](double value) { return value * value; }) == Approx(h.squares()).epsilon(0.1));
  // The smoothed density is one: its integral by the trapezoidal rule.
  double integral = 0.0;
  for (int i = -400; i <= 400; ++i) integral += 0.1 * spread.density(0.1 * i, 0.5);
  CHECK(integral == Approx(1.0).epsilon(1e-6));
}

TEST_CASE("the curvature of a small network agrees with its dense Hessian") {
  const nn::model<double, reference_backend> mlp(nn::mlp({4}, 3), {1, 2, 2}, 3);
  random_stream random({8, purpose::test});
  std::vector<double> images(40);
  for (double& pixel : images) pixel = random.normal();
  std::vector<int> labels(10);
  for (int& label : labels) label = static_cast<int>(random.below(3));
  std::vector<double> x(mlp.size());
  mlp.initialize(x, 1);
  const auto f = mlp.on(std::span<const double>(images), std::span<const int>(labels));
  // Column by column with differences of its own: g(x + h e_j) - g(x - h e_j).
  const std::size_t n = x.size();
  dense_operator dense{n, std::vector<double>(n * n)};
  std::vector<double> plus(n), minus(n);
  for (std::size_t j = 0; j < n; ++j) {
    std::vector<double> point = x;
    point[j] = x[j] + 1e-5;
    (void)f.loss_and_gradient(point, plus);
    point[j] = x[j] - 1e-5;
    (void)f.loss_and_gradient(point, minus);
    for (std::size_t i = 0; i < n; ++i) dense.a[i * n + j] += (plus[i] - minus[i]) / 4e-5;
    for (std::size_t i = 0; i < n; ++i) dense.a[j * n + i] += (plus[i] - minus[i]) / 4e-5;
  }
  auto h = hessian_at(f, std::span<const double>(x));
  const std::vector<double> all = topology::symmetric_eigenvalues(dense.a, n);
  CHECK(largest_eigenvalues(h, {.tolerance = 1e-6}).largest.front().value == Approx(all.back()).epsilon(1e-5));
  const auto found = hutchinson(h, {.draws = 300});
  CHECK(std::abs(found.trace.value - dense.trace()) < 4.0 * found.trace.standard_error);
  CHECK(found.frobenius_norm == Approx(std::sqrt(dense.squares())).epsilon(0.15));
}
