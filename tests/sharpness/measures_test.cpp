// Epsilon-sharpness, low-pass, local entropy, PAC-Bayes, Fisher-Rao and Shannon entropy against closed forms.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/core/random.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "polder/objective/quadratic.hpp"
#include "polder/sharpness/epsilon_sharpness.hpp"
#include "polder/sharpness/filters.hpp"
#include "polder/sharpness/local_entropy.hpp"
#include "polder/sharpness/low_pass.hpp"
#include "polder/sharpness/output.hpp"
#include "polder/sharpness/pac_bayes.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::sharpness;
using numbers = std::vector<double>;
using point = std::span<const double>;

/// 1/2 x^T diag(h) x
struct bowl {
  numbers h;
  double operator()(point x) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += 0.5 * h[i] * x[i] * x[i];
    return sum;
  }
  [[nodiscard]] numbers scaled(const numbers& s) const {
    numbers to = h;
    for (std::size_t i = 0; i < to.size(); ++i) to[i] *= s[i] * s[i];
    return to;
  }
};
double sum_of(const numbers& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum;
}

const bowl valley{{2.0, 0.5, 1.0, 4.0}};
const numbers here{0.3, -0.2, 0.5, 0.1};
const numbers scales{1.0, 2.0, 0.5, 3.0};

/// A convolution between two norms, then a dense layer: filters that can be rescaled without changing the function.
nn::sequential small_network() {
  return {nn::conv2d{.channels = 4, .kernel = 3, .padding = 1}, nn::relu{}, nn::dense{.units = 3}};
}
struct batch {
  nn::model<double, reference_backend> model{small_network(), {1, 4, 4}, 3};
  numbers images, x;
  std::vector<int> labels;

  batch() : images(8 * 16), x(model.size()), labels(8) {
    random_stream random({21, purpose::test});
    for (double& pixel : images) pixel = random.normal();
    for (int& label : labels) label = static_cast<int>(random.below(3));
    model.initialize(x, 1);
    for (double& number : x) number += 0.1 * random.normal();
  }
  [[nodiscard]] auto objective() const { return model.on(point(images), std::span<const int>(labels)); }
  /// The same function: filter 1 of the convolution times c, what the dense layer makes of it divided by c.
  [[nodiscard]] numbers rescaled(double c) const {
    numbers to = x;
    for (std::size_t i = 9; i < 18; ++i) to[i] *= c;
    to[36 + 1] *= c;
    for (std::size_t unit = 0; unit < 3; ++unit) {
      for (std::size_t i = 16; i < 32; ++i) to[40 + unit * 64 + i] /= c;
    }
    return to;
  }
};

/// Two dense layers with ReLUs between: a unit times c, its column of the next layer over c, is the same function.
struct mlp_batch {
  nn::model<double, reference_backend> model{nn::mlp({5}, 3), {1, 4, 4}, 3};
  numbers images, x;
  std::vector<int> labels;

  mlp_batch() : images(12 * 16), x(model.size()), labels(12) {
    random_stream random({22, purpose::test});
    for (double& pixel : images) pixel = random.normal();
    for (int& label : labels) label = static_cast<int>(random.below(3));
    model.initialize(x, 1);
    for (double& number : x) number += 0.1 * random.normal();
  }
  [[nodiscard]] auto objective() const { return model.on(point(images), std::span<const int>(labels)); }
  [[nodiscard]] numbers rescaled(numbers of, const numbers& c) const {
    for (std::size_t unit = 0; unit < 5; ++unit) {
      for (std::size_t i = 0; i < 16; ++i) of[16 * unit + i] *= c[unit];
      of[80 + unit] *= c[unit];
      for (std::size_t k = 0; k < 3; ++k) of[85 + 5 * k + unit] /= c[unit];
    }
    return of;
  }
};

}  // namespace

TEST_CASE("filter scales are the norms of a filter and its bias, and scale with them") {
  const batch b;
  const numbers s = filter_scales(b.model.layout(), point(b.x));
  double squares = 0.0;
  for (std::size_t i = 9; i < 18; ++i) squares += b.x[i] * b.x[i];
  const double expected = std::sqrt(squares) + std::abs(b.x[37]);
  for (std::size_t i = 9; i < 18; ++i) CHECK(s[i] == Approx(expected).epsilon(1e-14));
  CHECK(s[37] == Approx(expected).epsilon(1e-14));
  CHECK(filter_scales(b.model.layout(), point(b.rescaled(3.0)))[10] == Approx(3.0 * expected).epsilon(1e-14));
  CHECK_THROWS_WITH(filter_scales(b.model.layout(), point(here)), Catch::Contains("4 parameters for a layout of"));
}

TEST_CASE("a tensor whose name has no dot is a layer of its own") {
  layout tensors;
  tensors.add("w", {2, 2});
  tensors.add("b", {2});
  tensors.add("w.scale", {2});
  tensors.add("w.shift", {2});
  const numbers x{3, 4, 6, 8, 7, 9, 1, 2, 10, 20};
  CHECK(filter_scales(tensors, point(x)) == numbers{5, 5, 10, 10, 7, 9, 11, 22, 11, 22});
}

TEST_CASE("a scaled operator is S H S") {
  struct diagonal_operator {
    numbers h;
    [[nodiscard]] std::size_t size() const { return h.size(); }
    void multiply(point v, std::span<double> hv) const {
      for (std::size_t i = 0; i < v.size(); ++i) hv[i] = h[i] * v[i];
    }
  } h{valley.h};
  scaled_operator scaled(h, scales);
  const numbers v{1.0, -2.0, 3.0, 0.5};
  numbers hv(4);
  scaled.multiply(v, hv);
  for (std::size_t i = 0; i < 4; ++i) CHECK(hv[i] == Approx(scales[i] * valley.h[i] * scales[i] * v[i]));
  CHECK(hessian_form(h, point(here)) == Approx(2.0 * valley(here)));
  CHECK_THROWS_WITH(scaled_operator(h, numbers{1.0}), Catch::Contains("1 scales for 4 parameters"));
}

TEST_CASE("epsilon-sharpness of a quadratic is its closed form, scaled or not") {
  const auto f = quadratic::diagonal(valley.h);
  for (const numbers& s : {numbers(4, 1.0), scales}) {
    numbers g(4);
    for (std::size_t i = 0; i < 4; ++i) g[i] = s[i] * valley.h[i] * here[i];
    const numbers h = valley.scaled(s);
    double squares = 0.0, curved = 0.0;
    for (std::size_t i = 0; i < 4; ++i) squares += g[i] * g[i];
    for (std::size_t i = 0; i < 4; ++i) curved += h[i] * g[i] * g[i] / squares;
    const double slope = std::sqrt(squares);
    for (const double epsilon : {0.1, 50.0}) {
      const double distance = (std::sqrt(squares + 2.0 * epsilon * curved) - slope) / curved;
      const auto found = epsilon_sharpness(f, point(here), {.epsilon = epsilon}, s);
      CHECK(found.distance == Approx(distance).epsilon(2e-6));
      CHECK(found.value == Approx(1.0 / distance).epsilon(2e-6));
      CHECK_FALSE(found.open);
    }
  }
  CHECK(epsilon_sharpness(f, point(here), {.farthest = 0.01}).open);
  CHECK_THROWS_WITH(epsilon_sharpness(f, point(numbers(4, 0.0))), Catch::Contains("the gradient is 0"));
  CHECK_THROWS_WITH(epsilon_sharpness(f, point(here), {.epsilon = 0.0}), Catch::Contains("epsilon is 0"));
  CHECK_THROWS_WITH(epsilon_sharpness(f, point(here), {}, point(numbers{1.0})), Catch::Contains("1 scales for 4"));
}

TEST_CASE("epsilon-sharpness takes one gradient, and only losses where the objective has them") {
  struct counting {
    double gap = 0.0;  // between the two ways to the loss, as rounding leaves one
    mutable std::size_t gradients = 0, losses = 0;
    double loss_and_gradient(point x, std::span<double> g) const {
      ++gradients;
      g[0] = 2.0;
      return 1.0 + 2.0 * x[0];
    }
    double loss(point x) const {
      ++losses;
      return 1.0 + gap + 2.0 * x[0];
    }
  };
  for (const double gap : {0.0, 1e-6, -1e-6}) {
    const counting f{gap};
    const auto found = epsilon_sharpness(f, point(numbers{0.5}), {.epsilon = 1e-7});
    CHECK(found.distance == Approx(0.5e-7).epsilon(1e-6));
    CHECK(f.gradients == 1);
    CHECK(f.losses + 1 == found.evaluations);
  }
}

TEST_CASE("a rise that is lost in rounding is refused") {
  struct high {
    double loss_and_gradient(point x, std::span<double> g) const {
      g[0] = 1.0;
      return 1e9 + x[0];
    }
  };
  CHECK_THROWS_WITH(epsilon_sharpness(high{}, point(numbers{1.0}), {.epsilon = 1e-9}),
                    Catch::Contains("an epsilon of 1e-09 is lost beside a loss of 1e+09: set a larger one"));
  CHECK(epsilon_sharpness(high{}, point(numbers{1.0}), {.epsilon = 1e-3}).distance == Approx(1e-3).epsilon(1e-3));
  const numbers origin{0.0};
  CHECK_THROWS_WITH(pac_bayes(point(origin), point(origin), [](point) { return 1e9; }, {.samples = 2, .rise = 1e-9}),
                    Catch::Contains("a rise of 1e-09 is lost beside a loss of 1e+09: set a larger one"));
  // The mean of ten equal losses rounds: without noise it must not be above itself.
  const double third = 1.0 / 3.0, least = std::nextafter(third, 1.0) - third;
  CHECK(pac_bayes(point(origin), point(origin), [&](point) { return third; }, {.samples = 2, .rise = least}).open);
  // A cliff however near has no distance to divide by.
  struct cliff {
    double loss_and_gradient(point x, std::span<double> g) const {
      g[0] = 1.0;
      return x[0] > 0.0 ? 5.0 : 1.0;
    }
  };
  CHECK_THROWS_WITH(epsilon_sharpness(cliff{}, point(origin)), Catch::Contains("however near"));
}

TEST_CASE("the low-pass loss of a quadratic is L + sigma^2 / 2 trace, scaled or not") {
  for (const numbers& s : {numbers(4, 1.0), scales}) {
    const double expected = valley(here) + 0.5 * 0.3 * 0.3 * sum_of(valley.scaled(s));
    const auto found = low_pass(point(here), valley, {.sigma = 0.3, .draws = 20000}, s);
    CHECK(std::abs(found.value - expected) < 4.0 * found.standard_error);
    CHECK(found.standard_error < 0.01 * expected);
  }
  CHECK_THROWS_WITH(low_pass(point(here), valley, {.sigma = 0.0}), Catch::Contains("sigma is 0"));
  CHECK_THROWS_WITH(low_pass(point(here), valley, {.draws = 0}), Catch::Contains("draws is 0"));
  const auto broken = [](point) { return std::nan(""); };
  CHECK_THROWS_AS(low_pass(point(here), broken), non_finite_error);
  // What helps is said in the measure's own terms.
  CHECK_THROWS_WITH(low_pass(point(here), broken), Catch::Contains("with sigma 0.01: take a smaller sigma"));
  CHECK_THROWS_WITH(local_entropy(point(here), broken), Catch::Contains("with gamma 100: take a larger gamma"));
  CHECK_THROWS_WITH(pac_bayes(point(here), point(here), broken, {.samples = 1}),
                    Catch::Contains("the loss is nan at the point itself"));
}

TEST_CASE("local entropy of a quadratic is the integral of a Gaussian, scaled or not") {
  const double gamma = 5.0;
  for (const numbers& s : {numbers(4, 1.0), scales}) {
    const numbers h = valley.scaled(s);
    // Each coordinate: E exp(-h (x + z)^2 / 2) = sqrt(gamma / (gamma + h)) exp(-gamma h x^2 / (2 (gamma + h))).
    // E exp(-2 L) is the same with 2 h in place of h.
    const auto free = [&](double factor) {
      double sum = 0.0;
      for (std::size_t i = 0; i < 4; ++i) {
        const double x = here[i] / s[i], curved = factor * h[i];
        sum += 0.5 * std::log((gamma + curved) / gamma) + 0.5 * gamma * curved * x * x / (gamma + curved);
      }
      return sum;
    };
    const auto found = local_entropy(point(here), valley, {.gamma = gamma, .draws = 100000}, s);
    const double deviation = std::sqrt((std::exp(2.0 * free(1.0) - free(2.0)) - 1.0) / 100000);
    CHECK(std::abs(found.loss - free(1.0)) < 4.0 * deviation);
    CHECK(found.standard_error == Approx(deviation).epsilon(0.03));
    CHECK(found.value == Approx(found.loss - 2.0 * std::log(2.0 * std::numbers::pi / gamma)).epsilon(1e-12));
  }
  // A constant loss, however large, is itself: no overflow.
  CHECK(local_entropy(point(here), [](point) { return 5000.0; }).loss == Approx(5000.0));
  CHECK(std::isnan(local_entropy(point(here), valley, {.draws = 1}).standard_error));
  CHECK_THROWS_WITH(local_entropy(point(here), valley, {.gamma = -1.0}), Catch::Contains("gamma is -1"));
}

TEST_CASE("PAC-Bayes of a quadratic at its minimum has sigma^2 = 2 rise / trace, scaled or not") {
  const numbers minimum(4, 0.0), start{1.0, 2.0, -1.0, 0.5};
  for (const numbers& s : {numbers(4, 1.0), scales}) {
    const numbers h = valley.scaled(s);
    const auto found = pac_bayes(point(minimum), point(start), valley, {.samples = 50, .rise = 0.3, .draws = 20000}, s);
    double squares = 0.0, way = 0.0;
    for (std::size_t i = 0; i < 4; ++i) squares += h[i] * h[i];
    for (std::size_t i = 0; i < 4; ++i) way += start[i] / s[i] * (start[i] / s[i]);
    // The mean of z^T H z over the draws has variance 2 |H|^2 / draws; sigma^2 is 2 rise over it.
    const double deviation = std::sqrt(2.0 * squares / 20000) / sum_of(h);
    CHECK(std::abs(found.sigma * found.sigma / (2.0 * 0.3 / sum_of(h)) - 1.0) < 4.0 * deviation + 2e-3);
    CHECK(found.value == Approx(way / (4.0 * found.sigma * found.sigma) + std::log(100.0 / 1e-6)).epsilon(1e-12));
    CHECK_FALSE(found.open);
  }
  const auto flat = pac_bayes(point(minimum), point(start), [](point) { return 1.0; }, {.samples = 2, .greatest = 9.0});
  CHECK(flat.open);
  CHECK(flat.sigma == 9.0);
  // Open: a search that goes farther finds a larger sigma and so a smaller value.
  const auto farther =
      pac_bayes(point(minimum), point(start), [](point) { return 1.0; }, {.samples = 2, .greatest = 90.0});
  CHECK(farther.open);
  CHECK(farther.sigma > flat.sigma);
  CHECK(farther.value < flat.value);
  CHECK_THROWS_WITH(pac_bayes(point(minimum), point(start), valley, {}), Catch::Contains("samples is 0"));
}

TEST_CASE("measures of a network relative to filters do not change when its filters are rescaled; others do") {
  const batch b;
  const auto f = b.objective();
  const auto loss = [&](point x) { return f.loss(x); };
  const numbers other = b.rescaled(4.0);
  REQUIRE(loss(other) == Approx(loss(b.x)).epsilon(1e-12));
  const numbers s = filter_scales(f.layout(), point(b.x)), s_other = filter_scales(f.layout(), point(other));
  // The dense rows' norms change with the columns that were divided, so only the convolution moves in this test.
  numbers moves = s, moves_other = s_other;
  for (std::size_t i = 40; i < moves.size(); ++i) moves[i] = moves_other[i] = 0.0;

  CHECK(low_pass(point(other), loss, {}, moves_other).value ==
        Approx(low_pass(point(b.x), loss, {}, moves).value).epsilon(1e-10));
  CHECK(low_pass(point(other), loss).value != Approx(low_pass(point(b.x), loss).value).epsilon(1e-6));
  CHECK(epsilon_sharpness(f, point(other), {}, moves_other).value ==
        Approx(epsilon_sharpness(f, point(b.x), {}, moves).value).epsilon(1e-5));
  CHECK(local_entropy(point(other), loss, {}, moves_other).loss ==
        Approx(local_entropy(point(b.x), loss, {}, moves).loss).epsilon(1e-10));
}

TEST_CASE("Fisher-Rao is x^T F x with F written out, for a network and in closed form for a linear model") {
  const batch b;
  const auto f = b.objective();
  // F column by column: the gradient of log p_ic is that of the loss with the label c, negated.
  double expected = 0.0;
  numbers scores(24), g(b.x.size());
  b.model.logits(b.x, b.images, scores);
  for (std::size_t i = 0; i < 8; ++i) {
    double sum = 0.0;
    for (std::size_t c = 0; c < 3; ++c) sum += std::exp(scores[3 * i + c]);
    for (int c = 0; c < 3; ++c) {
      b.model.loss_and_gradient(point(b.x), point(b.images).subspan(16 * i, 16), std::span<const int>(&c, 1),
                                std::span<double>(g));
      double along = 0.0;
      for (std::size_t j = 0; j < g.size(); ++j) along += g[j] * b.x[j];
      expected += std::exp(scores[3 * i + static_cast<std::size_t>(c)]) / sum * along * along / 8.0;
    }
  }
  CHECK(fisher_rao(f, point(b.x)) == Approx(expected).epsilon(1e-10));

  // Scores that are linear in the parameters have no curvature of their own: F is H, whatever the labels.
  const nn::model<double, reference_backend> linear(nn::sequential{nn::dense{.units = 3}}, {1, 4, 4}, 3);
  const point w = point(b.x).first(linear.size());
  const auto on = linear.on(point(b.images), std::span<const int>(b.labels));
  auto h = hessian_at(on, w);
  CHECK(fisher_rao(on, w) == Approx(hessian_form(h, w)).epsilon(1e-10));
}

TEST_CASE(
    "PAC-Bayes of a network relative to filters: its noise raises the loss by the rise, whatever the units' sizes") {
  const mlp_batch b;
  const auto f = b.objective();
  const auto loss = [&](point x) { return f.loss(x); };
  numbers initial(b.x.size());
  b.model.initialize(initial, 5);
  const pac_bayes_options options{.samples = 12, .rise = 0.1, .draws = 2000, .tolerance = 1e-6};
  const numbers s = filter_scales(f.layout(), point(b.x));
  const auto found = pac_bayes(point(b.x), point(initial), loss, options, s);
  CHECK_FALSE(found.open);

  // Draws of the test's own.
  random_stream random({23, purpose::test});
  const std::size_t draws = 20000;
  double mean = 0.0, squares = 0.0, way = 0.0;
  numbers moved(b.x.size());
  for (std::size_t k = 0; k < draws; ++k) {
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] = b.x[i] + found.sigma * s[i] * random.normal();
    const double rise = loss(moved) - loss(b.x);
    mean += rise / static_cast<double>(draws);
    squares += rise * rise / static_cast<double>(draws);
  }
  const double deviation = std::sqrt((squares - mean * mean) * (1.0 / static_cast<double>(draws) + 1.0 / 2000.0));
  CHECK(std::abs(mean - 0.1) < 4.0 * deviation);
  CHECK(deviation < 0.01);
  for (std::size_t i = 0; i < s.size(); ++i) way += (b.x[i] - initial[i]) / s[i] * (b.x[i] - initial[i]) / s[i];
  CHECK(found.value == Approx(way / (4.0 * found.sigma * found.sigma) + std::log(24.0 / 1e-6)).epsilon(1e-12));

  // As above, only the filters of the first layer move. The way from the start is measured in their units as well.
  const numbers c{4.0, 0.5, 1.0, 3.0, 0.1};
  const numbers other = b.rescaled(b.x, c), other_initial = b.rescaled(initial, c);
  REQUIRE(loss(other) == Approx(loss(b.x)).epsilon(1e-12));
  numbers moves = s, moves_other = filter_scales(f.layout(), point(other));
  for (std::size_t i = 85; i < moves.size(); ++i) moves[i] = moves_other[i] = 0.0;
  const pac_bayes_options few{.samples = 12};
  const auto here_found = pac_bayes(point(b.x), point(initial), loss, few, moves);
  const auto there_found = pac_bayes(point(other), point(other_initial), loss, few, moves_other);
  CHECK(there_found.sigma == Approx(here_found.sigma).epsilon(1e-10));
  CHECK(there_found.value == Approx(here_found.value).epsilon(1e-10));
  CHECK(pac_bayes(point(other), point(other_initial), loss, few).sigma !=
        Approx(pac_bayes(point(b.x), point(initial), loss, few).sigma).epsilon(1e-2));
}

TEST_CASE("Fisher-Rao and x^T H x do not change when units of a ReLU layer are rescaled") {
  const mlp_batch b;
  const auto f = b.objective();
  auto h = hessian_at(f, point(b.x));
  const double fisher = fisher_rao(f, point(b.x)), form = hessian_form(h, point(b.x));
  for (const numbers& c : {numbers{4.0, 0.5, 1.0, 3.0, 0.1}, numbers(5, 7.0), numbers(5, 0.2)}) {
    const numbers other = b.rescaled(b.x, c);
    CHECK(fisher_rao(f, point(other)) == Approx(fisher).epsilon(1e-10));
    auto h_other = hessian_at(f, point(other));
    CHECK(hessian_form(h_other, point(other)) == Approx(form).epsilon(1e-10));
    // What does not take the parameters along changes: a product with x itself, say.
    numbers hv(b.x.size());
    h_other.multiply(b.x, hv);
    double mixed = 0.0;
    for (std::size_t i = 0; i < hv.size(); ++i) mixed += b.x[i] * hv[i];
    CHECK(mixed != Approx(form).epsilon(1e-2));
  }
}

TEST_CASE("Shannon entropy is that of the predicted distributions") {
  CHECK(shannon_entropy(point(numbers(12, 7.0)), 4) == Approx(std::log(4.0)));
  const numbers certain{800.0, 0.0, 0.0, -800.0};
  CHECK(shannon_entropy(point(certain), 2) == within(0.0, 1e-12));
  // One sample with p = (3/4, 1/4), one with (1/2, 1/2).
  const numbers two{std::log(3.0), 0.0, 1.0, 1.0};
  const double expected = 0.5 * (-0.75 * std::log(0.75) - 0.25 * std::log(0.25) + std::log(2.0));
  CHECK(shannon_entropy(point(two), 2) == Approx(expected));
  CHECK_THROWS_WITH(shannon_entropy(point(two), 3), Catch::Contains("4 scores are not rows of 3 classes"));
}
