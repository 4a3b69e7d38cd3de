// polder — element functions for sums and plain arithmetic. No loops, no memory: a backend brings those.
#pragma once

#include "polder/core/config.hpp"

namespace polder::ops {

/// x^2, for squared norms. The square of a float is exact in double.
struct square {
  template <class T>
  POLDER_HD double operator()(T x) const {
    const double wide = static_cast<double>(x);
    return wide * wide;
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

/// y = x.
struct assign {
  template <class T>
  POLDER_HD void operator()(T x, T& y) const {
    y = x;
  }
};

}  // namespace polder::ops
