// polder — element functions of the outer optimizers and of averages in time.
#pragma once

#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::ops {

/// An outer step from the point x_o to x_next, with the mean x_A of the workers and memory b:
///
///     b' = beta b + scale (x_o - x_A)
///     x_next = x_A + keep (x_o - x_A) - old_gain b - new_gain b',    x_o <- x_next
///
/// In double: keep = 0 without memory is x_A itself, bit for bit.
template <class Observer>
struct outer_step {
  double keep = 0.0;
  double beta = 0.0;
  double scale = 0.0;
  double old_gain = 0.0;
  double new_gain = 0.0;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T mean, T& point, T& b, T& x_next, Streams&&... states) const {
    const double center = static_cast<double>(mean), back = static_cast<double>(point) - center;
    const double before = static_cast<double>(b), after = multiply_add(beta, before, scale * back);
    const double moved = multiply_add(-old_gain, before, multiply_add(keep, back, center));
    b = static_cast<T>(after);
    x_next = static_cast<T>(multiply_add(-new_gain, after, moved));
    point = x_next;
    observer(x_next, states...);
  }
};

/// The same without memory: x_next = x_A + keep (x_o - x_A), x_o <- x_next.
template <class Observer>
struct outer_return {
  double keep = 0.0;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T mean, T& point, T& x_next, Streams&&... states) const {
    const double center = static_cast<double>(mean);
    x_next = static_cast<T>(multiply_add(keep, static_cast<double>(point) - center, center));
    point = x_next;
    observer(x_next, states...);
  }
};

/// average <- average + share (x - average).
struct include {
  double share = 1.0;
  template <class T>
  POLDER_HD void operator()(T x, T& average) const {
    const double before = static_cast<double>(average);
    average = static_cast<T>(multiply_add(share, static_cast<double>(x) - before, before));
  }
};

}  // namespace polder::ops
