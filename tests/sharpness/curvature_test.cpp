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
#include "polder/sharpness/curvature.hpp"
#include "polder/sharpness/filters.hpp"
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
    CHECK(pairs[k - 1].value == within(2.0 * std::cos(static_cast<double>(k) * pi / 8), 1e-14));
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

TEST_CASE("differences are wrong by O(h^2) beyond quadratics") {
  // The gradient x^3 has the differences (x + h v)^3 - (x - h v)^3 = 2 h (3 x^2 v + h^2 v^3).
  struct quartic {
    double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
      double loss = 0.0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        g[i] = x[i] * x[i] * x[i];
        loss += 0.25 * g[i] * x[i];
      }
      return loss;
    }
  } f;
  const std::vector<double> x{2.0, -1.0, 0.5, 0.0}, v{3.0, 1.0, -2.0, 4.0};
  std::vector<double> hv(4);
  const double at = std::sqrt(5.25), along = std::sqrt(30.0);
  for (const double step : {1e-1, 1e-2, 1e-3}) {
    CAPTURE(step);
    const double h = step * (1.0 + at) / along;
    difference_hessian<quartic, double>(f, x, step).multiply(v, hv);
    for (std::size_t i = 0; i < 4; ++i) {
      const double error = h * h * v[i] * v[i] * v[i];
      CHECK(hv[i] - 3.0 * x[i] * x[i] * v[i] == Approx(error).epsilon(1e-5));
    }
  }
  // The default step: both errors are of the order of epsilon^(2/3).
  hessian_at(f, std::span<const double>(x)).multiply(v, hv);
  for (std::size_t i = 0; i < 4; ++i) CHECK(hv[i] == within(3.0 * x[i] * x[i] * v[i], 1e-8));
}

namespace {

/// A network of 35 parameters on ten samples, and its Hessian column by column with differences of its own,
/// g(x + h e_j) - g(x - h e_j).
struct small_network {
  nn::model<double, reference_backend> mlp{nn::mlp({4}, 3), {1, 2, 2}, 3};
  std::vector<double> images, x;
  std::vector<int> labels;
  dense_operator dense;

  [[nodiscard]] auto objective() const { return mlp.on(std::span<const double>(images), std::span<const int>(labels)); }
  small_network() : images(40), x(mlp.size()), labels(10), dense{x.size(), std::vector<double>(x.size() * x.size())} {
    random_stream random({8, purpose::test});
    for (double& pixel : images) pixel = random.normal();
    for (int& label : labels) label = static_cast<int>(random.below(3));
    mlp.initialize(x, 1);
    const auto f = objective();
    const std::size_t n = x.size();
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
  }
  [[nodiscard]] std::vector<double> eigenvalues() const { return topology::symmetric_eigenvalues(dense.a, dense.n); }
};

}  // namespace

TEST_CASE("the curvature of a small network agrees with its dense Hessian") {
  const small_network net;
  const auto f = net.objective();
  auto h = hessian_at(f, std::span<const double>(net.x));
  CHECK(largest_eigenvalues(h, {.tolerance = 1e-6}).largest.front().value ==
        Approx(net.eigenvalues().back()).epsilon(1e-5));
  const auto found = hutchinson(h, {.draws = 300});
  CHECK(std::abs(found.trace.value - net.dense.trace()) < 4.0 * found.trace.standard_error);
  CHECK(found.frobenius_norm == Approx(std::sqrt(net.dense.squares())).epsilon(0.15));
}

TEST_CASE("Hutch++ finds the trace of a small network's Hessian, exactly where its basis spans the range") {
  const small_network net;
  const auto f = net.objective();
  auto h = hessian_at(f, std::span<const double>(net.x));
  CHECK(hutch_plus_plus(h, {.draws = 3 * net.x.size()}).value == within(net.dense.trace(), 1e-7));
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto found = hutch_plus_plus(h, {.draws = 30, .seed = seed});
    CHECK(found.standard_error > 0.0);
    CHECK(std::abs(found.value - net.dense.trace()) < 4.0 * found.standard_error);
  }
}

TEST_CASE("the spectral density of a small network is that of its dense Hessian's eigenvalues") {
  const small_network net;
  const auto f = net.objective();
  auto h = hessian_at(f, std::span<const double>(net.x));
  const std::vector<double> all = net.eigenvalues();
  const auto n = static_cast<double>(all.size());
  const std::size_t draws = 400;
  const auto points = spectral_density(h, {.steps = all.size(), .draws = draws});
  // With as many steps as parameters the Ritz values are eigenvalues.
  for (std::size_t i = 0; i < points.values.size(); ++i) {
    if (points.weights[i] < 1e-12) continue;
    double nearest = INFINITY;
    for (const double value : all) nearest = std::min(nearest, std::abs(points.values[i] - value));
    CHECK(nearest < 1e-7);
  }
  // A draw has the mean of f over the eigenvalues for mean, with variance 2 / (n + 2) times that of f over them.
  const auto agrees = [&](const auto& of, double found) {
    double mean = 0.0, variance = 0.0;
    for (const double value : all) mean += of(value) / n;
    for (const double value : all) variance += (of(value) - mean) * (of(value) - mean) / n;
    const double deviation = std::sqrt(2.0 / (n + 2.0) * variance / static_cast<double>(draws));
    CAPTURE(mean, deviation);
    CHECK(std::abs(found - mean) < 4.0 * deviation);
  };
  const auto itself = [](double value) { return value; };
  const auto square = [](double value) { return value * value; };
  const auto decay = [](double value) { return std::exp(-value); };
  agrees(itself, points.mean(itself));
  agrees(square, points.mean(square));
  agrees(decay, points.mean(decay));
  const double width = 0.05;
  for (const double at : {0.0, 0.1, 0.5, all.back()}) {
    CAPTURE(at);
    const auto bump = [&](double value) {
      const double z = (at - value) / width;
      return std::exp(-0.5 * z * z) / (width * std::sqrt(2.0 * std::acos(-1.0)));
    };
    agrees(bump, points.density(at, width));
  }
}

TEST_CASE("the Hessian relative to filters is S H S of a small network's dense Hessian") {
  const small_network net;
  const auto f = net.objective();
  auto h = hessian_at(f, std::span<const double>(net.x));
  const std::vector<double> s = filter_scales(f.layout(), std::span<const double>(net.x));
  scaled_operator scaled(h, s);
  const std::size_t n = s.size();
  dense_operator expected{n, net.dense.a};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) expected.a[i * n + j] *= s[i] * s[j];
  }
  std::vector<double> unit(n), column(n);
  for (std::size_t j = 0; j < n; ++j) {
    unit.assign(n, 0.0);
    unit[j] = 1.0;
    scaled.multiply(unit, column);
    for (std::size_t i = 0; i < n; ++i) REQUIRE(column[i] == within(expected.a[i * n + j], 1e-7));
  }
  CHECK(largest_eigenvalues(scaled, {.tolerance = 1e-9}).largest.front().value ==
        within(topology::symmetric_eigenvalues(expected.a, n).back(), 1e-6));
  CHECK(hutch_plus_plus(scaled, {.draws = 3 * n}).value == within(expected.trace(), 1e-6));
}
