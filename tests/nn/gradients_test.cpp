// Every layer's gradients against central differences, in double.
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "bound_layer.hpp"
#include "polder/nn/models.hpp"
#include "support/catch.hpp"

namespace nn = polder::nn;

namespace {

/// The sum of weight_i y_i.
double weighted_sum(const std::vector<double>& weights, const std::vector<double>& y) {
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) sum += weights[i] * y[i];
  return sum;
}

void check_gradients(const nn::sequential& layers, nn::shape in, std::size_t images = 3) {
  test::bound_layer<double> bound(layers, in, images);
  auto x = test::random_vector<double>(images * in.size(), 1);
  auto parameters = test::random_vector<double>(bound.layout().size(), 2, 0.5);
  const auto weights = test::random_vector<double>(images * bound.output().size(), 3);

  const auto y = bound.forward(parameters, x);
  std::vector<double> g(parameters.size()), dx;
  bound.backward(parameters, x, y, weights, g, &dx);

  std::vector<double> again(g.size(), 1.0);
  bound.backward(parameters, x, y, weights, again, nullptr, false);
  for (std::size_t i = 0; i < g.size(); ++i) REQUIRE(again[i] == Approx(g[i] + 1.0).epsilon(1e-10));

  const double step = 1e-5;
  const auto check = [&](std::vector<double>& at, const std::vector<double>& gradient, const std::string& of) {
    for (std::size_t i = 0; i < at.size(); i += 1 + at.size() / 150) {
      const double here = at[i];
      at[i] = here + step;
      const double above = weighted_sum(weights, bound.forward(parameters, x));
      at[i] = here - step;
      const double below = weighted_sum(weights, bound.forward(parameters, x));
      at[i] = here;
      INFO(of << " " << i << " of " << at.size());
      REQUIRE(gradient[i] == Approx((above - below) / (2 * step)).epsilon(1e-6).margin(1e-7));
    }
  };
  check(x, dx, "input");
  check(parameters, g, "parameter");
}

}  // namespace

TEST_CASE("dense has the gradients of its formula") {
  check_gradients({nn::dense{.units = 7}}, {2, 3, 3});
  check_gradients({nn::dense{.units = 17, .bias = false}}, {19, 1, 1}, 5);
}

TEST_CASE("conv2d has the gradients of its formula for every stride, padding and kernel") {
  for (const std::size_t stride : {1u, 2u, 3u}) {
    for (const std::size_t padding : {0u, 1u, 2u, 4u}) {
      for (const std::size_t kernel : {1u, 2u, 3u, 5u}) {
        INFO("stride " << stride << ", padding " << padding << ", kernel " << kernel);
        check_gradients({nn::conv2d{.channels = 3, .kernel = kernel, .stride = stride, .padding = padding}}, {2, 6, 7},
                        2);
      }
    }
  }
}

TEST_CASE("conv2d has the gradients of its formula for many channels and many images") {
  check_gradients({nn::conv2d{.channels = 17, .kernel = 3, .padding = 1, .bias = false}}, {9, 5, 4}, 2);
  check_gradients({nn::conv2d{.channels = 2, .kernel = 3, .padding = 1}}, {1, 4, 4}, 70);
  check_gradients({nn::conv2d{.channels = 4, .kernel = 3, .padding = 1}}, {3, 30, 37}, 2);
  check_gradients({nn::conv2d{.channels = 35, .kernel = 3, .padding = 1}}, {2, 4, 4}, 2);
  check_gradients({nn::conv2d{.channels = 2, .kernel = 7, .padding = 2}}, {3, 8, 9}, 2);
  check_gradients({nn::conv2d{.channels = 9, .kernel = 6, .stride = 2, .padding = 3}}, {2, 8, 9}, 2);
}

TEST_CASE("pooling has the gradients of its formula") {
  check_gradients({nn::max_pool{}}, {2, 6, 8});
  check_gradients({nn::max_pool{}}, {2, 5, 7});
  check_gradients({nn::max_pool{}}, {2, 4, 36}, 2);
  check_gradients({nn::max_pool{}}, {1, 5, 35}, 2);
  check_gradients({nn::max_pool{.size = 3, .stride = 2}}, {2, 7, 9});
  check_gradients({nn::max_pool{.size = 2, .stride = 3}}, {2, 7, 9});
  check_gradients({nn::avg_pool{}}, {3, 4, 5});
  check_gradients({nn::avg_pool{.size = 2}}, {3, 4, 6});
  check_gradients({nn::avg_pool{.size = 3, .stride = 1}}, {2, 5, 5});
}

TEST_CASE("relu and flatten have the gradients of their formulas") {
  check_gradients({nn::relu{}}, {2, 5, 5});
  check_gradients({nn::flatten{}}, {2, 5, 5});
  check_gradients({nn::relu{}, nn::relu{}, nn::flatten{}, nn::flatten{}, nn::relu{}}, {2, 5, 5});
}

TEST_CASE("group_norm has the gradients of its formula") {
  check_gradients({nn::group_norm{.groups = 2}}, {4, 3, 5});
  check_gradients({nn::group_norm{.groups = 1}}, {3, 4, 4});
  check_gradients({nn::group_norm{.groups = 3, .affine = false}}, {3, 4, 5});
}

TEST_CASE("evonorm_s0 has the gradients of its formula, those of v included") {
  check_gradients({nn::evonorm_s0{.groups = 2}}, {4, 3, 5});
  check_gradients({nn::evonorm_s0{.groups = 8}}, {8, 4, 4});
}

TEST_CASE("composed layers have the gradients of the chain rule") {
  check_gradients({nn::conv2d{.channels = 4, .padding = 1}, nn::relu{}, nn::max_pool{}, nn::dense{.units = 5},
                   nn::relu{}, nn::dense{.units = 3}, nn::relu{}},
                  {2, 6, 6});
  check_gradients({nn::flatten{}, nn::dense{.units = 6}, nn::relu{}, nn::flatten{}, nn::dense{.units = 2}}, {2, 2, 3});
}

TEST_CASE("residual blocks have the gradients of the chain rule whatever their branches end with") {
  const nn::conv2d same{.channels = 3, .kernel = 3, .padding = 1};
  check_gradients({nn::residual{.body = {same}}}, {3, 5, 5});
  check_gradients({nn::residual{.body = {same, nn::relu{}}}, nn::relu{}, nn::dense{.units = 2}}, {3, 5, 5});
  const nn::conv2d half{.channels = 4, .kernel = 3, .stride = 2, .padding = 1};
  const nn::conv2d side{.channels = 4, .kernel = 1, .stride = 2};
  check_gradients({nn::residual{.body = {half, nn::relu{}}, .shortcut = {side, nn::relu{}}}, nn::relu{}}, {3, 5, 6});
  check_gradients({same, nn::residual{.body = {half, nn::group_norm{}}, .shortcut = {side, nn::relu{}}},
                   nn::residual{.body = {nn::residual{.body = {nn::relu{}}}, nn::group_norm{}}}},
                  {3, 5, 6});
}
