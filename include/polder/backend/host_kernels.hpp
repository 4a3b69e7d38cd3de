// polder — index functions on the host: one thread, one index after the other.
#pragma once

#include <cstddef>
#include <type_traits>

#include "polder/core/config.hpp"

namespace polder::detail {

/// A team of one.
struct host_team {
  template <class Index>
  POLDER_HD void each(std::size_t n, const Index& f) const {
    for (std::size_t i = 0; i < n; ++i) f(i);
  }
  template <class Index>
  [[nodiscard]] POLDER_HD auto sum(std::size_t n, const Index& f) const {
    std::invoke_result_t<const Index&, std::size_t> total{};
    for (std::size_t i = 0; i < n; ++i) total += f(i);
    return total;
  }
};

/// What makes a matrix backend of the host a kernel_backend.
struct host_kernels {
  template <class Index>
  void each(std::size_t n, const Index& f) const {
    host_team{}.each(n, f);
  }
  template <class Index>
  void teams(std::size_t n, const Index& f) const {
    for (std::size_t i = 0; i < n; ++i) f(host_team{}, i);
  }
};

}  // namespace polder::detail
