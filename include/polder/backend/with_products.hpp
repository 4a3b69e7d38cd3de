// polder — the passes of one backend with the matrix products of another.
#pragma once

#include <cstddef>
#include <type_traits>

#include "polder/backend/tensor_backend.hpp"

namespace polder {

/// `Passes`, whose matrix products are those of `Products`; both work in the same memory. So Thrust's host systems, which
/// multiply no matrices, run whole networks: with_products<thrust_backend<>, eigen_backend>.
template <tensor_backend Passes, matrix_backend Products>
struct with_products : Passes {
  static_assert(std::is_same_v<typename Passes::space, typename Products::space>,
                "with_products: the two backends work in different memory");

  template <class T>
  void gemm(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, T alpha, const T* a,
            std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const {
    products.gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }

  Products products{};
};

}  // namespace polder
