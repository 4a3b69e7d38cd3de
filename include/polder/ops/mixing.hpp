// polder — element functions of the mixing rules. Each ends in an observer: what an update rule wants to know about the
// parameters before and after mixing, folded into the same pass.
#pragma once

#include <cmath>

#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::ops {

/// The observer of update rules that do not watch the mixing.
struct no_observer {
  template <class T>
  POLDER_HD void operator()(T /*x_after*/) const {}
};

/// x_next = y, the weighted sum over self and neighbors.
template <class Observer>
struct adopt {
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T y, T& x_next, Streams&&... states) const {
    x_next = y;
    observer(x_next, states...);
  }
};

/// x_next = y + (x_half - x), with y the weighted sum of the parameters before the step.
template <class Observer>
struct adopt_and_step {
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T y, T x, T x_half, T& x_next, Streams&&... states) const {
    x_next = y + (x_half - x);
    observer(x_next, states...);
  }
};

/// x_next += x_half - x, where x_next holds the weighted sum of the parameters before the step already.
template <class Observer>
struct step_from_mixture {
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T x, T x_half, T& x_next, Streams&&... states) const {
    x_next = x_next + (x_half - x);
    observer(x_next, states...);
  }
};

/// Nothing but the observer, where there is no mixing.
template <class Observer>
struct observe_only {
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T x_after, Streams&&... states) const {
    observer(x_after, states...);
  }
};

/// The share of the gap d = x - x_A that stays after a pull alpha and a push lambda: c = 1 - alpha + lambda / r, with
/// r = ||d|| from r^2 in the backend's memory; no push where r <= smallest, nor where r is no more than what the mean's
/// rounding can make of equal workers, rounding ||x_A|| (0: the mean of equal numbers is exact).
struct stretch {
  double alpha = 1.0;
  double lambda = 0.0;
  double smallest = 0.0;
  const double* squared_gap = nullptr;
  double rounding = 0.0;
  const double* squared_norm = nullptr;  // of the mean; read where rounding > 0
  POLDER_HD double inverse_distance() const {
    const double r = std::sqrt(*squared_gap);
    const bool apart = r > smallest && (rounding == 0.0 || r > rounding * std::sqrt(*squared_norm));
    return apart ? 1.0 / r : 0.0;
  }
  POLDER_HD double factor() const { return 1.0 - alpha + lambda * inverse_distance(); }
};

/// x_next = x_A + c (x - x_A): pull and push in one pass. In double, so that c = 0 gives the mean and c = 1 the float32
/// parameters themselves, bit for bit.
template <class Observer>
struct pull_and_push {
  stretch gap;
  Observer observer;

  struct scaled {
    double factor;
    Observer observer;
    template <class T, class... Streams>
    POLDER_HD void operator()(T x, T mean, T& x_next, Streams&&... states) const {
      const double center = static_cast<double>(mean);
      x_next = static_cast<T>(multiply_add(factor, static_cast<double>(x) - center, center));
      observer(x_next, states...);
    }
  };
  POLDER_HD scaled resolved() const { return {gap.factor(), observer}; }
};

/// The first pass of the exact push: x_next = x_A + c (x - x_A) and u = (x - x_A) / r (0 where there is no push).
struct pull_and_push_direction {
  stretch gap;

  struct scaled {
    double factor;
    double inverse;
    template <class T>
    POLDER_HD void operator()(T x, T mean, T& x_next, T& u) const {
      const double center = static_cast<double>(mean);
      const double d = static_cast<double>(x) - center;
      x_next = static_cast<T>(multiply_add(factor, d, center));
      u = static_cast<T>(inverse * d);
    }
  };
  POLDER_HD scaled resolved() const { return {gap.factor(), gap.inverse_distance()}; }
};

/// The second pass of the exact push: x_next <- x_next - lambda u_mean.
template <class Observer>
struct recenter {
  double lambda = 0.0;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T u_mean, T& x_next, Streams&&... states) const {
    x_next = static_cast<T>(multiply_add(-lambda, static_cast<double>(u_mean), static_cast<double>(x_next)));
    observer(x_next, states...);
  }
};

}  // namespace polder::ops
