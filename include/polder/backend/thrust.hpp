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

#include "polder/backend/cuda_kernels.hpp"
#include "polder/backend/cuda_passes.hpp"
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

  using kernels = thrust_backend;

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

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA

/// On CUDA every pass is one kernel on the backend's own stream, and the host waits for nothing but to_host; so whole
/// steps can be captured in a graph. Copies of a backend share its stream; give every worker a backend of its own.
/// Scratch memory comes from the stream's pool. Sums have the canonical order; their bits are those of the host unless
/// the element itself was contracted differently (-fmad=false forbids that).
///
/// Calls throw backend_error with the name of the CUDA call and the library's text. A kernel that fails is reported by
/// the first call after it that notices.
template <>
class thrust_backend<thrust_cuda> {
 public:
  using space = cuda_space;
  template <class T>
  using buffer = cuda_buffer<T>;

  /// A new stream on the calling thread's current device.
  thrust_backend() : queue_(std::make_shared<const detail::cuda_queue>()) {}

  /// The stream on which the passes run, for libraries that take one.
  [[nodiscard]] cudaStream_t cuda_stream() const { return queue_->stream(); }
  /// Makes the backend's device the calling thread's, as every pass does: before calls of such a library.
  void enter() const { queue_->enter(); }

  template <class T>
  [[nodiscard]] cuda_buffer<T> zeros(std::size_t n) const {
    queue_->enter();
    cuda_buffer<T> numbers(n);
    if (n != 0) {
      detail::check_cuda("cudaMemsetAsync", cudaMemsetAsync(numbers.view().data, 0, n * sizeof(T), cuda_stream()));
      detail::check_cuda("cudaStreamSynchronize", cudaStreamSynchronize(cuda_stream()));
    }
    return numbers;
  }
  template <class From, class T>
  void copy(view<cuda_space, From> from, view<cuda_space, T> to) const {
    transfer(from.data, from.size, to.data, to.size, cudaMemcpyDeviceToDevice);
  }
  /// The one call that waits: the numbers are there when it returns.
  template <class From, class T>
  void to_host(view<cuda_space, From> from, std::span<T> to) const {
    transfer(from.data, from.size, to.data(), to.size(), cudaMemcpyDeviceToHost);
    detail::check_cuda("cudaStreamSynchronize", cudaStreamSynchronize(cuda_stream()));
  }
  /// Page-locked memory must stay as it is until the stream has come to the copy; ordinary memory may change at once.
  template <class From, class T>
  void from_host(std::span<From> from, view<cuda_space, T> to) const {
    transfer(from.data(), from.size(), to.data, to.size, cudaMemcpyHostToDevice);
  }

  template <class Element, access... Modes, class... Ts>
  void map(std::size_t n, const Element& element, stream<Modes, cuda_space, Ts>... streams) const {
    if (n == 0) return;
    queue_->enter();
    detail::map_kernel<<<queue_->blocks_for(n), detail::cuda_threads, 0, cuda_stream()>>>(n, element, streams.data...);
    detail::check_cuda("map", cudaGetLastError());
  }

  using kernels = thrust_backend;

  template <class Index>
  void each(std::size_t n, const Index& f) const {
    if (n == 0) return;
    queue_->enter();
    detail::each_kernel<<<queue_->blocks_for(n), detail::cuda_threads, 0, cuda_stream()>>>(n, f);
    detail::check_cuda("each", cudaGetLastError());
  }
  /// A team is a block of threads.
  template <class Index>
  void teams(std::size_t n, const Index& f) const {
    if (n == 0) return;
    queue_->enter();
    detail::teams_kernel<<<queue_->blocks_for(n * detail::cuda_threads), detail::cuda_threads, 0, cuda_stream()>>>(n,
                                                                                                                   f);
    detail::check_cuda("teams", cudaGetLastError());
  }

  /// More than 32 terms cost a copy of their table to the device.
  template <class T, class Element, access... Modes, class... Ts>
  void combine(std::span<const weighted<cuda_space, T>> terms, const Element& element,
               stream<Modes, cuda_space, Ts>... streams) const {
    const std::size_t n = terms.empty() ? 0 : terms.front().x.size;
    if (n == 0) return;
    queue_->enter();
    with_table(terms, [&](auto table) {
      detail::combine_kernel<T><<<queue_->blocks_for(n), detail::cuda_threads, 0, cuda_stream()>>>(
          n, table, terms.size(), element, streams.data...);
      detail::check_cuda("combine", cudaGetLastError());
    });
  }

  template <class Element, class... Ts>
  void sum(std::size_t n, const Element& element, view<cuda_space, double> result,
           stream<access::in, cuda_space, Ts>... streams) const {
    queue_->enter();
    const std::size_t blocks = (n + sum_block - 1) / sum_block;
    const detail::cuda_scratch<double> sums(*queue_, blocks);
    if (blocks != 0) {
      detail::sum_kernel<<<static_cast<unsigned>(blocks), detail::cuda_threads, 0, cuda_stream()>>>(
          n, element, sums.data(), streams.data...);
      detail::check_cuda("sum", cudaGetLastError());
    }
    detail::fold_kernel<<<1, 1, 0, cuda_stream()>>>(1, blocks, sums.data(), result.data);
    detail::check_cuda("sum", cudaGetLastError());
  }

  template <class T>
  void mean_with_gaps(std::span<const view<cuda_space, const T>> vectors, view<cuda_space, T> mean,
                      view<cuda_space, double> gaps) const {
    if (vectors.empty()) return;
    queue_->enter();
    const std::size_t workers = vectors.size();
    const std::size_t blocks = (mean.size + sum_block - 1) / sum_block;
    const detail::cuda_scratch<double> sums(*queue_, blocks * workers);
    std::vector<weighted<cuda_space, T>> terms(workers);
    for (std::size_t m = 0; m < workers; ++m) terms[m] = {vectors[m], 1.0 / static_cast<double>(workers)};
    if (blocks != 0) {
      with_table(std::span<const weighted<cuda_space, T>>(terms), [&](auto table) {
        detail::mean_kernel<<<static_cast<unsigned>(blocks), detail::cuda_threads, 0, cuda_stream()>>>(
            mean.size, table, workers, mean.data, sums.data());
        detail::check_cuda("mean_with_gaps", cudaGetLastError());
      });
    }
    const auto grid = static_cast<unsigned>((workers + detail::cuda_threads - 1) / detail::cuda_threads);
    detail::fold_kernel<<<grid, detail::cuda_threads, 0, cuda_stream()>>>(workers, blocks, sums.data(), gaps.data);
    detail::check_cuda("mean_with_gaps", cudaGetLastError());
  }

  /// A sum for each product: a vector is read again for each vector that it is multiplied by.
  template <class T>
  void gram(std::span<const view<cuda_space, const T>> vectors, view<cuda_space, double> products) const {
    std::size_t place = 0;
    for (std::size_t a = 0; a < vectors.size(); ++a) {
      for (std::size_t b = 0; b <= a; ++b) {
        sum(vectors[a].size, ops::product{}, products.part(place++, 1), in(vectors[a]), in(vectors[b]));
      }
    }
  }

 private:
  template <class From, class To>
  void transfer(From* from, std::size_t from_size, To* to, std::size_t to_size, cudaMemcpyKind kind) const {
    require<config_error>(from_size == to_size, "copy: ", from_size, " numbers do not fit into ", to_size);
    if (from_size == 0) return;
    queue_->enter();
    detail::check_cuda("cudaMemcpyAsync", cudaMemcpyAsync(to, from, from_size * sizeof(To), kind, cuda_stream()));
  }

  /// Calls launch(table) with the terms as a kernel's argument, or in the device's memory if they are many.
  template <class T, class Launch>
  void with_table(std::span<const weighted<cuda_space, T>> terms, const Launch& launch) const {
    if (terms.size() <= detail::term_argument<T>::capacity) {
      detail::term_argument<T> table{};
      std::copy(terms.begin(), terms.end(), table.terms);
      launch(table);
      return;
    }
    const detail::cuda_scratch<weighted<cuda_space, T>> table(*queue_, terms.size());
    detail::check_cuda("cudaMemcpyAsync", cudaMemcpyAsync(table.data(), terms.data(), terms.size_bytes(),
                                                          cudaMemcpyHostToDevice, cuda_stream()));
    launch(detail::term_memory<T>{table.data()});
  }

  std::shared_ptr<const detail::cuda_queue> queue_;
};

static_assert(tensor_backend<thrust_backend<thrust_cuda>>);

#endif

}  // namespace polder
