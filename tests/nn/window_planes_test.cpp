// The planes of a convolution, the transpositions and the products on them, against their formulas.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "bound_layer.hpp"
#include "polder/nn/product_kernels.hpp"
#include "polder/nn/simd.hpp"
#include "polder/nn/transposition.hpp"
#include "polder/nn/window_planes.hpp"
#include "support/catch.hpp"

namespace detail = polder::nn::detail;
using detail::window_axis;
using test::random_vector;

namespace {

/// x[stride u + i - padding], 0 outside: the place in x, or -1.
std::ptrdiff_t place_in(const window_axis& axis, std::size_t u, std::size_t i) {
  const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(axis.stride * u + i) - axis.padding;
  return at < 0 || at >= static_cast<std::ptrdiff_t>(axis.in) ? -1 : at;
}

/// Whether the planes were built with a copy for each column of the window.
bool check_planes(std::size_t channels, const window_axis& rows, const window_axis& columns, std::size_t products) {
  const detail::window_planes<double> windows(channels, rows, columns, products);
  const auto terms = windows.terms(
      [&](std::size_t c, std::size_t i, std::size_t j) { return (c * rows.taps + i) * columns.taps + j; });
  const std::size_t depth = terms.size();
  const auto w = random_vector<double>(2 * depth, 1);
  const auto x = random_vector<double>(channels * rows.in * columns.in, 2);
  std::vector<double> planes(windows.size(), 0.0);
  std::vector<double> y(2 * windows.length(), std::numeric_limits<double>::quiet_NaN());
  windows.spread(x.data(), planes.data());
  windows.correlate(2, terms, w.data(), depth, planes.data(), y.data(), windows.length());

  for (std::size_t o = 0; o < 2; ++o) {
    for (std::size_t h = 0; h < rows.out; ++h) {
      for (std::size_t v = 0; v < columns.out; ++v) {
        double expected = 0;
        for (std::size_t c = 0; c < channels; ++c) {
          for (std::size_t i = 0; i < rows.taps; ++i) {
            for (std::size_t j = 0; j < columns.taps; ++j) {
              const std::ptrdiff_t row = place_in(rows, h, i), column = place_in(columns, v, j);
              if (row < 0 || column < 0) continue;
              const std::size_t at = (c * rows.in + static_cast<std::size_t>(row)) * columns.in;
              expected +=
                  w[o * depth + (c * rows.taps + i) * columns.taps + j] * x[at + static_cast<std::size_t>(column)];
            }
          }
        }
        REQUIRE(y[o * windows.length() + h * windows.pitch() + v] == within(expected, 1e-12));
      }
    }
  }
  REQUIRE((!windows.exact() || windows.length() == rows.out * columns.out));
  return windows.pitch() == columns.out;
}

}  // namespace

TEST_CASE("planes give the correlation of their formula, whichever way they are built") {
  std::size_t apart = 0, together = 0;
  for (const std::size_t stride : {1u, 2u, 3u}) {
    for (const std::size_t taps : {1u, 2u, 3u, 5u}) {
      for (const std::ptrdiff_t padding : {-2, 0, 1, 4}) {
        for (const std::size_t products : {1u, 10000u}) {
          INFO("stride " << stride << ", taps " << taps << ", padding " << padding << ", products " << products);
          const window_axis rows{7, 6, taps, stride, padding};
          const window_axis columns{9, 11, std::max<std::size_t>(taps - 1, 1), stride, 1 - padding};
          ++(check_planes(2, rows, columns, products) ? apart : together);
          check_planes(1, {1, 1, taps, stride, padding}, {3, 5, taps, stride, padding}, products);
        }
      }
    }
  }
  REQUIRE(apart > 10);
  REQUIRE(together > 10);
}

TEST_CASE("outer_products agree with five nested loops for every run of taps and any number of runs") {
  const std::size_t height = 3, width = 4, x_row = 6;
  const auto x = random_vector<float>(30 * x_row, 3);
  const auto check = [&](auto bytes, std::size_t wide) {
    constexpr std::size_t count = bytes / sizeof(float);
    const std::size_t y_row = wide * count;
    const auto y = random_vector<float>(height * width * y_row, 4);
    for (std::size_t taps = 1; taps <= detail::longest_run; ++taps) {
      for (const std::size_t runs : {1u, 2u, 9u, 11u}) {
        INFO(bytes << " bytes, " << wide << " vectors, " << taps << " taps, " << runs << " runs");
        std::vector<detail::tap_run> places;
        for (std::size_t r = 0; r < runs; ++r) {
          places.push_back({static_cast<std::uint32_t>(r * taps), static_cast<std::uint32_t>(7 * r)});
        }
        std::vector<float> d(runs * taps * y_row, 1.0f);
        detail::outer_products<float, bytes>(height, width, x.data(), x_row, runs, places.data(), taps, y.data(), y_row,
                                             d.data(), 1);
        for (std::size_t r = 0; r < runs; ++r) {
          for (std::size_t t = 0; t < taps; ++t) {
            for (std::size_t v = 0; v < y_row; ++v) {
              double expected = 1;
              for (std::size_t h = 0; h < height; ++h) {
                for (std::size_t w = 0; w < width; ++w) {
                  expected += static_cast<double>(x[7 * r + (h + t) * x_row + w]) *
                              static_cast<double>(y[(h * width + w) * y_row + v]);
                }
              }
              REQUIRE(static_cast<double>(d[(r * taps + t) * y_row + v]) == within(expected, 1e-4));
            }
          }
        }
      }
    }
  };
  for (const std::size_t channels : {2u, 5u, 16u}) {
    detail::with_vector_for<float>(channels, [&](auto bytes) { check(bytes, 1); });
  }
  for (const std::size_t vectors : {2u, 3u}) {
    check(std::integral_constant<std::size_t, detail::vector_bytes>{}, vectors);
  }
}

TEST_CASE("matrices transposed to vectors and back are what they were, with zeros in the lanes beyond") {
  for (const std::size_t rows : {1u, 3u, 4u, 6u, 16u, 21u}) {
    for (const std::size_t columns : {1u, 2u, 7u, 16u, 25u, 100u}) {
      INFO(rows << " x " << columns);
      const auto matrix = random_vector<float>(rows * columns, 5);
      detail::with_vector_for<float>(rows, [&](auto bytes) {
        constexpr std::size_t count = bytes / sizeof(float);
        const std::size_t wide = (rows + count - 1) / count * count;
        std::vector<float> turned(columns * wide, 9.0f), back(rows * columns, 9.0f);
        detail::transpose_to_vectors<float, bytes>(rows, columns, matrix.data(), columns, turned.data(), wide);
        for (std::size_t j = 0; j < columns; ++j) {
          for (std::size_t i = 0; i < wide; ++i) {
            REQUIRE(turned[j * wide + i] == (i < rows ? matrix[i * columns + j] : 0.0f));
          }
        }
        detail::transpose_from_vectors<float, bytes>(columns, rows, turned.data(), wide, back.data(), columns);
        REQUIRE(back == matrix);
      });
    }
  }
}
