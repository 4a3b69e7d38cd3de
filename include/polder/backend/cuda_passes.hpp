// polder — the device half of backend/thrust.hpp: memory, streams and kernels. Empty unless nvcc compiles it.
#pragma once

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "polder/backend/fours.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"
#include "polder/core/error.hpp"
#include "polder/core/view.hpp"

namespace polder {

/// The memory of a CUDA device.
struct cuda_space {};

namespace detail {

inline void check_cuda(const char* call, cudaError_t status) {
  require<backend_error>(status == cudaSuccess, call, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status),
                         ")");
}

/// The same for a call that asks for memory: where there is too little, how much there is.
inline void check_cuda_memory(const char* call, cudaError_t status, std::size_t bytes) {
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    std::size_t available = 0, all = 0;
    check_cuda("cudaMemGetInfo", cudaMemGetInfo(&available, &all));
    fail<backend_error>(call, ": cannot get ", bytes, " bytes of device memory, of which ", available, " of ", all,
                        " are free: use fewer workers or a smaller model");
  }
  check_cuda(call, status);
}

}  // namespace detail

/// Owns `size` numbers of device memory, aligned to 256 bytes, on the device that was current when it was made.
template <class T>
class cuda_buffer {
 public:
  cuda_buffer() = default;
  /// Not initialized.
  explicit cuda_buffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    require<backend_error>(size <= std::numeric_limits<std::size_t>::max() / 2 / sizeof(T), "cannot get memory for ",
                           size, " numbers of ", sizeof(T), " bytes: is the size right?");
    void* memory = nullptr;
    detail::check_cuda_memory("cudaMalloc", cudaMalloc(&memory, size * sizeof(T)), size * sizeof(T));
    data_.reset(static_cast<T*>(memory));
  }

  [[nodiscard]] polder::view<cuda_space, T> view() { return {data_.get(), size_}; }
  [[nodiscard]] polder::view<cuda_space, const T> view() const { return {data_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct release {
    void operator()(T* memory) const { (void)cudaFree(memory); }
  };
  std::unique_ptr<T, release> data_;
  std::size_t size_ = 0;
};

namespace detail {

inline constexpr unsigned cuda_threads = 256;

/// A stream, the device to which it belongs, and how wide that device is.
class cuda_queue {
 public:
  cuda_queue() {
    check_cuda("cudaGetDevice", cudaGetDevice(&device_));
    check_cuda("cudaDeviceGetAttribute", cudaDeviceGetAttribute(&processors_, cudaDevAttrMultiProcessorCount, device_));
    check_cuda("cudaStreamCreateWithFlags", cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    // keep scratch memory in the pool between steps instead of handing it back at every wait
    cudaMemPool_t pool = nullptr;
    check_cuda("cudaDeviceGetDefaultMemPool", cudaDeviceGetDefaultMemPool(&pool, device_));
    unsigned long long keep = ~0ULL;
    check_cuda("cudaMemPoolSetAttribute", cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
  }
  cuda_queue(const cuda_queue&) = delete;
  cuda_queue& operator=(const cuda_queue&) = delete;
  ~cuda_queue() {
    (void)cudaStreamSynchronize(stream_);
    (void)cudaStreamDestroy(stream_);
  }

  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  /// Makes the queue's device the calling thread's: a worker's thread starts on device 0.
  void enter() const { check_cuda("cudaSetDevice", cudaSetDevice(device_)); }
  /// Thread blocks that fill the device a few times over, or as many as n elements need.
  [[nodiscard]] unsigned blocks_for(std::size_t n) const {
    const std::size_t needed = (n + cuda_threads - 1) / cuda_threads;
    return static_cast<unsigned>(std::min(needed, static_cast<std::size_t>(processors_) * 16));
  }

 private:
  int device_ = 0;
  int processors_ = 0;
  cudaStream_t stream_ = nullptr;
};

/// Device memory for one pass, given back in the order of the stream.
template <class T>
class cuda_scratch {
 public:
  cuda_scratch(const cuda_queue& queue, std::size_t size) : stream_(queue.stream()) {
    if (size == 0) return;
    void* memory = nullptr;
    check_cuda_memory("cudaMallocAsync", cudaMallocAsync(&memory, size * sizeof(T), stream_), size * sizeof(T));
    data_ = static_cast<T*>(memory);
  }
  cuda_scratch(const cuda_scratch&) = delete;
  cuda_scratch& operator=(const cuda_scratch&) = delete;
  ~cuda_scratch() {
    if (data_ != nullptr) (void)cudaFreeAsync(data_, stream_);
  }
  [[nodiscard]] T* data() const { return data_; }

 private:
  cudaStream_t stream_ = nullptr;
  T* data_ = nullptr;
};

/// The terms of a weighted sum as an argument of a kernel.
template <class T>
struct term_argument {
  static constexpr std::size_t capacity = 32;
  weighted<cuda_space, T> terms[capacity];
};
/// The terms of a weighted sum in the device's memory.
template <class T>
struct term_memory {
  const weighted<cuda_space, T>* terms;
};

template <class Element, class... Ts>
__global__ void map_kernel(std::size_t n, Element element, Ts* POLDER_RESTRICT... x) {
  const auto resolved = resolve(element);
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
#pragma unroll 4
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) resolved(x[i]...);
}

/// The same four elements a thread, for streams that are `in_fours`.
template <class Element, class... Streams>
__global__ void map_fours_kernel(std::size_t n, Element element, Streams... x) {
  const auto resolved = resolve(element);
  const std::size_t fours = n / 4, stride = std::size_t{gridDim.x} * blockDim.x;
  const std::size_t first = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::size_t i = first; i < fours; i += stride) {
    each_of_four([&](std::size_t, auto&... numbers) { resolved(numbers...); }, i, x...);
  }
  if (4 * fours + first < n) resolved(x.data[4 * fours + first]...);
}

/// The i-th element of the weighted sum: terms in order, in double, rounded once.
template <class T, class Table>
__device__ T weighted_element(const Table& table, std::size_t count, std::size_t i) {
  double y = 0.0;
#pragma unroll 4
  for (std::size_t k = 0; k < count; ++k) {
    y = __fma_rn(table.terms[k].weight, static_cast<double>(table.terms[k].x.data[i]), y);
  }
  return static_cast<T>(y);
}

template <class T, class Table, class Element, class... Ts>
__global__ void combine_kernel(std::size_t n, const __grid_constant__ Table table, std::size_t count, Element element,
                               Ts* POLDER_RESTRICT... x) {
  const auto resolved = resolve(element);
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) {
    resolved(weighted_element<T>(table, count, i), x[i]...);
  }
}

/// The same four elements a thread, for terms and streams that are `in_fours`.
template <class T, class Table, class Element, class... Streams>
__global__ void combine_fours_kernel(std::size_t n, const __grid_constant__ Table table, std::size_t count,
                                     Element element, Streams... x) {
  const auto resolved = resolve(element);
  const std::size_t fours = n / 4, stride = std::size_t{gridDim.x} * blockDim.x;
  const std::size_t first = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::size_t i = first; i < fours; i += stride) {
    const four<T> y = weighted_four<T>(table.terms, count, i);
    each_of_four([&](std::size_t k, auto&... numbers) { resolved(y.numbers[k], numbers...); }, i, x...);
  }
  const std::size_t last = 4 * fours + first;
  if (last < n) resolved(weighted_element<T>(table, count, last), x.data[last]...);
}

/// Adds up the values of one canonical block in shared memory: thread l of the first warp is lane l. The additions are
/// never contracted, and the last thread to return has seen all values.
__device__ inline void add_block(const double* values, std::size_t count, double* result) {
  __syncthreads();
  if (threadIdx.x < 32) {
    double lane = 0.0;
    if (threadIdx.x < sum_lanes) {
      for (std::size_t i = threadIdx.x; i < count; i += sum_lanes) lane = __dadd_rn(lane, values[i]);
    }
    for (unsigned half = sum_lanes / 2; half != 0; half /= 2) {
      lane = __dadd_rn(lane, __shfl_down_sync(0xFFFFFFFFu, lane, half));
    }
    if (threadIdx.x == 0) *result = lane;
  }
  __syncthreads();
}

/// One canonical block a thread block: all threads read and evaluate, lanes add.
template <class Element, class... Ts>
__global__ void sum_kernel(std::size_t n, Element element, double* sums, const Ts* POLDER_RESTRICT... x) {
  __shared__ double values[sum_block];
  const auto resolved = resolve(element);
  const std::size_t first = std::size_t{blockIdx.x} * sum_block;
  const std::size_t count = n - first < sum_block ? n - first : sum_block;
#pragma unroll 4
  for (std::size_t i = threadIdx.x; i < count; i += cuda_threads) values[i] = resolved(x[first + i]...);
  add_block(values, count, sums + blockIdx.x);
}

/// One canonical block a thread block: the mean, then the squared gap of each vector while it is in the cache.
template <class T, class Table>
__global__ void mean_kernel(std::size_t n, const __grid_constant__ Table table, std::size_t workers,
                            T* POLDER_RESTRICT mean, double* sums) {
  __shared__ double values[sum_block];
  constexpr std::size_t share = sum_block / cuda_threads;
  const std::size_t first = std::size_t{blockIdx.x} * sum_block;
  const std::size_t count = n - first < sum_block ? n - first : sum_block;
  T centers[share];
#pragma unroll
  for (std::size_t j = 0; j < share; ++j) {
    const std::size_t i = threadIdx.x + j * cuda_threads;
    if (i < count) mean[first + i] = centers[j] = weighted_element<T>(table, workers, first + i);
  }
  for (std::size_t m = 0; m < workers; ++m) {
    const T* const x = table.terms[m].x.data + first;
#pragma unroll
    for (std::size_t j = 0; j < share; ++j) {
      const std::size_t i = threadIdx.x + j * cuda_threads;
      if (i < count) {
        const double gap = static_cast<double>(x[i]) - static_cast<double>(centers[j]);
        values[i] = gap * gap;
      }
    }
    add_block(values, count, sums + m * gridDim.x + blockIdx.x);
  }
}

/// result[m] = the sums of row m's blocks, added in order.
template <class Sum>
__global__ void fold_kernel(std::size_t rows, std::size_t blocks, const Sum* POLDER_RESTRICT sums,
                            Sum* POLDER_RESTRICT result) {
  const std::size_t m = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (m >= rows) return;
  Sum total{0};
#pragma unroll 8
  for (std::size_t block = 0; block < blocks; ++block) total = __dadd_rn(total, sums[m * blocks + block]);
  result[m] = total;
}

}  // namespace detail
}  // namespace polder

#endif
