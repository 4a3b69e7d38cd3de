#include "polder/topology/eigenvalues.hpp"

#include <cmath>
#include <numbers>

#include "topology/support.hpp"

using namespace polder;
using topology::symmetric_eigenvalues;
using numbers = std::vector<double>;

namespace {

void check_close(const numbers& found, const numbers& expected, double margin) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t k = 0; k < found.size(); ++k) {
    INFO("eigenvalue " << k << ": " << found[k] << ", expected " << expected[k]);
    CHECK(std::abs(found[k] - expected[k]) <= margin);
  }
}

// H diag(values) H with the reflection H = I - 2 v v^T / |v|², v_k = sin(k + 1).
numbers reflected(const numbers& values) {
  const std::size_t n = values.size();
  numbers v(n);
  double squares = 0;
  for (std::size_t k = 0; k < n; ++k) {
    v[k] = std::sin(static_cast<double>(k + 1));
    squares += v[k] * v[k];
  }
  const auto h = [&](std::size_t i, std::size_t j) { return (i == j ? 1.0 : 0.0) - 2 * v[i] * v[j] / squares; };
  numbers a(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < n; ++k) a[i * n + j] += h(i, k) * values[k] * h(k, j);
    }
  }
  return a;
}

}  // namespace

TEST_CASE("the eigenvalues of a diagonal matrix are its diagonal, sorted") {
  check_close(symmetric_eigenvalues({3, 0, 0, 0, -1, 0, 0, 0, 2}, 3), {-1, 2, 3}, 1e-15);
  check_close(symmetric_eigenvalues({7}, 1), {7}, 1e-14);
  check_close(symmetric_eigenvalues(numbers(16), 4), numbers(4), 0);
  CHECK(symmetric_eigenvalues({}, 0).empty());
}

TEST_CASE("the eigenvalues of a path are twice the cosines") {
  constexpr std::size_t n = 50;
  numbers a(n * n);
  numbers expected(n);
  for (std::size_t k = 0; k < n; ++k) {
    if (k + 1 < n) a[k * n + k + 1] = a[(k + 1) * n + k] = 1;
    expected[n - 1 - k] = 2 * std::cos(std::numbers::pi * static_cast<double>(k + 1) / (n + 1));
  }
  check_close(symmetric_eigenvalues(a, n), expected, 1e-14);
}

TEST_CASE("known eigenvalues come back from a full matrix, repeated and clustered ones too") {
  check_close(symmetric_eigenvalues(reflected({-2, -2, -2, 0, 0, 1e-9, 1, 1 + 1e-10, 5, 5}), 10),
              {-2, -2, -2, 0, 0, 1e-9, 1, 1 + 1e-10, 5, 5}, 2e-14);
  numbers spread(60);
  for (std::size_t k = 0; k < spread.size(); ++k) spread[k] = std::pow(10.0, static_cast<double>(k) / 10 - 3);
  check_close(symmetric_eigenvalues(reflected(spread), 60), spread, 1e-11);
}

TEST_CASE("a coupling whose square is lost beside one still splits equal eigenvalues") {
  const double e = 1e-9;
  check_close(symmetric_eigenvalues({1, 0, e, 0, 0, 1, e, 1, 0}, 3),
              {-1, 1 - e / std::numbers::sqrt2, 1 + e / std::numbers::sqrt2}, 3e-15);
}

TEST_CASE("only the lower triangle is read") { check_close(symmetric_eigenvalues({2, 99, 1, 2}, 2), {1, 3}, 2e-15); }

TEST_CASE("very great and very small matrices keep their digits") {
  check_close(symmetric_eigenvalues({2e100, 1e100, 1e100, 2e100}, 2), {1e100, 3e100}, 2e85);
  check_close(symmetric_eigenvalues({2e-100, 1e-100, 1e-100, 2e-100}, 2), {1e-100, 3e-100}, 2e-115);
}

TEST_CASE("numbers that are no square matrix are refused") {
  check_parts(message_of<config_error>([] { (void)symmetric_eigenvalues(numbers(5), 2); }), {"5 numbers", "2 x 2"});
}
