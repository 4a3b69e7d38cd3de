// polder — index functions as kernels: the device half of `each` and `teams`. Empty unless nvcc compiles it.
#pragma once

#if defined(__CUDACC__)

#include <cstddef>
#include <type_traits>

#include "polder/backend/cuda_passes.hpp"
#include "polder/core/config.hpp"

namespace polder::detail {

/// The threads of a block. All of them make the same calls.
struct cuda_team {
  template <class Index>
  __device__ void each(std::size_t n, const Index& f) const {
    for (std::size_t i = threadIdx.x; i < n; i += cuda_threads) f(i);
    __syncthreads();
  }
  /// Thread t adds up t, t + 256, …; the threads' sums are folded in halves.
  template <class Index>
  [[nodiscard]] __device__ auto sum(std::size_t n, const Index& f) const {
    using value = std::decay_t<decltype(f(std::size_t{0}))>;
    __shared__ alignas(value) unsigned char memory[cuda_threads * sizeof(value)];
    value* const sums = reinterpret_cast<value*>(memory);
    value own{};
    for (std::size_t i = threadIdx.x; i < n; i += cuda_threads) own += f(i);
    sums[threadIdx.x] = own;
    __syncthreads();
    for (unsigned half = cuda_threads / 2; half != 0; half /= 2) {
      if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
      __syncthreads();
    }
    own = sums[0];
    __syncthreads();  // before the memory is used again
    return own;
  }
};

template <class Index>
__global__ void each_kernel(std::size_t n, const __grid_constant__ Index f) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) f(i);
}

template <class Index>
__global__ void teams_kernel(std::size_t n, const __grid_constant__ Index f) {
  for (std::size_t i = blockIdx.x; i < n; i += gridDim.x) f(cuda_team{}, i);
}

}  // namespace polder::detail

#endif
