// polder — the CUDA backend with matrix products by cuBLAS. Empty unless nvcc compiles it.
#pragma once

#if defined(__CUDACC__)

#include <cublas_v2.h>

#include <cstddef>
#include <limits>
#include <memory>
#include <type_traits>

#include "polder/backend/thrust.hpp"

namespace polder {

/// How float32 factors of a matrix product are rounded before they are multiplied; sums and results are float32 always.
/// Products of doubles know no other than their own.
enum class product_precision {
  fp32,  ///< not at all
  tf32,  ///< to 10 bits of mantissa
  bf16,  ///< to bfloat16, 7 bits of mantissa
};

namespace detail {

inline void check_cublas(const char* call, cublasStatus_t status) {
  require<backend_error>(status == CUBLAS_STATUS_SUCCESS, call, ": ", cublasGetStatusString(status), " (",
                         cublasGetStatusName(status), ")");
}

/// cuBLAS bound to one stream, with work space of its own, so that nothing is allocated in a call.
class cublas_handle {
 public:
  explicit cublas_handle(cudaStream_t stream) : space_(workspace_bytes) {
    cublasHandle_t handle = nullptr;
    check_cublas("cublasCreate", cublasCreate(&handle));
    handle_.reset(handle);
    check_cublas("cublasSetStream", cublasSetStream(handle, stream));
    check_cublas("cublasSetWorkspace", cublasSetWorkspace(handle, space_.view().data, workspace_bytes));
  }
  [[nodiscard]] cublasHandle_t get() const { return handle_.get(); }

 private:
  /// What cuBLAS asks for by itself on sm_90.
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

  struct release {
    void operator()(cublasHandle_t handle) const { (void)cublasDestroy(handle); }
  };
  cuda_buffer<unsigned char> space_;
  std::unique_ptr<std::remove_pointer_t<cublasHandle_t>, release> handle_;  // goes before its work space
};

}  // namespace detail

/// thrust_backend<thrust_cuda> with matrix products by cuBLAS on the same stream: what nn::device_model needs on a GPU.
///
/// Memory: 32 MiB for each backend that is not a copy of another. The same input gives the same bits on every call: one
/// stream for a handle, and no product is summed by atomic additions.
/// Errors: backend_error with the name of the call and the library's text; config_error for extents above 2^31 - 1.
class cublas_backend : public thrust_backend<thrust_cuda> {
 public:
  cublas_backend() : cublas_backend(product_precision::fp32) {}
  explicit cublas_backend(product_precision precision)
      : handle_(std::make_shared<const detail::cublas_handle>(cuda_stream())), precision_(precision) {}

  template <class T>
  void gemm(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, T alpha, const T* a,
            std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "gemm: float or double");
    if (m == 0 || n == 0) return;
    enter();
    constexpr cudaDataType_t type = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_64F;
    // cuBLAS counts columns first: C^T = op(B)^T op(A)^T
    detail::check_cublas("cublasGemmEx",
                         cublasGemmEx(handle_->get(), operation(tb), operation(ta), extent(n), extent(m), extent(k),
                                      &alpha, b, type, extent(ldb), a, type, extent(lda), &beta, c, type, extent(ldc),
                                      compute<T>(), CUBLAS_GEMM_DEFAULT));
  }

 private:
  static cublasOperation_t operation(transpose t) { return t == transpose::no ? CUBLAS_OP_N : CUBLAS_OP_T; }
  static int extent(std::size_t n) {
    require<config_error>(n <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "gemm: an extent of ", n,
                          " is more than cuBLAS takes: use a smaller batch");
    return static_cast<int>(n);
  }
  template <class T>
  [[nodiscard]] cublasComputeType_t compute() const {
    if (std::is_same_v<T, double>) return CUBLAS_COMPUTE_64F;
    if (precision_ == product_precision::tf32) return CUBLAS_COMPUTE_32F_FAST_TF32;
    return precision_ == product_precision::bf16 ? CUBLAS_COMPUTE_32F_FAST_16BF : CUBLAS_COMPUTE_32F;
  }

  std::shared_ptr<const detail::cublas_handle> handle_;
  product_precision precision_;
};

static_assert(kernel_backend<cublas_backend>);

}  // namespace polder

#endif
