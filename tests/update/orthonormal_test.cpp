// Orthonormal columns: how orthonormal they are, what becomes of columns without content, and what is refused.
#include "polder/update/orthonormal.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "polder/core/random.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;

template <class T>
std::vector<T> random_matrix(std::size_t rows, std::size_t columns) {
  random_stream random({6, purpose::test});
  std::vector<T> x(rows * columns);
  for (T& v : x) v = static_cast<T>(random.normal());
  return x;
}
/// The greatest deviation of X^T X from the identity; columns of zeros count as they should be.
template <class T>
double deviation(const std::vector<T>& x, std::size_t rows, std::size_t columns) {
  double worst = 0.0;
  for (std::size_t a = 0; a < columns; ++a) {
    for (std::size_t b = 0; b < columns; ++b) {
      double dot = 0.0;
      for (std::size_t i = 0; i < rows; ++i) {
        dot += static_cast<double>(x[i * columns + a]) * static_cast<double>(x[i * columns + b]);
      }
      worst = std::max(worst, std::abs(dot - (a == b ? 1.0 : 0.0)));
    }
  }
  return worst;
}

TEST_CASE("columns become orthonormal to a few roundings and span what they did") {
  const auto check = [](auto number) {
    using T = decltype(number);
    const double epsilon = std::numeric_limits<T>::epsilon();
    for (const std::size_t columns : {1u, 2u, 4u, 9u}) {
      const std::vector<T> before = random_matrix<T>(40, columns);
      std::vector<T> x = before;
      REQUIRE(polder::detail::orthonormalize_columns(x.data(), 40, columns));
      CHECK(deviation(x, 40, columns) < 8.0 * epsilon);
      // What was a column lies in the span of the first columns up to it: X X^T b = b.
      for (std::size_t j = 0; j < columns; ++j) {
        std::vector<double> rest(40);
        for (std::size_t i = 0; i < 40; ++i) rest[i] = static_cast<double>(before[i * columns + j]);
        for (std::size_t k = 0; k <= j; ++k) {
          double dot = 0.0;
          for (std::size_t i = 0; i < 40; ++i) {
            dot += static_cast<double>(x[i * columns + k]) * static_cast<double>(before[i * columns + j]);
          }
          for (std::size_t i = 0; i < 40; ++i) rest[i] -= dot * static_cast<double>(x[i * columns + k]);
        }
        for (const double r : rest) CHECK(std::abs(r) < 40.0 * epsilon);
      }
    }
  };
  check(0.0f);
  check(0.0);
}

TEST_CASE("as many orthonormal columns as rows make up the identity") {
  std::vector<double> x = random_matrix<double>(7, 7);
  REQUIRE(polder::detail::orthonormalize_columns(x.data(), 7, 7));
  for (std::size_t a = 0; a < 7; ++a) {
    for (std::size_t b = 0; b < 7; ++b) {
      double dot = 0.0;
      for (std::size_t k = 0; k < 7; ++k) dot += x[a * 7 + k] * x[b * 7 + k];
      CHECK(std::abs(dot - (a == b ? 1.0 : 0.0)) < 1e-14);
    }
  }
}

TEST_CASE("nearly dependent columns are orthogonal all the same") {
  const auto check = [](auto number, double apart) {
    using T = decltype(number);
    std::vector<T> x = random_matrix<T>(50, 3);
    const std::vector<T> noise = random_matrix<T>(50, 4);
    for (std::size_t i = 0; i < 50; ++i) {
      x[i * 3 + 1] = static_cast<T>(static_cast<double>(x[i * 3]) + apart * static_cast<double>(noise[i * 4]));
    }
    REQUIRE(polder::detail::orthonormalize_columns(x.data(), 50, 3));
    CHECK(deviation(x, 50, 3) < 8.0 * std::numeric_limits<T>::epsilon());
  };
  check(0.0f, 1e-4);
  check(0.0, 1e-11);
}

TEST_CASE("a column that others make up, or of zeros, becomes zero and leaves the others whole") {
  std::vector<double> x = random_matrix<double>(20, 4);
  for (std::size_t i = 0; i < 20; ++i) {
    x[i * 4 + 1] = 0.0;
    x[i * 4 + 2] = -3.0 * x[i * 4];
  }
  REQUIRE(polder::detail::orthonormalize_columns(x.data(), 20, 4));
  std::vector<double> rest;
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(x[i * 4 + 1] == 0.0);
    CHECK(x[i * 4 + 2] == 0.0);
    rest.push_back(x[i * 4]);
    rest.push_back(x[i * 4 + 3]);
  }
  CHECK(deviation(rest, 20, 2) < 1e-14);
}

TEST_CASE("numbers that are not finite are told") {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> x = random_matrix<float>(6, 2);
    x[7] = bad;
    CHECK_FALSE(polder::detail::orthonormalize_columns(x.data(), 6, 2));
  }
}

}  // namespace
