// polder — element functions for sums and plain arithmetic. No loops, no memory: a backend brings those.
#pragma once

#include "polder/core/config.hpp"

namespace polder::ops {

/// a b + c: rounded once where the processor has a fused multiply-add, twice where it has none. Spelled out because
/// compilers fuse the plain expression in one loop and not in the next, and which product of a b + c d they fuse may
/// depend on what stands around it: equal rules would not give equal bits.
[[nodiscard]] POLDER_HD inline double multiply_add(double a, double b, double c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__CUDA_ARCH__)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}
[[nodiscard]] POLDER_HD inline float multiply_add(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__CUDA_ARCH__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

/// x^2, for squared norms. The square of a float is exact in double.
struct square {
  template <class T>
  POLDER_HD double operator()(T x) const {
    const double wide = static_cast<double>(x);
    return wide * wide;
  }
};

/// x y, for dot products. The product of two floats is exact in double.
struct product {
  template <class T>
  POLDER_HD double operator()(T x, T y) const {
    return static_cast<double>(x) * static_cast<double>(y);
  }
};

/// (x - y)^2, for squared distances.
struct squared_difference {
  template <class T>
  POLDER_HD double operator()(T x, T y) const {
    const double gap = static_cast<double>(x) - static_cast<double>(y);
    return gap * gap;
  }
};

/// y = y + x.
struct add {
  template <class T>
  POLDER_HD void operator()(T x, T& y) const {
    y = y + x;
  }
};

/// y = y - x.
struct subtract {
  template <class T>
  POLDER_HD void operator()(T x, T& y) const {
    y = y - x;
  }
};

/// y = x.
struct assign {
  template <class T>
  POLDER_HD void operator()(T x, T& y) const {
    y = x;
  }
};

}  // namespace polder::ops
