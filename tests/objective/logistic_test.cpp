#include "polder/objective/logistic.hpp"

#include <algorithm>
#include <limits>
#include <numbers>
#include <set>

#include "objective/support.hpp"
#include "polder/objective/objective.hpp"
#include "support/catch.hpp"

using namespace polder;

static_assert(objective<logistic<float>, host_space, float>);
static_assert(objective<logistic<double>, host_space, double>);
static_assert(minibatch_objective<logistic<float>>);

namespace {

constexpr std::size_t samples = 21;
constexpr std::size_t dimension = 4;

logistic<double> some_logistic(logistic_options options = {}) {
  std::vector<int> labels(samples);
  for (std::size_t k = 0; k < samples; ++k) labels[k] = k % 3 == 0 ? 1 : 0;
  return {test::normal_numbers(samples * dimension, 7), labels, options};
}

/// One feature that says which sample it is, so that the gradient tells who was in the minibatch.
logistic<double> numbered(std::size_t count, logistic_options options) {
  std::vector<double> features(count * count);
  for (std::size_t k = 0; k < count; ++k) features[k * count + k] = 1.0;
  return {features, std::vector<int>(count, 1), options};
}
std::vector<std::size_t> batch_of(logistic<double>& f, std::uint64_t step) {
  f.select_batch(step);
  const std::vector<double> x(f.size());
  std::vector<double> g(f.size());
  f.loss_and_gradient(std::span<const double>(x), std::span<double>(g));
  std::vector<std::size_t> members;
  for (std::size_t k = 0; k + 1 < g.size(); ++k) {
    if (g[k] != 0.0) members.push_back(k);
  }
  return members;
}

}  // namespace

TEST_CASE("logistic regression has the loss and gradient of its formula") {
  const logistic<double> f({1.0, 2.0, -3.0, 0.5}, {1, 0});
  const std::vector<double> x{0.5, -0.25, 0.1};
  std::vector<double> g(3, 99.0);
  const double loss = f.loss_and_gradient(std::span<const double>(x), std::span<double>(g));
  const double first = 0.5 - 0.5 + 0.1;
  const double second = -1.5 - 0.125 + 0.1;
  CHECK(loss == Approx(0.5 * (std::log(1 + std::exp(-first)) + std::log(1 + std::exp(second)))).epsilon(1e-14));
  const double a = -1 / (1 + std::exp(first));
  const double b = 1 / (1 + std::exp(-second));
  CHECK(g[0] == Approx(0.5 * (a * 1.0 + b * -3.0)).epsilon(1e-14));
  CHECK(g[1] == Approx(0.5 * (a * 2.0 + b * 0.5)).epsilon(1e-14));
  CHECK(g[2] == Approx(0.5 * (a + b)).epsilon(1e-14));
}

TEST_CASE("the gradient of logistic regression agrees with central differences on the batch and on all samples") {
  const std::vector<double> x = test::normal_numbers(dimension + 1, 8);
  CHECK(test::gradient_error(some_logistic(), x) < 1e-9);
  logistic<double> f = some_logistic({.batch = 5});
  f.select_batch(2);
  CHECK(test::gradient_error(f, x) < 1e-9);
}

TEST_CASE("at zero the loss is log 2, and hopeless margins give finite losses and gradients") {
  const logistic<float> f({1.0f, 1.0f}, {1, 0});
  std::vector<float> x{0.0f, 0.0f};
  std::vector<float> g(2);
  CHECK(f.loss_and_gradient(std::span<const float>(x), std::span<float>(g)) == Approx(std::numbers::ln2));
  x[0] = 1e30f;
  CHECK(f.loss_and_gradient(std::span<const float>(x), std::span<float>(g)) == Approx(0.5e30));
  CHECK(g[0] == 0.5f);
  x[0] = -1e30f;
  CHECK(f.loss_and_gradient(std::span<const float>(x), std::span<float>(g)) == Approx(0.5e30));
  CHECK(g[0] == -0.5f);
}

TEST_CASE("an epoch shows every sample once, in an order of its own, and drops an incomplete batch") {
  logistic<double> f = numbered(11, {.batch = 3, .seed = 4, .worker = 1});
  REQUIRE(f.steps_per_epoch() == 3);
  std::set<std::size_t> seen;
  for (std::uint64_t step = 0; step < 3; ++step) {
    const auto members = batch_of(f, step);
    CHECK(members.size() == 3);
    seen.insert(members.begin(), members.end());
  }
  CHECK(seen.size() == 9);
  CHECK((batch_of(f, 0) != batch_of(f, 3) || batch_of(f, 1) != batch_of(f, 4)));
}

TEST_CASE("a minibatch is a function of step, seed and worker alone") {
  logistic<double> walked = numbered(40, {.batch = 8, .seed = 4, .worker = 1});
  for (std::uint64_t step = 0; step < 13; ++step) walked.select_batch(step);
  logistic<double> resumed = numbered(40, {.batch = 8, .seed = 4, .worker = 1});
  CHECK(batch_of(walked, 13) == batch_of(resumed, 13));
  logistic<double> other_worker = numbered(40, {.batch = 8, .seed = 4, .worker = 2});
  logistic<double> other_seed = numbered(40, {.batch = 8, .seed = 5, .worker = 1});
  CHECK(batch_of(resumed, 13) != batch_of(other_worker, 13));
  CHECK(batch_of(resumed, 13) != batch_of(other_seed, 13));
}

TEST_CASE("without a batch size every step sees all samples in the order given") {
  logistic<double> f = some_logistic();
  const std::vector<double> x = test::normal_numbers(dimension + 1, 9);
  std::vector<double> first(x.size());
  std::vector<double> later(x.size());
  const double loss = f.loss_and_gradient(std::span<const double>(x), std::span<double>(first));
  f.select_batch(17);
  CHECK(f.loss_and_gradient(std::span<const double>(x), std::span<double>(later)) == loss);
  CHECK(first == later);
}

TEST_CASE("gradient descent on separable samples classifies them all") {
  logistic<float> f({-2.0f, -1.0f, 1.5f, 3.0f}, {0, 0, 1, 1});
  std::vector<float> x(2);
  std::vector<float> g(2);
  CHECK(f.accuracy(std::span<const float>(x)) == 0.5);
  for (int step = 0; step < 200; ++step) {
    f.loss_and_gradient(std::span<const float>(x), std::span<float>(g));
    for (std::size_t i = 0; i < 2; ++i) x[i] -= 0.5f * g[i];
  }
  CHECK(f.accuracy(std::span<const float>(x)) == 1.0);
}

TEST_CASE("the layout of logistic regression names the weight and the bias") {
  const layout tensors = some_logistic().layout();
  REQUIRE(tensors.tensors().size() == 2);
  CHECK(tensors.size() == dimension + 1);
  CHECK(tensors.tensors()[0].name == "weight");
  CHECK(tensors.tensors()[1].name == "bias");
  CHECK(tensors.tensors()[1].offset == dimension);
}

TEST_CASE("samples that cannot be are refused with their reason") {
  using model = logistic<double>;
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK(test::refuses([] { (void)model({}, {}); }, "0 features for 0 labels"));
  CHECK(test::refuses([] { (void)model({}, {1}); }, "0 features for 1 labels"));
  CHECK(test::refuses([] { (void)model({1, 2, 3}, {1, 0}); }, "3 features for 2 labels"));
  CHECK(test::refuses([] { (void)model({1, 2}, {1, 2}); }, "the label of sample 1 is 2"));
  CHECK(test::refuses<data_error>(
      [infinite] {
        (void)model({1, 2, 3, infinite}, {1, 0});
      },
      "feature 1 of sample 1 is inf"));
  CHECK(test::refuses([] { (void)model({1, 2}, {1, 0}, {.batch = 3}); }, "a batch of 3 from 2 samples"));
  const std::vector<double> x(3);
  std::vector<double> g(3);
  CHECK_THROWS_AS(model({1, 2}, {1, 0}).loss_and_gradient(std::span<const double>(x), std::span<double>(g)),
                  config_error);
}
