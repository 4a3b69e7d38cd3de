// polder — the mean that all workers of a process share, and what each puts in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "polder/comm/protocol.hpp"
#include "polder/comm/queue_marks.hpp"
#include "polder/core/config.hpp"
#include "polder/core/view.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::detail {

/// What a worker puts in for an all-reduce.
struct reduction_input {
  const void* data = nullptr;
  std::size_t size = 0;
  std::size_t bytes_each = 0;
};

/// The gap of vectors without numbers.
struct no_gap {
  POLDER_HD void operator()(double& gap) const { gap = 0.0; }
};

/// One mean for all workers. It is written only when all have come to the next all-reduce, and so have released it.
template <class Space>
struct shared_mean {
  explicit shared_mean(std::size_t workers) : inputs(workers) {}

  std::vector<reduction_input> inputs;  // [workers]
  kept_memory mean;                     // [n]
  kept_memory partial;                  // [workers] slices x [workers] partial sums of squared gaps
  kept_memory gaps;                     // [workers]
  struct nothing {};
  [[no_unique_address]] std::conditional_t<has_queues<Space>, std::vector<weighted<Space, double>>, nothing> terms{};
  [[no_unique_address]]
  typename queue_marks<Space>::mark gathered{};  // all vectors are there, nobody reads the last mean
  [[no_unique_address]] typename queue_marks<Space>::mark folded{};  // mean and gaps are there

  /// Whether there is room for a mean of n numbers.
  template <class T>
  [[nodiscard]] bool fits(std::size_t n) const {
    return mean.fits<T>(n) && gaps.fits<double>(inputs.size());
  }
  template <class T, class Backend>
  void reserve(const Backend& backend, std::size_t n) {
    (void)mean.reserve<T>(backend, n);
    (void)partial.reserve<double>(backend, inputs.size() * inputs.size());
    (void)gaps.reserve<double>(backend, inputs.size());
  }

  /// gaps[m] = sum_s partial[s][m] over the slices of n numbers, in their order.
  template <class Backend>
  void fold(const Backend& backend, std::size_t n) {
    const std::size_t workers = inputs.size();
    std::size_t slices = 0;
    while (slices < workers && slice_of(n, static_cast<int>(workers), static_cast<int>(slices)).size != 0) ++slices;
    double* const to = gaps.get<double>();
    const double* const from = partial.get<double>();
    if constexpr (has_queues<Space>) {
      terms.resize(slices);
      for (std::size_t s = 0; s < slices; ++s) terms[s] = {{from + s * workers, workers}, 1.0};
      const view<Space, double> sums(to, workers);
      if (slices == 0) backend.map(workers, no_gap{}, out(sums));
      backend.combine(std::span<const weighted<Space, double>>(terms), ops::assign{}, out(sums));
    } else {
      std::fill_n(to, workers, 0.0);
      for (std::size_t s = 0; s < slices; ++s) {
        for (std::size_t m = 0; m < workers; ++m) to[m] += from[s * workers + m];
      }
    }
  }
};

}  // namespace polder::detail
