// The derivatives of every layer's forward and backward pass against central differences, in double.
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "bound_layer.hpp"
#include "polder/nn/cross_entropy.hpp"
#include "polder/nn/models.hpp"
#include "support/catch.hpp"

namespace nn = polder::nn;

namespace {

using numbers = std::vector<double>;

numbers moved(const numbers& from, double step, const numbers& along) {
  numbers to = from;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += step * along[i];
  return to;
}

/// The loss is sum_i c_i y_i + d_i y_i^2 / 2, so that dy = c + d y changes with y.
void check_tangents(const nn::sequential& layers, nn::shape in, std::size_t images = 3, bool input_moves = true) {
  test::bound_layer<double> bound(layers, in, images);
  const std::size_t outputs = images * bound.output().size();
  const numbers x = test::random_vector<double>(images * in.size(), 1);
  const numbers w = test::random_vector<double>(bound.layout().size(), 2, 0.5);
  const numbers x_slope = input_moves ? test::random_vector<double>(x.size(), 3) : numbers(x.size(), 0.0);
  const numbers v = test::random_vector<double>(w.size(), 4);
  const numbers c = test::random_vector<double>(outputs, 5), d = test::random_vector<double>(outputs, 6);

  const auto dy_of = [&](const numbers& y) {
    numbers dy = c;
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] += d[i] * y[i];
    return dy;
  };
  const auto found = bound.differentiate(w, v, x, input_moves ? &x_slope : nullptr, dy_of, [&](const numbers& y_slope) {
    numbers dy_slope = d;
    for (std::size_t i = 0; i < dy_slope.size(); ++i) dy_slope[i] *= y_slope[i];
    return dy_slope;
  });

  struct point {
    numbers y, g, dx;
  };
  const auto at = [&](double step) {
    const numbers x_there = moved(x, step, x_slope), w_there = moved(w, step, v);
    point there{.y = bound.forward(w_there, x_there), .g = numbers(w.size()), .dx = {}};
    bound.backward(w_there, x_there, there.y, dy_of(there.y), there.g, &there.dx);
    return there;
  };
  const double step = 1e-5;
  const point above = at(step), below = at(-step);
  const auto check = [&](const numbers& tangent, const numbers& over, const numbers& under, const std::string& of) {
    double size = 1.0;
    for (const double number : tangent) size = std::max(size, std::abs(number));
    for (std::size_t i = 0; i < tangent.size(); ++i) {
      INFO(of << " " << i << " of " << tangent.size());
      REQUIRE(tangent[i] == Approx((over[i] - under[i]) / (2 * step)).epsilon(1e-6).margin(1e-7 * size));
    }
  };
  check(found.y, above.y, below.y, "output");
  check(found.g, above.g, below.g, "parameter");
  if (input_moves) check(found.dx, above.dx, below.dx, "input");
}

void check_both(const nn::sequential& layers, nn::shape in, std::size_t images = 3) {
  check_tangents(layers, in, images, true);
  check_tangents(layers, in, images, false);
}

}  // namespace

TEST_CASE("dense has the derivatives of its passes, in small batches and in large ones") {
  check_both({nn::dense{.units = 7}}, {2, 3, 3});
  check_both({nn::dense{.units = 17, .bias = false}}, {19, 1, 1}, 5);
  check_both({nn::dense{.units = 5}}, {11, 1, 1}, 70);
}

TEST_CASE("conv2d has the derivatives of its passes for every stride, padding and kernel") {
  for (const std::size_t stride : {1u, 2u, 3u}) {
    for (const std::size_t padding : {0u, 1u, 4u}) {
      for (const std::size_t kernel : {1u, 2u, 3u, 5u}) {
        INFO("stride " << stride << ", padding " << padding << ", kernel " << kernel);
        check_both({nn::conv2d{.channels = 3, .kernel = kernel, .stride = stride, .padding = padding}}, {2, 6, 7}, 2);
      }
    }
  }
  check_both({nn::conv2d{.channels = 17, .kernel = 3, .padding = 1, .bias = false}}, {9, 5, 4}, 2);
  check_both({nn::conv2d{.channels = 2, .kernel = 3, .padding = 1}}, {1, 4, 4}, 70);
}

TEST_CASE("pooling has the derivatives of its passes") {
  for (const std::size_t width : {7u, 8u, 19u, 33u, 64u}) {
    check_tangents({nn::max_pool{}}, {2, 5, width});
    check_tangents({nn::max_pool{}}, {2, 4, width});
  }
  check_tangents({nn::max_pool{.size = 3, .stride = 2}}, {2, 7, 9});
  check_tangents({nn::max_pool{.size = 2, .stride = 3}}, {2, 7, 9});
  check_tangents({nn::avg_pool{}}, {3, 4, 5});
  check_tangents({nn::avg_pool{.size = 2}}, {3, 4, 6});
  check_tangents({nn::avg_pool{.size = 3, .stride = 1}}, {2, 5, 5});
}

TEST_CASE("relu and flatten have the derivatives of their passes, and nothing moves before the first parameter") {
  check_both({nn::relu{}}, {2, 5, 5});
  check_both({nn::flatten{}}, {2, 5, 5});
  check_both({nn::relu{}, nn::relu{}, nn::flatten{}, nn::flatten{}, nn::relu{}}, {2, 5, 5});
  check_both({nn::max_pool{}, nn::flatten{}, nn::dense{.units = 3}}, {2, 6, 6});
}

TEST_CASE("group_norm has the derivatives of its passes") {
  check_both({nn::group_norm{.groups = 2}}, {4, 3, 5});
  check_both({nn::group_norm{.groups = 1}}, {3, 4, 4});
  check_both({nn::group_norm{.groups = 3, .affine = false}}, {3, 4, 5});
}

TEST_CASE("evonorm_s0 has the derivatives of its passes, those of v included") {
  check_both({nn::evonorm_s0{.groups = 2}}, {4, 3, 5});
  check_both({nn::evonorm_s0{.groups = 8}}, {8, 4, 4});
}

TEST_CASE("composed layers have the derivatives of their passes") {
  check_both({nn::conv2d{.channels = 4, .padding = 1}, nn::relu{}, nn::max_pool{}, nn::dense{.units = 5}, nn::relu{},
              nn::dense{.units = 3}, nn::relu{}},
             {2, 6, 6});
  check_both(
      {nn::conv2d{.channels = 4}, nn::group_norm{}, nn::relu{}, nn::conv2d{.channels = 4}, nn::evonorm_s0{.groups = 2}},
      {2, 6, 6});
}

TEST_CASE("residual blocks have the derivatives of their passes whatever their branches end with") {
  const nn::conv2d same{.channels = 3, .kernel = 3, .padding = 1};
  check_both({nn::residual{.body = {same}}}, {3, 5, 5});
  check_both({nn::residual{.body = {same, nn::relu{}}}, nn::relu{}, nn::dense{.units = 2}}, {3, 5, 5});
  check_both({nn::residual{.body = {nn::relu{}, nn::flatten{}}, .shortcut = {nn::flatten{}}}}, {3, 2, 2});
  const nn::conv2d half{.channels = 4, .kernel = 3, .stride = 2, .padding = 1};
  const nn::conv2d side{.channels = 4, .kernel = 1, .stride = 2};
  check_both({nn::residual{.body = {half, nn::relu{}}, .shortcut = {side, nn::relu{}}}, nn::relu{}}, {3, 5, 6});
  check_both({nn::residual{.body = {nn::conv2d{.channels = 3, .kernel = 3, .stride = 2, .padding = 1}},
                           .shortcut = {nn::avg_pool{.size = 1, .stride = 2}, nn::relu{}, nn::relu{}}},
              nn::relu{}},
             {3, 5, 6});
  check_both({same, nn::residual{.body = {half, nn::group_norm{}}, .shortcut = {side, nn::relu{}}},
              nn::residual{.body = {nn::residual{.body = {nn::relu{}}}, nn::group_norm{}}}},
             {3, 5, 6});
}

TEST_CASE("the gradient of the cross-entropy has the derivative of its formula, whatever the label") {
  const numbers z{3.0, -1.0, 0.5, 2.0}, slope{0.3, 1.0, -2.0, 0.7};
  numbers tangent(4), above(4), below(4);
  nn::softmax_cross_entropy_tangent(4, z.data(), slope.data(), 0.25, tangent.data());
  for (const double smoothing : {0.0, 0.2}) {
    const double step = 1e-5;
    (void)nn::softmax_cross_entropy(4, moved(z, step, slope).data(), 2, smoothing, 0.25, above.data());
    (void)nn::softmax_cross_entropy(4, moved(z, -step, slope).data(), 2, smoothing, 0.25, below.data());
    for (std::size_t k = 0; k < 4; ++k) CHECK(tangent[k] == within((above[k] - below[k]) / (2 * step), 1e-10));
  }
  // Far scores neither overflow nor give not-a-number.
  const numbers far{1e5, -1e5, 0.0, 0.0};
  nn::softmax_cross_entropy_tangent(4, far.data(), slope.data(), 1.0, tangent.data());
  for (const double number : tangent) CHECK(number == 0.0);
}
