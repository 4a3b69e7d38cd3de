// The obligations of a kernel backend as tests, in the backend's own memory: index functions, teams, products.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "contract/backend_suite.hpp"
#include "polder/backend/tensor_backend.hpp"

namespace polder::contract {

// Index functions: named, because nvcc compiles this file as well.

/// to[i] += 3 i + 1
struct mark {
  double* to;
  POLDER_HD void operator()(std::size_t i) const { to[i] += 3.0 * static_cast<double>(i) + 1.0; }
};
/// For each row of `width` numbers: leaves the mean of its numbers and, of what the team itself wrote before, the sum of
/// squared gaps and the number of gaps.
template <class T>
struct row_moments {
  std::size_t width;
  const T* x;
  T* gaps;         // [rows, width]
  double* result;  // [rows, 3]
  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t row) const {
    const T* const from = x + row * width;
    T* const to = gaps + row * width;
    const double mean =
        team.sum(width, [from](std::size_t i) { return static_cast<double>(from[i]); }) / static_cast<double>(width);
    // the other way round, so that each number is read by another thread than wrote it
    const std::size_t last = width - 1;
    team.each(width, [&](std::size_t i) { to[last - i] = static_cast<T>(static_cast<double>(from[last - i]) - mean); });
    const auto both = team.sum(width, [to](std::size_t i) {
      const auto gap = static_cast<double>(to[i]);
      return several<2>{{gap * gap, 1.0}};
    });
    team.each(1, [&](std::size_t) {
      result[3 * row] = mean;
      result[3 * row + 1] = both.values[0];
      result[3 * row + 2] = both.values[1];
    });
  }
};

template <class B>
void check_each(const B& b) {
  std::vector<std::size_t> all = sizes;
  all.push_back(1'000'003);  // more than the threads of any device at a time
  for (const std::size_t n : all) {
    const placed<B, double> to(b, std::vector<double>(n, 0.5));
    b.each(n, mark{to.view.data});
    std::vector<double> expected(n);
    for (std::size_t i = 0; i < n; ++i) expected[i] = 3.0 * static_cast<double>(i) + 1.5;
    CHECK(same_bits(fetch(b, to.view), expected));
  }
}

template <class B, class T>
void check_teams(const B& b) {
  for (const std::size_t rows : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{3000}}) {
    for (const std::size_t width :
         {std::size_t{1}, std::size_t{5}, std::size_t{255}, std::size_t{256}, std::size_t{1031}}) {
      if (rows * width > 1'000'000) continue;
      CAPTURE(rows, width);
      const auto values = numbers<T>(rows * width, 7);
      const placed<B, T> x(b, values), gaps(b, std::vector<T>(rows * width, T{9}));
      const placed<B, double> result(b, std::vector<double>(3 * rows, 9.0));
      const auto run = [&] {
        b.teams(rows, row_moments<T>{width, x.view.data, gaps.view.data, result.view.data});
        return fetch(b, result.view);
      };
      const std::vector<double> found = run();
      CHECK(same_bits(run(), found));
      double most = 0;
      for (std::size_t row = 0; row < rows; ++row) {
        double mean = 0, squares = 0;
        for (std::size_t i = 0; i < width; ++i) mean += static_cast<double>(values[row * width + i]);
        mean /= static_cast<double>(width);
        for (std::size_t i = 0; i < width; ++i) {
          const auto gap = static_cast<double>(static_cast<T>(static_cast<double>(values[row * width + i]) - mean));
          squares += gap * gap;
        }
        most = std::max({most, std::abs(found[3 * row] - mean), std::abs(found[3 * row + 1] - squares) / (1 + squares),
                         std::abs(found[3 * row + 2] - static_cast<double>(width))});
      }
      // a gap that rounds the other way moves a sum of squares by an ulp of T
      CHECK(most <= 64 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    }
  }
}

/// All obligations of a kernel backend.
template <class B>
void check_kernel_backend(const B& b) {
  static_assert(kernel_backend<B>);
  check_each(b);
  check_teams<B, float>(b);
  check_teams<B, double>(b);
  check_gemm<B, float>(b);
  check_gemm<B, double>(b);
}

}  // namespace polder::contract
