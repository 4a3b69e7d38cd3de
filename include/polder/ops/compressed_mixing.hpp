// polder — element functions of the mixing rules that send compressed messages.
#pragma once

#include <cmath>

#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::ops {

/// d = a - b
struct difference {
  template <class T>
  POLDER_HD void operator()(T a, T b, T& d) const {
    d = a - b;
  }
};

/// x = 0
struct clear {
  template <class T>
  POLDER_HD void operator()(T& x) const {
    x = T{0};
  }
};

/// x_next = x_half + gamma r
template <class Observer>
struct add_scaled {
  double gamma;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T x_half, T r, T& x_next, Streams&&... states) const {
    x_next = static_cast<T>(multiply_add(gamma, static_cast<double>(r), static_cast<double>(x_half)));
    observer(x_next, states...);
  }
};

/// x_next = x_half + gamma (s - x^)
template <class Observer>
struct consensus_step {
  double gamma;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T x_half, T sum, T copy, T& x_next, Streams&&... states) const {
    const double r = static_cast<double>(sum) - static_cast<double>(copy);
    x_next = static_cast<T>(multiply_add(gamma, r, static_cast<double>(x_half)));
    observer(x_next, states...);
  }
};

/// The same with a consensus step of each coordinate's own (AdaGossip): v <- 0.999 v + 0.001 r^2 and
/// gamma_k = min(1, gamma / (sqrt(v / trusted) + 1e-8)), where trusted = 1 - 0.999^t corrects for v's start at 0.
template <class Observer>
struct adaptive_consensus_step {
  double gamma;
  double trusted;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T x_half, T sum, T copy, T& v, T& x_next, Streams&&... states) const {
    const double r = static_cast<double>(sum) - static_cast<double>(copy);
    v = static_cast<T>(multiply_add(0.999, static_cast<double>(v), 0.001 * (r * r)));
    const double own = gamma / (std::sqrt(static_cast<double>(v) / trusted) + 1e-8);
    x_next = static_cast<T>(multiply_add(own < 1.0 ? own : 1.0, r, static_cast<double>(x_half)));
    observer(x_next, states...);
  }
};

}  // namespace polder::ops
