// polder — the fast backend of the CPU: vectorized fused passes, and matrix products by Eigen.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

// before Eigen: it brings the processor's intrinsics without the warnings that g++ 12 has of them
#include "polder/backend/host_vectors.hpp"

#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE
#endif
#include <Eigen/Core>

#include "polder/backend/host_kernels.hpp"
#include "polder/backend/host_loops.hpp"
#include "polder/backend/host_means.hpp"
#include "polder/backend/host_memory.hpp"
#include "polder/backend/tensor_backend.hpp"

namespace polder {

/// One thread, one pass: each operation runs once over memory in blocks that stay in the nearest cache, with loops that
/// the compiler vectorizes (compile with optimization and for the processor at hand: -O3 -march=native). Sums have the
/// bits of reference_backend at every length and alignment.
///
/// Passes over more than 48 MiB write their `out` streams past the caches (detail::non_temporal_bytes).
///
/// Matrix products are Eigen's and use the calling thread alone, since polder runs a thread per worker: this header sets
/// EIGEN_DONT_PARALLELIZE, which has to come before the program's first Eigen header (include this one first, or define
/// it for the whole program) if that program is compiled with OpenMP. Eigen packs its operands into scratch memory of
/// at most the size of the caches, from the stack where 128 KiB suffice, else from malloc.
struct eigen_backend : detail::host_memory, detail::host_kernels {
  template <class Element, access... Modes, class... Ts>
  void map(std::size_t n, const Element& element, stream<Modes, host_space, Ts>... streams) const {
    const bool streaming = detail::worth_streaming<float>(n, 0, streams...);
    detail::map_range(0, n, streaming, resolve(element), streams...);
    if (streaming) detail::finish_streaming();
  }

  template <class T, class Element, access... Modes, class... Ts>
  void combine(std::span<const weighted<host_space, T>> terms, const Element& element,
               stream<Modes, host_space, Ts>... streams) const {
    const std::size_t n = terms.empty() ? 0 : terms.front().x.size;
    const bool streaming = detail::worth_streaming<T>(n, terms.size(), streams...);
    detail::combine_range(0, n, streaming, terms, resolve(element), streams...);
    if (streaming) detail::finish_streaming();
  }

  template <class Element, class... Ts>
  void sum(std::size_t n, const Element& element, host_view<double> result,
           stream<access::in, host_space, Ts>... streams) const {
    const auto resolved = resolve(element);
    double total = 0.0;
    for (std::size_t first = 0; first < n; first += sum_block) {
      const std::size_t count = std::min(sum_block, n - first);
      total += detail::sum_range(count, n - first - count, resolved, (streams.data + first)...);
    }
    *result.data = total;
  }

  template <class T>
  void mean_with_gaps(std::span<const host_view<const T>> vectors, host_view<T> mean, host_view<double> gaps) const {
    const bool streaming = detail::worth_streaming<T>(mean.size, vectors.size(), out(mean));
    std::fill_n(gaps.data, vectors.size(), 0.0);
    for (std::size_t first = 0; first < mean.size; first += sum_block) {
      detail::mean_block(vectors, mean, first, streaming, [&](std::size_t m, double gap) { gaps.data[m] += gap; });
    }
    if (streaming) detail::finish_streaming();
  }

  /// Each vector is read from memory once: all products of a canonical block are made while it is in the cache.
  template <class T>
  void gram(std::span<const host_view<const T>> vectors, host_view<double> products) const {
    std::fill_n(products.data, vectors.size() * (vectors.size() + 1) / 2, 0.0);
    const std::size_t n = vectors.empty() ? 0 : vectors.front().size;
    for (std::size_t first = 0; first < n; first += sum_block) {
      detail::gram_block(vectors, first, [&](std::size_t place, double part) { products.data[place] += part; });
    }
  }

  template <class T>
  void gemm(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, T alpha, const T* a,
            std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const {
    if (m == 0 || n == 0) return;
    if (m + n + k < small_product || k == 0) {
      multiply_small(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      return;
    }
    const auto left = matrix<const T>(a, ta == transpose::no ? m : k, ta == transpose::no ? k : m, lda);
    const auto right = matrix<const T>(b, tb == transpose::no ? k : n, tb == transpose::no ? n : k, ldb);
    auto product = matrix<T>(c, m, n, ldc);
    if (beta == T{0}) {
      product.setZero();
    } else if (beta != T{1}) {
      product *= beta;
    }
    if (ta == transpose::no && tb == transpose::no) {
      product.noalias() += alpha * (left * right);
    } else if (ta == transpose::no) {
      product.noalias() += alpha * (left * right.transpose());
    } else if (tb == transpose::no) {
      product.noalias() += alpha * (left.transpose() * right);
    } else {
      product.noalias() += alpha * (left.transpose() * right.transpose());
    }
  }

 private:
  /// Below this sum of extents Eigen would evaluate coefficient by coefficient, in an order that depends on the
  /// alignment of C.
  static constexpr std::size_t small_product = 20;

  template <class T>
  static auto matrix(T* data, std::size_t rows, std::size_t columns, std::size_t ld) {
    using value = std::remove_const_t<T>;
    using row_major = Eigen::Matrix<value, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using mapped = std::conditional_t<std::is_const_v<T>, const row_major, row_major>;
    return Eigen::Map<mapped, Eigen::Unaligned, Eigen::OuterStride<>>(
        data, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns),
        Eigen::OuterStride<>(static_cast<Eigen::Index>(ld)));
  }

  template <class T>
  static void multiply_small(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, T alpha,
                             const T* a, std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) {
    const std::size_t a_row = ta == transpose::no ? lda : 1, a_step = ta == transpose::no ? 1 : lda;
    const std::size_t b_step = tb == transpose::no ? ldb : 1, b_column = tb == transpose::no ? 1 : ldb;
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        T dot{0};
        for (std::size_t l = 0; l < k; ++l) dot += a[i * a_row + l * a_step] * b[l * b_step + j * b_column];
        c[i * ldc + j] = beta == T{0} ? alpha * dot : alpha * dot + beta * c[i * ldc + j];
      }
    }
  }
};

static_assert(kernel_backend<eigen_backend>);

}  // namespace polder
