// polder — the passes of the fast host backends: blocks that stay in the nearest cache, loops that the compiler
// vectorizes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "polder/backend/host_memory.hpp"
#include "polder/backend/host_vectors.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::detail {

/// Elements of a block: small enough to stay in the first-level cache and for the processor to look into the next one.
inline constexpr std::size_t loop_block = 128;

/// A pass over more memory than this writes its `out` streams past the caches. An ordinary store first reads the line
/// it overwrites and later evicts it through every cache; above the size of a last-level cache that costs a third to a
/// half of the bandwidth, below it the next pass would have found the numbers in the cache.
inline constexpr std::size_t non_temporal_bytes = std::size_t{48} << 20;

/// The one loop of an element-wise pass. The pointers are restrict: the contract says that arrays do not overlap.
template <class Element, class... Ts>
inline void map_loop(std::size_t n, const Element element, Ts* POLDER_RESTRICT... x) {
  for (std::size_t i = 0; i < n; ++i) element(x[i]...);
}

/// Where a block of a stream is read and written when the pass streams: in place, but for `out`, which is written to
/// the nearest cache and from there past the others.
template <access Access, class T>
struct staged {
  typename stream<Access, host_space, T>::pointer data;
  auto block(std::size_t first) { return data + first; }
  void flush(std::size_t, std::size_t) {}
};
template <class T>
struct staged<access::out, T> {
  T* data;
  alignas(64) T numbers[loop_block];
  explicit staged(T* to) : data(to) {}
  T* block(std::size_t) { return numbers; }
  void flush(std::size_t first, std::size_t count) { stream_to(data + first, numbers, count); }
};

/// Adds `count` values, of which the first belongs to lane 0.
inline void add_lanes(double (&lanes)[sum_lanes], const double* values, std::size_t count) {
  std::size_t i = 0;
  for (; i + sum_lanes <= count; i += sum_lanes) {
    for (std::size_t lane = 0; lane < sum_lanes; ++lane) lanes[lane] += values[i + lane];
  }
  for (std::size_t lane = 0; i + lane < count; ++lane) lanes[lane] += values[i + lane];
}

/// Whether a pass over n elements of `terms` vectors of T and of the streams should write past the caches.
template <class T, access... Modes, class... Ts>
[[nodiscard]] constexpr bool worth_streaming(std::size_t n, std::size_t terms,
                                             const stream<Modes, host_space, Ts>&...) {
  return ((Modes == access::out) || ...) && n * ((terms * sizeof(T)) + ... + sizeof(Ts)) >= non_temporal_bytes;
}

/// map, for the elements [first, first + count). A pass that streams ends with finish_streaming().
template <class Element, access... Modes, class... Ts>
inline void map_range(std::size_t first, std::size_t count, bool streaming, const Element& element,
                      stream<Modes, host_space, Ts>... streams) {
  if (!streaming) {
    map_loop(count, element, (streams.data + first)...);
    return;
  }
  [&](auto&&... blocks) {
    for (const std::size_t last = first + count; first < last; first += loop_block) {
      const std::size_t size = std::min(loop_block, last - first);
      map_loop(size, element, blocks.block(first)...);
      (blocks.flush(first, size), ...);
    }
  }(staged<Modes, Ts>{streams.data}...);
}

/// to[i] = from[i] + sum_k weight_k x_k[first + i], in that order and in double; `from` counts as 0 if there is none.
template <std::size_t Terms, bool HasFrom, class T, class To>
inline void add_terms(const weighted<host_space, T>* terms, std::size_t first, std::size_t n,
                      [[maybe_unused]] const double* from, To* POLDER_RESTRICT to) {
  const T* x[Terms];
  double weight[Terms];
  for (std::size_t k = 0; k < Terms; ++k) {
    x[k] = terms[k].x.data + first;
    weight[k] = terms[k].weight;
  }
  std::size_t i = 0;
  for (; i + pack_size <= n; i += pack_size) {
    double_pack y{};
    if constexpr (HasFrom) load(from + i, y);
    for (std::size_t k = 0; k < Terms; ++k) {
      double_pack term{};
      load(x[k] + i, term);
      add_product(y, weight[k], term);
    }
    store(y, to + i);
  }
  for (; i < n; ++i) {
    double y = 0.0;
    if constexpr (HasFrom) y = from[i];
    for (std::size_t k = 0; k < Terms; ++k) y = ops::multiply_add(weight[k], static_cast<double>(x[k][i]), y);
    to[i] = static_cast<To>(y);
  }
}

/// Terms that are added in registers at a time.
inline constexpr std::size_t term_group = 4;

template <bool HasFrom, class T>
inline void add_last_terms(std::size_t count, const weighted<host_space, T>* terms, std::size_t first, std::size_t n,
                           const double* from, T* to) {
  switch (count) {
    case 1:
      return add_terms<1, HasFrom>(terms, first, n, from, to);
    case 2:
      return add_terms<2, HasFrom>(terms, first, n, from, to);
    case 3:
      return add_terms<3, HasFrom>(terms, first, n, from, to);
    default:
      return add_terms<4, HasFrom>(terms, first, n, from, to);
  }
}

/// to[i] = sum_k weight_k x_k[first + i] for n <= loop_block elements, rounded once; `term(k)` gives the k-th of `count`
/// terms. More than four terms meet in a block of doubles in the nearest cache.
template <class T, class Term>
inline void weighted_sum(std::size_t count, const Term& term, std::size_t first, std::size_t n, T* to) {
  if (count == 0) {
    std::fill_n(to, n, T{0});
    return;
  }
  weighted<host_space, T> group[term_group];
  const auto gather = [&](std::size_t begin) {
    const std::size_t size = std::min(term_group, count - begin);
    for (std::size_t k = 0; k < size; ++k) group[k] = term(begin + k);
    return size;
  };
  std::size_t size = gather(0);
  if (count <= term_group) {
    add_last_terms<false>(size, group, first, n, nullptr, to);
    return;
  }
  alignas(64) double sums[2][loop_block];
  double* from = sums[0];
  double* next = sums[1];
  add_terms<term_group, false>(group, first, n, nullptr, from);
  std::size_t done = term_group;
  for (; count - done > term_group; done += term_group) {
    gather(done);
    add_terms<term_group, true>(group, first, n, from, next);
    std::swap(from, next);
  }
  size = gather(done);
  add_last_terms<true>(size, group, first, n, from, to);
}

/// combine, for the elements [first, first + count).
template <class T, class Element, access... Modes, class... Ts>
inline void combine_range(std::size_t first, std::size_t count, bool streaming,
                          std::span<const weighted<host_space, T>> terms, const Element& element,
                          stream<Modes, host_space, Ts>... streams) {
  alignas(64) T sums[loop_block];
  const auto term = [terms](std::size_t k) { return terms[k]; };
  for (const std::size_t last = first + count; first < last; first += loop_block) {
    const std::size_t size = std::min(loop_block, last - first);
    weighted_sum(terms.size(), term, first, size, sums);
    map_range(0, size, streaming, element, stream<access::in, host_space, T>{sums, size},
              stream<Modes, host_space, Ts>{streams.data + first, size}...);
  }
}

/// values[i] = element(x[i], …).
template <class Element, class... Ts>
inline void value_loop(std::size_t n, double* POLDER_RESTRICT values, const Element element,
                       const Ts* POLDER_RESTRICT... x) {
  for (std::size_t i = 0; i < n; ++i) values[i] = element(x[i]...);
}

/// The sum over one canonical block of `count` <= sum_block elements, of which `rest` more follow: values in blocks of
/// the nearest cache, added lane by lane.
template <class Element, class... Ts>
[[nodiscard]] inline double sum_range(std::size_t count, std::size_t rest, const Element& element, const Ts*... x) {
  double lanes[sum_lanes] = {};
  alignas(64) double values[loop_block];
  for (std::size_t first = 0; first < count; first += loop_block) {
    const std::size_t size = std::min(loop_block, count - first);
    const std::size_t ahead = std::min(loop_block, count + rest - first - size);
    (prefetch(x + first + size, ahead), ...);
    value_loop(size, values, element, (x + first)...);
    settle(values);
    add_lanes(lanes, values, size);
  }
  return fold_lanes(lanes);
}

/// The canonical block at `first` of all products of two vectors: take(a (a + 1) / 2 + b, sum over the block).
template <class T, class Take>
inline void gram_block(std::span<const host_view<const T>> vectors, std::size_t first, const Take& take) {
  std::size_t place = 0;
  for (std::size_t a = 0; a < vectors.size(); ++a) {
    const std::size_t count = std::min(sum_block, vectors[a].size - first);
    for (std::size_t b = 0; b <= a; ++b) {
      take(place++, sum_range(count, 0, ops::product{}, vectors[a].data + first, vectors[b].data + first));
    }
  }
}

}  // namespace polder::detail
