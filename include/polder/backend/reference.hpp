// polder — the reference backend: sequential, obvious, and the specification of all others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "polder/backend/host_kernels.hpp"
#include "polder/backend/host_memory.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder {

/// The slow obvious backend. It needs nothing but a C++20 compiler; every other backend must agree with it.
struct reference_backend : detail::host_memory, detail::host_kernels {
  template <class Element, access... Modes, class... Ts>
  void map(std::size_t n, const Element& element, stream<Modes, host_space, Ts>... streams) const {
    const auto resolved = resolve(element);
    for (std::size_t i = 0; i < n; ++i) resolved(streams.data[i]...);
  }

  template <class T, class Element, access... Modes, class... Ts>
  void combine(std::span<const weighted<host_space, T>> terms, const Element& element,
               stream<Modes, host_space, Ts>... streams) const {
    const auto resolved = resolve(element);
    const std::size_t n = terms.empty() ? 0 : terms.front().x.size;
    for (std::size_t i = 0; i < n; ++i) {
      double y = 0.0;
      for (const auto& term : terms) y = ops::multiply_add(term.weight, static_cast<double>(term.x.data[i]), y);
      resolved(static_cast<T>(y), streams.data[i]...);
    }
  }

  template <class Element, class... Ts>
  void sum(std::size_t n, const Element& element, host_view<double> result,
           stream<access::in, host_space, Ts>... streams) const {
    const auto resolved = resolve(element);
    double total = 0.0;
    for (std::size_t first = 0; first < n; first += sum_block) {
      total += detail::sum_one_block(std::min(sum_block, n - first),
                                     [&](std::size_t i) { return resolved(streams.data[first + i]...); });
    }
    *result.data = total;
  }

  template <class T>
  void mean_with_gaps(std::span<const host_view<const T>> vectors, host_view<T> mean, host_view<double> gaps) const {
    const double weight = 1.0 / static_cast<double>(vectors.size());
    for (std::size_t i = 0; i < mean.size; ++i) {
      double y = 0.0;
      for (const auto& x : vectors) y = ops::multiply_add(weight, static_cast<double>(x.data[i]), y);
      mean.data[i] = static_cast<T>(y);
    }
    for (std::size_t m = 0; m < vectors.size(); ++m) {
      const auto squared_gap = [](T x, T center) {
        const double gap = static_cast<double>(x) - static_cast<double>(center);
        return gap * gap;
      };
      sum(mean.size, squared_gap, gaps.part(m, 1), in(vectors[m]), in(mean));
    }
  }

  template <class T>
  void gram(std::span<const host_view<const T>> vectors, host_view<double> products) const {
    std::size_t place = 0;
    for (std::size_t a = 0; a < vectors.size(); ++a) {
      for (std::size_t b = 0; b <= a; ++b) {
        sum(vectors[a].size, ops::product{}, products.part(place++, 1), in(vectors[a]), in(vectors[b]));
      }
    }
  }

  template <class T>
  void gemm(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, T alpha, const T* a,
            std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const {
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        double dot = 0.0;
        for (std::size_t l = 0; l < k; ++l) {
          const T left = ta == transpose::no ? a[i * lda + l] : a[l * lda + i];
          const T right = tb == transpose::no ? b[l * ldb + j] : b[j * ldb + l];
          dot += static_cast<double>(left) * static_cast<double>(right);
        }
        const T product = static_cast<T>(static_cast<double>(alpha) * dot);
        c[i * ldc + j] = beta == T{0} ? product : static_cast<T>(product + beta * c[i * ldc + j]);
      }
    }
  }
};

static_assert(kernel_backend<reference_backend>);

}  // namespace polder
