// What the layers compute, against the formulas written out.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "bound_layer.hpp"
#include "polder/nn/cross_entropy.hpp"
#include "polder/nn/models.hpp"
#include "polder/nn/simd.hpp"
#include "support/catch.hpp"

namespace nn = polder::nn;
using test::bound_layer;
using test::random_vector;

namespace {

template <class T>
void check_convolution(nn::conv2d layer, nn::shape in, std::size_t images, double tolerance) {
  bound_layer<T> bound({layer}, in, images);
  const auto parameters = random_vector<T>(bound.layout().size(), 5);
  const auto x = random_vector<T>(images * in.size(), 6);
  const auto y = bound.forward(parameters, x);
  const nn::shape out = bound.output();
  const std::size_t weights = layer.channels * in.channels * layer.kernel * layer.kernel;
  std::size_t at = 0;
  for (std::size_t n = 0; n < images; ++n) {
    for (std::size_t o = 0; o < out.channels; ++o) {
      for (std::size_t h = 0; h < out.height; ++h) {
        for (std::size_t w = 0; w < out.width; ++w, ++at) {
          double expected = layer.bias ? static_cast<double>(parameters[weights + o]) : 0.0;
          for (std::size_t c = 0; c < in.channels; ++c) {
            for (std::size_t i = 0; i < layer.kernel; ++i) {
              for (std::size_t j = 0; j < layer.kernel; ++j) {
                const std::size_t row = h * layer.stride + i, column = w * layer.stride + j;
                if (row < layer.padding || row - layer.padding >= in.height) continue;
                if (column < layer.padding || column - layer.padding >= in.width) continue;
                const T pixel =
                    x[((n * in.channels + c) * in.height + row - layer.padding) * in.width + column - layer.padding];
                const T weight = parameters[((o * in.channels + c) * layer.kernel + i) * layer.kernel + j];
                expected += static_cast<double>(weight) * static_cast<double>(pixel);
              }
            }
          }
          REQUIRE(static_cast<double>(y[at]) == within(expected, tolerance));
        }
      }
    }
  }
}

double logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }

/// Calls `check(group's numbers, indices, channel of each)` for each group of each image.
template <class Check>
void for_groups(nn::shape in, std::size_t groups, std::size_t images, const Check& check) {
  const std::size_t size = in.size() / groups;
  for (std::size_t i = 0; i < images * groups; ++i) {
    std::vector<std::size_t> indices(size);
    for (std::size_t j = 0; j < size; ++j) indices[j] = i * size + j;
    check(indices);
  }
}

struct plain_moments {
  double mean = 0, variance = 0;
  plain_moments(const std::vector<double>& x, const std::vector<std::size_t>& indices) {
    const auto count = static_cast<double>(indices.size());
    for (const std::size_t i : indices) mean += x[i] / count;
    for (const std::size_t i : indices) variance += (x[i] - mean) * (x[i] - mean) / count;
  }
};

}  // namespace

TEST_CASE("conv2d agrees with seven nested loops") {
  for (const std::size_t stride : {1u, 2u, 3u}) {
    for (const std::size_t padding : {0u, 1u, 2u, 5u}) {
      for (const std::size_t kernel : {1u, 2u, 3u, 5u}) {
        INFO("stride " << stride << ", padding " << padding << ", kernel " << kernel);
        const nn::conv2d layer{.channels = 5, .kernel = kernel, .stride = stride, .padding = padding};
        check_convolution<double>(layer, {3, 7, 9}, 2, 1e-12);
        check_convolution<float>(layer, {3, 7, 9}, 2, 1e-4);
      }
    }
  }
  check_convolution<float>({.channels = 6, .kernel = 5, .padding = 2}, {1, 28, 28}, 2, 1e-4);
  check_convolution<float>({.channels = 16, .kernel = 5}, {6, 14, 14}, 2, 1e-4);
  check_convolution<float>({.channels = 19, .kernel = 3, .padding = 1, .bias = false}, {11, 32, 33}, 1, 1e-4);
}

TEST_CASE("max_pool takes the first of equal maxima, and its gradient goes there") {
  bound_layer<float> bound({nn::max_pool{}}, {1, 2, 4}, 1);
  const std::vector<float> x{1, 3, 2, 2,  //
                             3, 0, 2, 2};
  const auto y = bound.forward({}, x);
  REQUIRE(y == std::vector<float>{3, 2});
  std::vector<float> none, dx;
  bound.backward({}, x, y, {5, 7}, none, &dx);
  REQUIRE(dx == std::vector<float>{0, 5, 7, 0, 0, 0, 0, 0});
}

TEST_CASE("max_pool of any size agrees with a loop, and windows that do not fit are left out") {
  const nn::shape in{2, 7, 8};
  bound_layer<double> bound({nn::max_pool{.size = 3, .stride = 2}}, in, 2);
  REQUIRE(bound.output() == nn::shape{2, 3, 3});
  const auto x = random_vector<double>(2 * in.size(), 4);
  const auto y = bound.forward({}, x);
  std::size_t at = 0;
  for (std::size_t plane = 0; plane < 4; ++plane) {
    for (std::size_t h = 0; h < 3; ++h) {
      for (std::size_t w = 0; w < 3; ++w, ++at) {
        double most = -1e300;
        for (std::size_t i = 0; i < 9; ++i) {
          most = std::max(most, x[plane * 56 + (2 * h + i / 3) * 8 + 2 * w + i % 3]);
        }
        REQUIRE(y[at] == most);
      }
    }
  }
}

TEST_CASE("max_pool of 2 x 2 windows agrees with a loop for rows of any length") {
  for (const std::size_t width : {2u, 5u, 10u, 28u, 40u, 71u}) {
    const nn::shape in{2, 6, width};
    bound_layer<float> bound({nn::max_pool{}}, in, 2);
    const auto x = random_vector<float>(2 * in.size(), 9);
    const auto y = bound.forward({}, x);
    const auto dy = random_vector<float>(y.size(), 10);
    std::vector<float> none, dx, expected(x.size(), 0.0f);
    bound.backward({}, x, y, dy, none, &dx);
    std::size_t at = 0;
    for (std::size_t row = 0; row < 12; ++row) {
      for (std::size_t w = 0; w < width / 2; ++w, ++at) {
        const std::size_t corner = 2 * row * width + 2 * w;
        std::size_t best = corner;
        for (const std::size_t other : {corner + 1, corner + width, corner + width + 1}) {
          if (x[other] > x[best]) best = other;
        }
        REQUIRE(y[at] == x[best]);
        expected[best] = dy[at];
      }
    }
    REQUIRE(dx == expected);
  }
}

TEST_CASE("avg_pool without a size averages the whole image") {
  bound_layer<double> bound({nn::avg_pool{}}, {2, 1, 3}, 1);
  REQUIRE(bound.output() == nn::shape{2, 1, 1});
  const auto y = bound.forward({}, {1, 2, 6, -1, 0, 4});
  REQUIRE(y[0] == Approx(3));
  REQUIRE(y[1] == Approx(1));
}

TEST_CASE("group_norm agrees with its formula") {
  const nn::shape in{6, 3, 5};
  bound_layer<double> bound({nn::group_norm{.groups = 3}}, in, 2);
  const auto parameters = random_vector<double>(12, 7);
  const auto x = random_vector<double>(2 * in.size(), 8, 3.0);
  const auto y = bound.forward(parameters, x);
  for_groups(in, 3, 2, [&](const std::vector<std::size_t>& indices) {
    const plain_moments m(x, indices);
    for (const std::size_t i : indices) {
      const std::size_t c = i / in.pixels() % in.channels;
      REQUIRE(y[i] == Approx(parameters[c] * (x[i] - m.mean) / std::sqrt(m.variance + 1e-5) + parameters[6 + c]));
    }
  });
}

TEST_CASE("evonorm_s0 agrees with its formula: x sigmoid(v x) over the group's deviation") {
  const nn::shape in{6, 3, 5};
  bound_layer<double> bound({nn::evonorm_s0{.groups = 3}}, in, 2);
  const auto parameters = random_vector<double>(18, 7);
  const auto x = random_vector<double>(2 * in.size(), 8, 3.0);
  const auto y = bound.forward(parameters, x);
  for_groups(in, 3, 2, [&](const std::vector<std::size_t>& indices) {
    const plain_moments m(x, indices);
    for (const std::size_t i : indices) {
      const std::size_t c = i / in.pixels() % in.channels;
      const double gamma = parameters[c], beta = parameters[6 + c], v = parameters[12 + c];
      REQUIRE(y[i] == Approx(gamma * x[i] * logistic(v * x[i]) / std::sqrt(m.variance + 1e-5) + beta));
    }
  });
}

TEST_CASE("the vectors' exponential is as good as the standard library's") {
  namespace detail = nn::detail;
  const auto check = [](auto zero, double from, double to, double tolerance) {
    using T = decltype(zero);
    for (int i = 0; i <= 20000; ++i) {
      const T x = static_cast<T>(from + (to - from) * i / 20000);
      const double expected = std::exp(static_cast<double>(x));
      REQUIRE(std::abs(static_cast<double>(detail::exponential<T>(detail::vec<T>{} + x)[0]) / expected - 1) <
              tolerance);
    }
  };
  check(0.0f, -87, 87, 2.5e-7);
  check(0.0, -708, 708, 5e-16);
  REQUIRE(detail::sigmoid<float>(detail::vec<float>{} - 1e30f)[0] < 1e-30f);
  REQUIRE(detail::sigmoid<float>(detail::vec<float>{} + 1e30f)[0] == 1.0f);
  REQUIRE(std::isnan(detail::sigmoid<float>(detail::vec<float>{} + std::nanf(""))[0]));
}

TEST_CASE("cross-entropy agrees with its formula, with and without label smoothing") {
  const std::vector<double> z{0.5, -1.0, 2.0, 0.0};
  for (const double smoothing : {0.0, 0.1, 0.9}) {
    double total = 0;
    for (const double score : z) total += std::exp(score);
    double expected = 0;
    std::vector<double> gradient(4);
    const double loss = nn::softmax_cross_entropy(4, z.data(), 2, smoothing, 0.25, gradient.data());
    for (std::size_t k = 0; k < 4; ++k) {
      const double target = (k == 2 ? 1 - smoothing : 0.0) + smoothing / 4;
      const double p = std::exp(z[k]) / total;
      expected -= target * std::log(p);
      REQUIRE(gradient[k] == Approx(0.25 * (p - target)));
    }
    REQUIRE(loss == Approx(expected));
  }
}

TEST_CASE("cross-entropy stays finite for scores of any size") {
  const std::vector<float> z{3e38f, -3e38f, 0.0f};
  std::vector<float> gradient(3);
  REQUIRE(nn::softmax_cross_entropy(3, z.data(), 0, 0.0, 1.0, gradient.data()) == 0.0);
  REQUIRE(gradient == std::vector<float>{0, 0, 0});
  REQUIRE(nn::softmax_cross_entropy(3, z.data(), 2, 0.0, 1.0, gradient.data()) == Approx(3e38));
  REQUIRE(gradient == std::vector<float>{1, 0, -1});
  REQUIRE(std::isfinite(nn::softmax_cross_entropy(3, z.data(), 1, 0.1, 1.0, gradient.data())));
}

TEST_CASE("not-a-number passes relu and max_pool, so that the run can stop") {
  bound_layer<float> bound({nn::relu{}, nn::max_pool{}}, {1, 2, 2}, 1);
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<float> x{1, 2, 3, 4};
    x[i] = std::nanf("");
    REQUIRE(std::isnan(bound.forward({}, x)[0]));
  }
}

TEST_CASE("layers that do not fit say what is wrong and what would help") {
  const auto message = [](const nn::sequential& layers, nn::shape in) -> std::string {
    try {
      (void)layers.output(in);
    } catch (const polder::config_error& e) {
      return e.what();
    }
    return "no error";
  };
  using Catch::Matchers::Contains;
  REQUIRE_THAT(message({nn::conv2d{.channels = 6, .kernel = 5}}, {1, 4, 4}),
               Contains("conv2d: kernel 5 does not fit into 4 x 4 input without padding"));
  REQUIRE_THAT(message({nn::conv2d{.channels = 6, .kernel = 9, .padding = 2}}, {1, 4, 8}),
               Contains("kernel 9 does not fit into 4 x 8 input with padding 2"));
  REQUIRE_THAT(message({nn::conv2d{.channels = 0}}, {1, 4, 4}), Contains("channels 0"));
  REQUIRE_THAT(message({nn::max_pool{.size = 3}}, {1, 2, 4}),
               Contains("max_pool: window 3 x 3 does not fit into 2 x 4"));
  REQUIRE_THAT(message({nn::avg_pool{.size = 3}}, {1, 2, 4}),
               Contains("avg_pool: window 3 x 3 does not fit into 2 x 4"));
  REQUIRE_THAT(message({nn::group_norm{.groups = 4}}, {6, 2, 2}),
               Contains("6 channels cannot be split into 4 equal groups"));
  REQUIRE_THAT(message({nn::evonorm_s0{}}, {6, 2, 2}), Contains("evonorm_s0: 6 channels cannot be split into 8"));
  REQUIRE_THAT(message({nn::dense{.units = 0}}, {6, 2, 2}), Contains("dense: units 0"));
  REQUIRE_THAT(message({nn::residual{.body = {nn::conv2d{.channels = 4, .kernel = 3}}}}, {3, 5, 5}),
               Contains("residual: the body gives 4 x 3 x 3 but the shortcut gives 3 x 5 x 5"));
}
