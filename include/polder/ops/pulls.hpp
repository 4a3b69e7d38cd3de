// polder — element functions of the pulls that go elsewhere than to the average. Each ends in an observer, as those of
// ops/mixing.hpp.
#pragma once

#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/mixing.hpp"

namespace polder::ops {

/// Elastic averaging, with a push away from the mean or from the center z:
///
///     x_next = x_half + alpha (z - y) + c (y - reference),    z <- z + beta (mean - z)
///
/// c = lambda / r. y is what is pulled: the half step, or the parameters before it, which then come as one more stream.
template <class Observer>
struct elastic {
  stretch gap;
  double beta = 0.0;
  bool from_center = false;  ///< the push's reference: z, else the mean
  Observer observer;

  struct scaled {
    double kept;  // 1 - alpha, and the push from the center
    double push;  // from the mean
    double beta;
    Observer observer;
    template <class T, class... Streams>
    POLDER_HD void operator()(T y, T mean, T& z, T& x_next, Streams&&... states) const {
      const double at = static_cast<double>(y), center = static_cast<double>(z);
      const double drawn = multiply_add(kept, at - center, center);
      x_next = static_cast<T>(multiply_add(push, at - static_cast<double>(mean), drawn));
      z = static_cast<T>(multiply_add(beta, static_cast<double>(mean) - center, center));
      observer(x_next, states...);
    }
  };
  POLDER_HD scaled resolved() const {
    const double push = gap.lambda * gap.inverse_distance();
    return {1.0 - gap.alpha + (from_center ? push : 0.0), from_center ? 0.0 : push, beta, observer};
  }
};

/// The same with y apart from the half step: x_next = (what `elastic` makes of y) + (x_half - y).
template <class Observer>
struct elastic_before_step {
  elastic<no_observer> inner;
  Observer observer;

  struct scaled {
    typename elastic<no_observer>::scaled inner;
    Observer observer;
    template <class T, class... Streams>
    POLDER_HD void operator()(T x_half, T y, T mean, T& z, T& x_next, Streams&&... states) const {
      inner(y, mean, z, x_next);
      x_next = x_next + (x_half - y);
      observer(x_next, states...);
    }
  };
  POLDER_HD scaled resolved() const { return {inner.resolved(), observer}; }
};

/// z <- z + beta (y - z), with y the mean that a pass over all workers' vectors has just made.
struct follow {
  double beta = 0.0;
  template <class T>
  POLDER_HD void operator()(T y, T& z) const {
    const double center = static_cast<double>(z);
    z = static_cast<T>(multiply_add(beta, static_cast<double>(y) - center, center));
  }
};

/// u = length (x - reference) / r: a push of that length, 0 where there is none.
struct displace {
  stretch gap;
  double length = 1.0;

  struct scaled {
    double scale;
    template <class T>
    POLDER_HD void operator()(T x, T reference, T& u) const {
      u = static_cast<T>(scale * (static_cast<double>(x) - static_cast<double>(reference)));
    }
  };
  POLDER_HD scaled resolved() const { return {length * gap.inverse_distance()}; }
};

/// x_next = x + alpha (target - x) + x_next, where x_next holds the push already.
template <class Observer>
struct approach {
  double alpha = 1.0;
  Observer observer;
  template <class T, class... Streams>
  POLDER_HD void operator()(T x, T target, T& x_next, Streams&&... states) const {
    const double center = static_cast<double>(target);
    const double drawn = multiply_add(1.0 - alpha, static_cast<double>(x) - center, center);
    x_next = static_cast<T>(drawn + static_cast<double>(x_next));
    observer(x_next, states...);
  }
};

/// y = factor x.
struct scale {
  double factor = 1.0;
  template <class T>
  POLDER_HD void operator()(T x, T& y) const {
    y = static_cast<T>(factor * static_cast<double>(x));
  }
};

}  // namespace polder::ops
