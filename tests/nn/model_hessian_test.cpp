// Hessian products of whole models against central differences of the gradient, and against the dense Hessian.
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bound_layer.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "polder/sharpness/lanczos.hpp"
#include "polder/sharpness/trace.hpp"
#include "support/catch.hpp"

namespace nn = polder::nn;

namespace {

/// A model with a batch of noise, at a point beside its first parameters: biases and norms are no longer 0 and 1.
template <class T>
struct setting {
  nn::model<T, polder::eigen_backend> model;
  std::vector<T> images, x, v;
  std::vector<int> labels;

  setting(const std::string& name, nn::shape in, std::size_t count, nn::model_options options = {})
      : setting(nn::model_from_name(name, in, 4), in, count, options) {}
  setting(const nn::sequential& network, nn::shape in, std::size_t count, nn::model_options options = {})
      : model(network, in, 4, {}, options),
        images(test::random_vector<T>(count * in.size(), 11)),
        x(model.size()),
        v(test::random_vector<T>(model.size(), 12)) {
    model.initialize(x, 1);
    const auto beside = test::random_vector<T>(model.size(), 13, 0.05);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += beside[i];
    for (std::size_t i = 0; i < count; ++i) labels.push_back(static_cast<int>(i * i % 4));
  }
  [[nodiscard]] auto on(std::size_t first, std::size_t count) const {
    const std::size_t size = model.input().size();
    return model.on(std::span<const T>(images).subspan(first * size, count * size),
                    std::span<const int>(labels).subspan(first, count));
  }
  [[nodiscard]] auto on_all() const { return on(0, labels.size()); }
  template <class F>
  [[nodiscard]] std::vector<T> product(const F& f) const {
    std::vector<T> hv(x.size(), T{77});
    f.hessian_product(x, v, hv);
    return hv;
  }
};

double largest(const std::vector<double>& numbers) {
  double most = 0.0;
  for (const double number : numbers) most = std::max(most, std::abs(number));
  return most;
}

}  // namespace

using double_objective = decltype(setting<double>("mlp:3", {1, 1, 2}, 1).on_all());
static_assert(polder::sharpness::has_hessian_product<double_objective, double>);
static_assert(polder::sharpness::symmetric_operator<nn::kept_hessian<double, polder::eigen_backend>>);
static_assert(polder::sharpness::symmetric_operator<nn::kept_hessian<float, polder::eigen_backend>>);

TEST_CASE("a model's Hessian products are the derivative of its gradient") {
  const struct {
    const char* name;
    nn::shape in;
    std::size_t images;
    double smoothing;
  } models[] = {{"mlp:9,7", {1, 4, 4}, 6, 0.0},
                {"mlp:9", {1, 4, 4}, 600, 0.1},
                {"lenet5", {1, 8, 8}, 5, 0.0},
                {"resnet20:group_norm", {3, 8, 8}, 2, 0.0},
                {"resnet20:evonorm", {3, 8, 8}, 2, 0.1}};
  for (const auto& m : models) {
    INFO(m.name);
    const setting<double> s(m.name, m.in, m.images, {.label_smoothing = m.smoothing});
    const auto f = s.on_all();
    const std::vector<double> hv = s.product(f);
    // Short enough that few ReLUs and maxima switch; a switch inside the step would show as an error of order 1.
    const double step = 1e-7;
    std::vector<double> above(s.x.size()), below(s.x.size()), point(s.x.size());
    for (std::size_t i = 0; i < point.size(); ++i) point[i] = s.x[i] + step * s.v[i];
    f.loss_and_gradient(point, above);
    for (std::size_t i = 0; i < point.size(); ++i) point[i] = s.x[i] - step * s.v[i];
    f.loss_and_gradient(point, below);
    const double scale = largest(hv);
    CHECK(scale > 0.01);
    double worst = 0.0;
    for (std::size_t i = 0; i < hv.size(); ++i) {
      worst = std::max(worst, std::abs(hv[i] - (above[i] - below[i]) / (2 * step)));
    }
    CHECK(worst < 1e-6 * scale);
  }
}

TEST_CASE("a batch's Hessian is the mean over its images, however they are split") {
  const setting<double> s("lenet5", {1, 8, 8}, 700);  // several chunks
  const auto whole = s.product(s.on_all());
  const auto first = s.product(s.on(0, 200)), rest = s.product(s.on(200, 500));
  const double scale = largest(whole);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    REQUIRE(whole[i] == within((200.0 * first[i] + 500.0 * rest[i]) / 700.0, 1e-12 * scale));
  }
}

TEST_CASE("what is kept changes no bit") {
  for (const char* name : {"mlp:9,7", "lenet5", "resnet20", "resnet20:evonorm"}) {
    INFO(name);
    const setting<double> s(name, {1, 8, 8}, std::string(name) == "lenet5" ? 700 : 3);
    const auto f = s.on_all();
    const auto expected = s.product(f);
    auto kept = f.kept_hessian(s.x);
    std::vector<double> hv(s.x.size());
    kept.product(s.v, hv);
    REQUIRE(hv == expected);
    kept.multiply(s.v, hv);
    REQUIRE(hv == expected);
    // It is the Hessian at the point it was made for, whatever is computed in between.
    std::vector<double> g(s.x.size());
    f.loss_and_gradient(s.v, g);
    kept.multiply(g, hv);
    kept.multiply(s.v, hv);
    REQUIRE(hv == expected);
  }
}

TEST_CASE("float products agree with double ones to float's precision") {
  for (const char* name : {"mlp:9,7", "lenet5", "resnet20", "resnet20:evonorm"}) {
    INFO(name);
    const setting<float> s(name, {1, 8, 8}, 3);
    setting<double> d(name, {1, 8, 8}, 3);
    d.x.assign(s.x.begin(), s.x.end());
    d.v.assign(s.v.begin(), s.v.end());
    d.images.assign(s.images.begin(), s.images.end());
    const auto expected = d.product(d.on_all());
    auto kept = s.on_all().kept_hessian(s.x);
    std::vector<double> hv(s.x.size());
    kept.multiply(d.v, hv);
    double worst = 0.0;
    for (std::size_t i = 0; i < hv.size(); ++i) worst = std::max(worst, std::abs(hv[i] - expected[i]));
    CHECK(worst <= 2e-4 * largest(expected));
  }
}

TEST_CASE("the products of a small network are those of a symmetric matrix with its eigenvalues, trace and norm") {
  const setting<double> s("mlp:5,4", {1, 1, 3}, 12);
  const auto f = s.on_all();
  const std::size_t n = s.x.size();
  Eigen::MatrixXd dense(n, n), quotients(n, n);
  std::vector<double> unit(n), column(n), above(n), below(n), point = s.x;
  for (std::size_t j = 0; j < n; ++j) {
    const auto at = static_cast<Eigen::Index>(j);
    unit[j] = 1.0;
    f.hessian_product(s.x, unit, column);
    unit[j] = 0.0;
    const double step = 1e-6;
    point[j] = s.x[j] + step;
    f.loss_and_gradient(point, above);
    point[j] = s.x[j] - step;
    f.loss_and_gradient(point, below);
    point[j] = s.x[j];
    for (std::size_t i = 0; i < n; ++i) {
      dense(static_cast<Eigen::Index>(i), at) = column[i];
      quotients(static_cast<Eigen::Index>(i), at) = (above[i] - below[i]) / (2 * step);
    }
  }
  CHECK((dense - dense.transpose()).norm() < 1e-14 * dense.norm());
  CHECK((dense - quotients).norm() < 1e-8 * dense.norm());

  const Eigen::VectorXd all = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(dense).eigenvalues();  // ascending
  auto h = polder::sharpness::hessian_at(f, std::span<const double>(s.x));
  const auto top = polder::sharpness::largest_eigenvalues(h, {.count = 4, .tolerance = 1e-12});
  REQUIRE(top.converged);
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(top.largest[k].value == Approx(all(all.size() - 1 - static_cast<Eigen::Index>(k))).epsilon(1e-9));
  }
  auto kept = f.kept_hessian(s.x);
  const auto found = polder::sharpness::hutchinson(kept, {.draws = 400});
  CHECK(std::abs(found.trace.value - dense.trace()) < 4.0 * found.trace.standard_error);
  CHECK(found.frobenius_norm == Approx(dense.norm()).epsilon(0.15));
}

TEST_CASE("Hessian products refuse vectors that do not fit and say when they are not finite") {
  const setting<double> s("mlp:3", {1, 1, 2}, 2);
  const auto f = s.on_all();
  std::vector<double> hv(s.x.size()), few(2);
  const auto message = Catch::Contains("a vector of 2 numbers was given where the model has 25 parameters");
  CHECK_THROWS_WITH(f.hessian_product(few, s.v, hv), message);
  CHECK_THROWS_WITH(f.hessian_product(s.x, few, hv), message);
  CHECK_THROWS_WITH(f.hessian_product(s.x, s.v, few), message);
  auto kept = f.kept_hessian(s.x);
  CHECK_THROWS_WITH(kept.multiply(few, hv), message);
  auto broken = s.v;
  broken[0] = std::nan("");
  CHECK_THROWS_AS(kept.multiply(broken, hv), polder::non_finite_error);
  const std::vector<int> wrong{0, 4};
  const auto g = s.model.on(std::span<const double>(s.images), std::span<const int>(wrong));
  CHECK_THROWS_WITH(g.hessian_product(s.x, s.v, hv), Catch::Contains("label 4 of image 1"));
  CHECK_THROWS_WITH(g.kept_hessian(s.x), Catch::Contains("label 4 of image 1"));
}
