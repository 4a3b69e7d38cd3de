#include "polder/objective/quadratic.hpp"

#include <limits>

#include "objective/support.hpp"
#include "polder/core/layout.hpp"
#include "polder/objective/objective.hpp"
#include "support/catch.hpp"

using namespace polder;

static_assert(objective<quadratic, host_space, float>);
static_assert(objective<quadratic, host_space, double>);
static_assert(!minibatch_objective<quadratic>);

namespace {

std::vector<double> symmetric(std::size_t n) {
  const std::vector<double> a = test::normal_numbers(n * n, 1);
  std::vector<double> h(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) h[i * n + j] = a[i * n + j] + a[j * n + i];
  }
  return h;
}

template <class T>
std::pair<double, std::vector<T>> evaluate(const quadratic& f, const std::vector<T>& x) {
  std::vector<T> g(x.size(), std::numeric_limits<T>::quiet_NaN());
  const double loss = f.loss_and_gradient(std::span<const T>(x), std::span<T>(g));
  return {loss, g};
}

}  // namespace

TEST_CASE("a diagonal quadratic has the loss and gradient of its formula") {
  const auto f = quadratic::diagonal({2.0, -4.0, 0.5}, {1.0, 0.0, -2.0});
  const auto [loss, g] = evaluate<double>(f, {3.0, 0.5, 2.0});
  CHECK(loss == 0.5 * (2.0 * 4.0 - 4.0 * 0.25 + 0.5 * 16.0));
  CHECK(g == std::vector<double>{4.0, -2.0, 2.0});
}

TEST_CASE("a dense quadratic has the loss and gradient of its formula") {
  const auto f = quadratic::dense({2.0, 1.0, 1.0, 3.0}, {1.0, -1.0});
  const auto [loss, g] = evaluate<double>(f, {2.0, 1.0});
  CHECK(loss == 0.5 * (1.0 * 4.0 + 2.0 * 7.0));
  CHECK(g == std::vector<double>{4.0, 7.0});
}

TEST_CASE("at its center a quadratic has neither loss nor gradient") {
  const auto [loss, g] = evaluate<float>(quadratic::diagonal({1.0, 9.0}, {0.5, -0.25}), {0.5f, -0.25f});
  CHECK(loss == 0.0);
  CHECK(g == std::vector<float>{0.0f, 0.0f});
}

TEST_CASE("a quadratic without a center is centered at zero") {
  CHECK(evaluate<double>(quadratic::diagonal({3.0}), {2.0}).first == 6.0);
  CHECK(evaluate<double>(quadratic::dense({3.0}), {2.0}).first == 6.0);
}

TEST_CASE("a dense quadratic with a diagonal matrix is the diagonal one") {
  const std::vector<double> x{0.3, -1.7, 2.1};
  const auto diagonal = evaluate<double>(quadratic::diagonal({1.0, 2.0, 5.0}, {0.1, 0.2, 0.3}), x);
  const auto dense = evaluate<double>(quadratic::dense({1, 0, 0, 0, 2, 0, 0, 0, 5}, {0.1, 0.2, 0.3}), x);
  CHECK(diagonal == dense);
}

TEST_CASE("the gradients of both kinds agree with central differences") {
  const std::size_t n = 7;
  const std::vector<double> x = test::normal_numbers(n, 2);
  const std::vector<double> c = test::normal_numbers(n, 3);
  CHECK(test::gradient_error(quadratic::diagonal(test::normal_numbers(n, 4), c), x) < 1e-9);
  CHECK(test::gradient_error(quadratic::dense(symmetric(n), c), x) < 1e-9);
}

TEST_CASE("a quadratic in float is the one in double, rounded once") {
  const std::vector<double> c = test::normal_numbers(4, 5);
  const auto f = quadratic::dense(symmetric(4), c);
  const std::vector<float> x{0.1f, -2.0f, 3.5f, 0.7f};
  const auto narrow = evaluate<float>(f, x);
  const auto wide = evaluate<double>(f, {x.begin(), x.end()});
  // The two loops may fuse multiplications and additions in different places.
  CHECK(narrow.first == Approx(wide.first).epsilon(1e-14));
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(narrow.second[i] == static_cast<float>(wide.second[i]));
}

TEST_CASE("a quadratic that cannot be is refused with its reason") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(test::refuses([] { (void)quadratic::diagonal({}); }, "at least 1 parameter"));
  CHECK(test::refuses([] { (void)quadratic::dense({}); }, "at least 1 parameter"));
  CHECK(test::refuses([] { (void)quadratic::diagonal({1, 2}, {1}); }, "the center has 1 numbers but H is for 2"));
  CHECK(test::refuses([] { (void)quadratic::dense({1, 2, 3}); }, "not a square matrix"));
  CHECK(test::refuses([] { (void)quadratic::dense({1, 2, 3, 4}); }, "H(1, 0) is 3 but H(0, 1) is 2"));
  CHECK(test::refuses([nan] { (void)quadratic::diagonal({nan}); }, "H holds nan"));
  CHECK(test::refuses([nan] { (void)quadratic::diagonal({1}, {nan}); }, "the center holds nan"));
  CHECK_THROWS_AS(evaluate<double>(quadratic::diagonal({1, 2}), {1.0}), config_error);
}
