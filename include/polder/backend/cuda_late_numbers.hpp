// polder — numbers on their way from a CUDA device to the host. Empty unless nvcc compiles it.
#pragma once

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/backend/cuda_passes.hpp"

namespace polder::detail {

/// Places in page-locked memory, each with an event that tells when its number has arrived.
class cuda_late_numbers {
 public:
  cuda_late_numbers(std::shared_ptr<const cuda_queue> queue, std::size_t places) : queue_(std::move(queue)) {
    queue_->enter();
    void* memory = nullptr;
    check_cuda("cudaHostAlloc", cudaHostAlloc(&memory, places * sizeof(double), cudaHostAllocDefault));
    numbers_.reset(static_cast<double*>(memory));
    // Many threads wait, and processors are few: they sleep.
    constexpr unsigned flags = cudaEventDisableTiming | cudaEventBlockingSync;
    for (std::size_t k = 0; k < places; ++k) {
      cudaEvent_t event = nullptr;
      check_cuda("cudaEventCreateWithFlags", cudaEventCreateWithFlags(&event, flags));
      arrived_.emplace_back(event);
    }
  }
  cuda_late_numbers(cuda_late_numbers&&) = default;
  cuda_late_numbers& operator=(cuda_late_numbers&&) = delete;
  ~cuda_late_numbers() {
    if (numbers_ != nullptr) (void)cudaStreamSynchronize(queue_->stream());
  }

  void send(std::size_t place, view<cuda_space, const double> number) {
    queue_->enter();
    check_cuda("cudaMemcpyAsync", cudaMemcpyAsync(numbers_.get() + place, number.data, sizeof(double),
                                                  cudaMemcpyDeviceToHost, queue_->stream()));
    check_cuda("cudaEventRecord", cudaEventRecord(arrived_[place].get(), queue_->stream()));
  }
  [[nodiscard]] double get(std::size_t place) const {
    check_cuda("cudaEventSynchronize", cudaEventSynchronize(arrived_[place].get()));
    return numbers_.get()[place];
  }

 private:
  struct release {
    void operator()(double* memory) const { (void)cudaFreeHost(memory); }
    void operator()(cudaEvent_t event) const { (void)cudaEventDestroy(event); }
  };
  std::shared_ptr<const cuda_queue> queue_;
  std::unique_ptr<double, release> numbers_;
  std::vector<std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, release>> arrived_;
};

}  // namespace polder::detail

#endif
