// polder — the CUDA half of backend/thrust.hpp, which includes it. Empty unless nvcc compiles it.
#pragma once

#if defined(__CUDACC__)

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "polder/backend/cuda_graph.hpp"
#include "polder/backend/cuda_kernels.hpp"
#include "polder/backend/cuda_late_numbers.hpp"
#include "polder/backend/cuda_ordering.hpp"
#include "polder/backend/cuda_passes.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/backend/thrust.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder {

/// On CUDA every pass is one kernel on the backend's own stream, and the host waits for nothing but to_host; so
/// calls can be captured in a graph. Copies of a backend share its stream; give every worker a backend of its own.
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

  /// What copies of a backend share: the stream on which the passes run, and its device.
  [[nodiscard]] const std::shared_ptr<const detail::cuda_queue>& queue() const { return queue_; }
  /// The stream on which the passes run, for libraries that take one.
  [[nodiscard]] cudaStream_t cuda_stream() const { return queue_->stream(); }
  /// Makes the backend's device the calling thread's, as every pass does: before calls of such a library.
  void enter() const { queue_->enter(); }
  /// Whether they share a stream: only then do their calls take effect in the order of the calls.
  friend bool operator==(const thrust_backend& a, const thrust_backend& b) { return a.queue_ == b.queue_; }

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
  [[nodiscard]] detail::cuda_late_numbers late_numbers(std::size_t places) const { return {queue_, places}; }
  template <class F>
  [[nodiscard]] detail::cuda_graph capture(const F& calls) const {
    return {queue_, calls};
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
    if (detail::in_fours(streams.data...)) {
      detail::map_fours_kernel<<<queue_->blocks_for((n + 3) / 4), detail::cuda_threads, 0, cuda_stream()>>>(n, element,
                                                                                                            streams...);
    } else {
      detail::map_kernel<<<queue_->blocks_for(n), detail::cuda_threads, 0, cuda_stream()>>>(n, element,
                                                                                            streams.data...);
    }
    detail::check_cuda("map", cudaGetLastError());
  }

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
    const bool fours = detail::in_fours(streams.data...) && std::all_of(terms.begin(), terms.end(), [](const auto& t) {
                         return detail::in_fours(t.x.data);
                       });
    with_table(terms, [&](auto table) {
      const unsigned blocks = queue_->blocks_for(fours ? (n + 3) / 4 : n);
      if (fours) {
        detail::combine_fours_kernel<T>
            <<<blocks, detail::cuda_threads, 0, cuda_stream()>>>(n, table, terms.size(), element, streams...);
      } else {
        detail::combine_kernel<T>
            <<<blocks, detail::cuda_threads, 0, cuda_stream()>>>(n, table, terms.size(), element, streams.data...);
      }
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

}  // namespace polder

#endif
