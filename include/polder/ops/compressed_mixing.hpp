// polder — element functions of the mixing rules that send compressed messages.
#pragma once

#include <cmath>

#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::ops {

/// d = x - x^
struct difference {
  template <class T>
  POLDER_HD void operator()(T x, double copy, T& d) const {
    d = static_cast<T>(static_cast<double>(x) - copy);
  }
};

/// a = b = x
struct widen {
  template <class T>
  POLDER_HD void operator()(T x, double& a, double& b) const {
    a = static_cast<double>(x);
    b = static_cast<double>(x);
  }
};

/// y = y + weight q
struct accumulate {
  double weight;
  template <class T>
  POLDER_HD void operator()(T q, double& y) const {
    y = multiply_add(weight, static_cast<double>(q), y);
  }
};

/// sum = sum + weight q, copy = copy + q
struct accumulate_own {
  double weight;
  template <class T>
  POLDER_HD void operator()(T q, double& sum, double& copy) const {
    sum = multiply_add(weight, static_cast<double>(q), sum);
    copy += static_cast<double>(q);
  }
};

/// y = weight q
struct weigh {
  double weight;
  template <class T>
  POLDER_HD void operator()(T q, double& y) const {
    y = weight * static_cast<double>(q);
  }
};

/// x_next = x_half + gamma r
template <class Observer>
struct add_scaled {
  double gamma;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T x_half, double r, T& x_next, Streams&&... states) const {
    x_next = static_cast<T>(multiply_add(gamma, r, static_cast<double>(x_half)));
    observer(x_next, states...);
  }
};

/// x_next = x_half + gamma (s - x^)
template <class Observer>
struct consensus_step {
  double gamma;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T x_half, double sum, double copy, T& x_next, Streams&&... states) const {
    const double r = sum - copy;
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
  POLDER_HD void operator()(T x_half, double sum, double copy, T& v, T& x_next, Streams&&... states) const {
    const double r = sum - copy;
    v = static_cast<T>(multiply_add(0.999, static_cast<double>(v), 0.001 * (r * r)));
    const double own = gamma / (std::sqrt(static_cast<double>(v) / trusted) + 1e-8);
    x_next = static_cast<T>(multiply_add(own < 1.0 ? own : 1.0, r, static_cast<double>(x_half)));
    observer(x_next, states...);
  }
};

}  // namespace polder::ops
