// polder — calls of a CUDA backend that are launched together. Empty unless nvcc compiles it.
#pragma once

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <memory>
#include <type_traits>
#include <utility>

#include "polder/backend/cuda_passes.hpp"

namespace polder::detail {

/// What was put on a stream while it was captured: one launch in place of many.
class cuda_graph {
 public:
  /// Calls f() while the queue's stream only notes what it is given. Other threads go on as usual.
  template <class F>
  cuda_graph(std::shared_ptr<const cuda_queue> queue, const F& f) : queue_(std::move(queue)) {
    queue_->enter();
    check_cuda("cudaStreamBeginCapture", cudaStreamBeginCapture(queue_->stream(), cudaStreamCaptureModeThreadLocal));
    cudaGraph_t noted = nullptr;
    try {
      f();
    } catch (...) {
      (void)cudaStreamEndCapture(queue_->stream(), &noted);
      if (noted != nullptr) (void)cudaGraphDestroy(noted);
      (void)cudaGetLastError();
      throw;
    }
    check_cuda("cudaStreamEndCapture", cudaStreamEndCapture(queue_->stream(), &noted));
    const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, release> graph(noted);
    cudaGraphExec_t runnable = nullptr;
    check_cuda("cudaGraphInstantiate", cudaGraphInstantiate(&runnable, noted, 0));
    runnable_.reset(runnable);
  }

  void run() const {
    queue_->enter();
    check_cuda("cudaGraphLaunch", cudaGraphLaunch(runnable_.get(), queue_->stream()));
  }

 private:
  struct release {
    void operator()(cudaGraph_t graph) const { (void)cudaGraphDestroy(graph); }
    void operator()(cudaGraphExec_t graph) const { (void)cudaGraphExecDestroy(graph); }
  };
  std::shared_ptr<const cuda_queue> queue_;
  std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, release> runnable_;
};

}  // namespace polder::detail

#endif
