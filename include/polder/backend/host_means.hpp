// polder — the mean of some vectors and their squared distances to it, as the fast host backends compute them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "polder/backend/host_loops.hpp"
#include "polder/backend/host_memory.hpp"
#include "polder/backend/host_vectors.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::detail {

/// The lanes of a canonical sum in registers.
inline constexpr std::size_t lane_packs = sum_lanes / pack_size;
static_assert(sum_lanes % pack_size == 0);

/// sums += (x - center)^2, rounded twice as the canonical order has it.
POLDER_INLINE void add_squared_gap(double_pack& sums, const double_pack& x, const double_pack& center) {
  const double_pack gap = x - center;
  double_pack square = gap * gap;
  settle(square);
  sums += square;
}

/// Adds the squared gaps of the last `count` < sum_lanes elements of a block to the lanes.
template <class T>
inline void add_last_gaps(double (&lanes)[sum_lanes], const T* x, const T* center, std::size_t count) {
  double values[sum_lanes];
  for (std::size_t lane = 0; lane < count; ++lane) {
    const double gap = static_cast<double>(x[lane]) - static_cast<double>(center[lane]);
    values[lane] = gap * gap;
  }
  settle(values);
  for (std::size_t lane = 0; lane < count; ++lane) lanes[lane] += values[lane];
}

/// The sum over one canonical block of (x_i - center_i)^2.
template <class T>
[[nodiscard]] inline double squared_gaps(const T* x, const T* center, std::size_t count) {
  double_pack sums[lane_packs] = {};
  std::size_t i = 0;
  for (; i + sum_lanes <= count; i += sum_lanes) {
    for (std::size_t p = 0; p < lane_packs; ++p) {
      double_pack value{}, middle{};
      load(x + i + p * pack_size, value);
      load(center + i + p * pack_size, middle);
      add_squared_gap(sums[p], value, middle);
    }
  }
  double lanes[sum_lanes];
  std::memcpy(lanes, sums, sizeof lanes);
  add_last_gaps(lanes, x + i, center + i, count - i);
  return fold_lanes(lanes);
}

/// mean_with_gaps for one canonical block of a few vectors: each number is read and widened once, and stays in a register
/// until it has been compared with the mean.
template <std::size_t Vectors, class T>
inline void mean_of_few(const host_view<const T>* vectors, T* mean, std::size_t first, std::size_t count,
                        bool streaming, double* gaps) {
  const double weight = 1.0 / static_cast<double>(Vectors);
  const T* x[Vectors];
  for (std::size_t m = 0; m < Vectors; ++m) x[m] = vectors[m].data + first;
  mean += first;
  double_pack sums[Vectors][lane_packs] = {};
  alignas(64) T staging[loop_block];
  std::size_t i = 0;
  while (i + sum_lanes <= count) {
    const std::size_t size = std::min(loop_block, (count - i) / sum_lanes * sum_lanes);
    T* const to = streaming ? staging : mean + i;
    for (std::size_t done = 0; done < size; done += sum_lanes) {
      POLDER_UNROLL
      for (std::size_t p = 0; p < lane_packs; ++p) {
        const std::size_t at = done + p * pack_size;
        double_pack values[Vectors], center{};
        POLDER_UNROLL
        for (std::size_t m = 0; m < Vectors; ++m) {
          load(x[m] + i + at, values[m]);
          add_product(center, weight, values[m]);
        }
        store(center, to + at);
        load(to + at, center);
        POLDER_UNROLL
        for (std::size_t m = 0; m < Vectors; ++m) add_squared_gap(sums[m][p], values[m], center);
      }
    }
    if (streaming) stream_to(mean + i, staging, size);
    i += size;
  }
  for (std::size_t k = i; k < count; ++k) {
    double y = 0.0;
    for (std::size_t m = 0; m < Vectors; ++m) y = ops::multiply_add(weight, static_cast<double>(x[m][k]), y);
    mean[k] = static_cast<T>(y);
  }
  for (std::size_t m = 0; m < Vectors; ++m) {
    double lanes[sum_lanes];
    std::memcpy(lanes, sums[m], sizeof lanes);
    add_last_gaps(lanes, x[m] + i, mean + i, count - i);
    gaps[m] = fold_lanes(lanes);
  }
}

template <class T>
using mean_of_few_pointer = void (*)(const host_view<const T>*, T*, std::size_t, std::size_t, bool, double*);

template <class T, std::size_t... Index>
constexpr std::array<mean_of_few_pointer<T>, sizeof...(Index)> means_of_few(std::index_sequence<Index...>) {
  return {mean_of_few<Index + 1, T>...};
}

/// Vectors whose numbers stay in registers.
inline constexpr std::size_t few_vectors = 8;

/// mean_with_gaps for one canonical block: `add_gap(m, sum)` receives the block's part of gaps[m]. The vectors are read
/// from memory once, for the mean; for the gaps, the numbers of many vectors are still in a cache.
template <class T, class AddGap>
inline void mean_block(std::span<const host_view<const T>> vectors, host_view<T> mean, std::size_t first,
                       bool streaming, const AddGap& add_gap) {
  static constexpr auto few = means_of_few<T>(std::make_index_sequence<few_vectors>{});
  const std::size_t count = std::min(sum_block, mean.size - first);
  if (vectors.empty()) return;
  if (vectors.size() <= few_vectors) {
    double gaps[few_vectors];
    few[vectors.size() - 1](vectors.data(), mean.data, first, count, streaming, gaps);
    for (std::size_t m = 0; m < vectors.size(); ++m) add_gap(m, gaps[m]);
    return;
  }
  const double weight = 1.0 / static_cast<double>(vectors.size());
  const auto term = [vectors, weight](std::size_t m) { return weighted<host_space, T>{vectors[m], weight}; };
  alignas(64) T centers[sum_block];
  for (std::size_t done = 0; done < count; done += loop_block) {
    const std::size_t size = std::min(loop_block, count - done);
    weighted_sum(vectors.size(), term, first + done, size, centers + done);
    if (streaming) stream_to(mean.data + first + done, centers + done, size);
  }
  if (!streaming) std::copy_n(centers, count, mean.data + first);
  for (std::size_t m = 0; m < vectors.size(); ++m) add_gap(m, squared_gaps(vectors[m].data + first, centers, count));
}

}  // namespace polder::detail
