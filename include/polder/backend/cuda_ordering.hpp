// polder — how the streams of workers on one CUDA device wait for each other: events. Empty unless nvcc compiles it.
#pragma once

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <memory>

#include "polder/backend/cuda_passes.hpp"
#include "polder/core/ordering.hpp"

namespace polder::detail {

template <>
struct ordering<cuda_space> {
  using queue = std::shared_ptr<const cuda_queue>;

  static void synchronize(const queue& q) {
    q->enter();
    check_cuda("cudaStreamSynchronize", cudaStreamSynchronize(q->stream()));
  }

  /// An event of the device on which it is recorded first. CUDA lets a thread record it while another makes its stream
  /// wait: the stream then waits for one moment or the other.
  class event {
   public:
    event() = default;
    event(const event&) = delete;
    event& operator=(const event&) = delete;
    ~event() {
      if (event_ != nullptr) (void)cudaEventDestroy(event_);
    }

    void record(const queue& q) {
      q->enter();
      if (event_ == nullptr) {
        check_cuda("cudaEventCreateWithFlags", cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
      }
      check_cuda("cudaEventRecord", cudaEventRecord(event_, q->stream()));
    }
    void hold(const queue& q) const {
      q->enter();
      check_cuda("cudaStreamWaitEvent", cudaStreamWaitEvent(q->stream(), event_, 0));
    }
    void synchronize() const { check_cuda("cudaEventSynchronize", cudaEventSynchronize(event_)); }

   private:
    cudaEvent_t event_ = nullptr;
  };
};

}  // namespace polder::detail

#endif
