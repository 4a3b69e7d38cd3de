// polder — the backend on Thrust's systems: sequential and OpenMP on the host, CUDA on the device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#if !defined(THRUST_DEVICE_SYSTEM) && !defined(__CUDACC__)
#define THRUST_DEVICE_SYSTEM THRUST_DEVICE_SYSTEM_CPP
#endif
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/system/cpp/execution_policy.h>
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_OMP
#include <thrust/system/omp/execution_policy.h>
#endif

#include "polder/backend/host_kernels.hpp"
#include "polder/backend/host_loops.hpp"
#include "polder/backend/host_means.hpp"
#include "polder/backend/host_memory.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder {

/// Thrust's sequential system.
struct thrust_cpp {
  static constexpr auto policy() { return thrust::cpp::par; }
};
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_OMP
/// Thrust's OpenMP system: each pass is shared by the threads of OMP_NUM_THREADS.
struct thrust_omp {
  static constexpr auto policy() { return thrust::omp::par; }
};
using thrust_system = thrust_omp;
#elif THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
/// One CUDA device.
struct thrust_cuda {};
using thrust_system = thrust_cuda;
#elif THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CPP
using thrust_system = thrust_cpp;
#else
#error "polder/backend/thrust.hpp: THRUST_DEVICE_SYSTEM must be THRUST_DEVICE_SYSTEM_CPP, _OMP or _CUDA"
#endif

/// The backend on a system of Thrust; by default the one that THRUST_DEVICE_SYSTEM names (thrust_cpp where it is not
/// defined; thrust_cuda under nvcc).
///
/// On the host systems a pass is cut into blocks that Thrust hands to its threads, and the memory is ordinary host
/// memory. Sums have the bits of reference_backend whatever the number of threads. With one thread per worker
/// eigen_backend is the better choice: an OpenMP team inside each worker asks for more threads than there are cores.
template <class System = thrust_system>
struct thrust_backend : detail::host_memory {
  template <class Element, access... Modes, class... Ts>
  void map(std::size_t n, const Element& element, stream<Modes, host_space, Ts>... streams) const {
    const auto resolved = resolve(element);
    const bool streaming = detail::worth_streaming<float>(n, 0, streams...);
    for_blocks(n, [=](std::size_t first, std::size_t count) {
      detail::map_range(first, count, streaming, resolved, streams...);
      if (streaming) detail::finish_streaming();
    });
  }

  template <class T, class Element, access... Modes, class... Ts>
  void combine(std::span<const weighted<host_space, T>> terms, const Element& element,
               stream<Modes, host_space, Ts>... streams) const {
    const auto resolved = resolve(element);
    const std::size_t n = terms.empty() ? 0 : terms.front().x.size;
    const bool streaming = detail::worth_streaming<T>(n, terms.size(), streams...);
    for_blocks(n, [=](std::size_t first, std::size_t count) {
      detail::combine_range(first, count, streaming, terms, resolved, streams...);
      if (streaming) detail::finish_streaming();
    });
  }

  template <class Element, class... Ts>
  void sum(std::size_t n, const Element& element, host_view<double> result,
           stream<access::in, host_space, Ts>... streams) const {
    const auto resolved = resolve(element);
    constexpr std::size_t batch = 1024;  // blocks whose sums are kept at a time: 8 KiB of the stack
    double sums[batch];
    double* const to = sums;
    double total = 0.0;
    for (std::size_t begin = 0; begin < n; begin += batch * sum_block) {
      const std::size_t size = std::min(batch * sum_block, n - begin);
      for_blocks(size, [=](std::size_t first, std::size_t count) {
        to[first / sum_block] =
            detail::sum_range(count, size - first - count, resolved, (streams.data + begin + first)...);
      });
      for (std::size_t block = 0; block * sum_block < size; ++block) total += sums[block];
    }
    *result.data = total;
  }

  template <class Index>
  void each(std::size_t n, const Index& f) const {
    for_blocks(n, [f](std::size_t first, std::size_t count) {
      for (std::size_t i = first; i < first + count; ++i) f(i);
    });
  }
  template <class Index>
  void teams(std::size_t n, const Index& f) const {
    const thrust::counting_iterator<std::size_t> begin(0);
    thrust::for_each(System::policy(), begin, begin + static_cast<std::ptrdiff_t>(n),
                     [f](std::size_t i) { f(detail::host_team{}, i); });
  }

  /// Takes M doubles of memory for every 4096 elements.
  template <class T>
  void mean_with_gaps(std::span<const host_view<const T>> vectors, host_view<T> mean, host_view<double> gaps) const {
    const std::size_t workers = vectors.size();
    const bool streaming = detail::worth_streaming<T>(mean.size, workers, out(mean));
    std::vector<double> sums((mean.size + sum_block - 1) / sum_block * workers);
    double* const to = sums.data();
    for_blocks(mean.size, [=](std::size_t first, std::size_t) {
      detail::mean_block(vectors, mean, first, streaming,
                         [=](std::size_t m, double gap) { to[first / sum_block * workers + m] = gap; });
      if (streaming) detail::finish_streaming();
    });
    for (std::size_t m = 0; m < workers; ++m) {
      double total = 0.0;
      for (std::size_t i = m; i < sums.size(); i += workers) total += sums[i];
      gaps.data[m] = total;
    }
  }

  /// Takes a double of memory for every product and 4096 elements.
  template <class T>
  void gram(std::span<const host_view<const T>> vectors, host_view<double> products) const {
    const std::size_t count = vectors.size() * (vectors.size() + 1) / 2;
    const std::size_t n = vectors.empty() ? 0 : vectors.front().size;
    std::vector<double> sums((n + sum_block - 1) / sum_block * count);
    double* const to = sums.data();
    for_blocks(n, [=](std::size_t first, std::size_t) {
      detail::gram_block(vectors, first,
                         [=](std::size_t place, double part) { to[first / sum_block * count + place] = part; });
    });
    for (std::size_t place = 0; place < count; ++place) {
      double total = 0.0;
      for (std::size_t i = place; i < sums.size(); i += count) total += sums[i];
      products.data[place] = total;
    }
  }

 private:
  /// Calls pass(first, count) for the canonical blocks of [0, n), in the system's threads.
  template <class Pass>
  static void for_blocks(std::size_t n, const Pass& pass) {
    const auto block = [n, pass](std::size_t index) {
      const std::size_t first = index * sum_block;
      pass(first, std::min(sum_block, n - first));
    };
    const thrust::counting_iterator<std::size_t> begin(0);
    thrust::for_each(System::policy(), begin, begin + static_cast<std::ptrdiff_t>((n + sum_block - 1) / sum_block),
                     block);
  }
};

static_assert(tensor_backend<thrust_backend<thrust_cpp>>);

}  // namespace polder

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
#include "polder/backend/thrust_cuda.hpp"
#endif
