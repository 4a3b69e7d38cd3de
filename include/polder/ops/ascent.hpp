// polder — element functions of sharpness-aware minimization: the step uphill.
#pragma once

#include <cmath>
#include <cstddef>

#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::ops {

/// Norms below this are taken as zero: no ascent direction, the gradient is taken where the parameters are.
inline constexpr double smallest_norm = 1e-12;

/// SAM: x_up = x + rho g / ||g||_2, with ||g||^2 read from the backend's memory.
struct ascent {
  double rho = 0.0;
  const double* squared_norm = nullptr;

  struct scaled {
    double scale = 0.0;
    template <class T>
    POLDER_HD void operator()(T x, T g, T& x_up) const {
      x_up = multiply_add(static_cast<T>(scale), g, x);
    }
  };
  POLDER_HD scaled resolved() const {
    const double norm = std::sqrt(*squared_norm);
    return {norm <= smallest_norm ? 0.0 : rho / norm};
  }
};

/// ASAM's scale of one coordinate: t = |x| + eta in weight tensors, 1 elsewhere.
template <class T>
[[nodiscard]] POLDER_HD T adaptive_scale(T x, T eta, bool adaptive) {
  return adaptive ? (x < T{0} ? -x : x) + eta : T{1};
}

/// (t g)^2, for ||T g||^2.
struct adaptive_square {
  double eta = 0.0;
  bool adaptive = true;
  template <class T>
  POLDER_HD double operator()(T x, T g) const {
    const double s = static_cast<double>(adaptive_scale(x, static_cast<T>(eta), adaptive)) * static_cast<double>(g);
    return s * s;
  }
};

/// ASAM: x_up = x + rho t^2 g / ||T g||_2, with the squared norms of `parts` groups of tensors in the backend's memory.
struct adaptive_ascent {
  double rho = 0.0;
  double eta = 0.0;
  bool adaptive = true;
  const double* squared_norms = nullptr;
  std::size_t parts = 0;

  struct scaled {
    double scale = 0.0;
    double eta = 0.0;
    bool adaptive = true;
    template <class T>
    POLDER_HD void operator()(T x, T g, T& x_up) const {
      const T t = adaptive_scale(x, static_cast<T>(eta), adaptive);
      x_up = multiply_add(static_cast<T>(scale), t * t * g, x);
    }
  };
  POLDER_HD scaled resolved() const {
    double total = 0.0;
    for (std::size_t part = 0; part < parts; ++part) total += squared_norms[part];
    const double norm = std::sqrt(total);
    return {norm <= smallest_norm ? 0.0 : rho / norm, eta, adaptive};
  }
};

}  // namespace polder::ops
