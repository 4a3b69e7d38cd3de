// polder — element functions of the update rules: u = element(g, x, state…), what the learning rate multiplies.
#pragma once

#include <cmath>
#include <type_traits>
#include <utility>

#include "polder/core/config.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::ops {

/// u = g + rate x: coupled L2 weight decay.
template <class T>
struct decay {
  static constexpr int streams = 0;
  T rate{};
  POLDER_HD T operator()(T g, T x) const { return multiply_add(rate, x, g); }
};

/// u = g.
struct unchanged {
  static constexpr int streams = 0;
  template <class T>
  POLDER_HD T operator()(T g, T /*x*/) const {
    return g;
  }
};

/// m <- beta m + g, u = m.
template <class T>
struct heavy_ball {
  static constexpr int streams = 1;
  T beta{};
  POLDER_HD T operator()(T g, T /*x*/, T& m) const {
    m = multiply_add(beta, m, g);
    return m;
  }
};

/// m <- beta m + g, u = g + beta m.
template <class T>
struct nesterov_ball {
  static constexpr int streams = 1;
  T beta{};
  POLDER_HD T operator()(T g, T /*x*/, T& m) const {
    m = multiply_add(beta, m, g);
    return multiply_add(beta, m, g);
  }
};

/// u = beta m_hat + g, or with Nesterov u = g + beta (beta m_hat + g). m_hat is only read here.
template <class T>
struct quasi_global {
  static constexpr int streams = 1;
  T beta{};
  bool nesterov = true;
  POLDER_HD T operator()(T g, T /*x*/, T m_hat) const {
    const T m = multiply_add(beta, m_hat, g);
    return nesterov ? multiply_add(beta, m, g) : m;
  }
};

/// m_hat <- mu m_hat + (1 - mu) (x_before - x_after) / eta: the epilogue of the mixing pass. Does nothing where eta = 0.
template <class T>
struct quasi_global_refresh {
  T mu{};
  T gain{};  ///< (1 - mu) / eta
  bool active = true;
  POLDER_HD void operator()(T x_after, T x_before, T& m_hat) const {
    if (active) m_hat = multiply_add(mu, m_hat, gain * (x_before - x_after));
  }
};

/// u = g min(1, max_norm / ||g||), with ||g||^2 read from the backend's memory; u = g without one.
template <class T>
struct clip {
  static constexpr int streams = 0;
  double max_norm = 0.0;
  const double* squared_norm = nullptr;

  struct scaled {
    static constexpr int streams = 0;
    T scale{};
    POLDER_HD T operator()(T g, T /*x*/) const { return scale * g; }
  };
  POLDER_HD scaled resolved() const {
    const double norm = squared_norm == nullptr ? 0.0 : std::sqrt(*squared_norm);
    return {norm > max_norm ? static_cast<T>(max_norm / norm) : T{1}};
  }
};

/// Elements in a row, each fed with what the one before returned: one loop, whatever the number of rules.
template <class... Elements>
struct chained;

template <>
struct chained<> {
  static constexpr int streams = 0;
  POLDER_HD chained resolved() const { return {}; }
  template <class T>
  POLDER_HD T operator()(T g, T /*x*/) const {
    return g;
  }
};

template <class First, class... Rest>
struct chained<First, Rest...> {
  static constexpr int streams = First::streams + chained<Rest...>::streams;
  First first;
  chained<Rest...> rest;

  POLDER_HD auto resolved() const {
    auto tail = rest.resolved();
    if constexpr (requires { first.resolved(); }) {
      return join(first.resolved(), tail);
    } else {
      return join(first, tail);
    }
  }
  template <class T, class... Streams>
  POLDER_HD T operator()(T g, T x, Streams&&... states) const {
    return step(g, x, states...);
  }

 private:
  template <class Head, class... Tail>
  POLDER_HD static chained<Head, Tail...> join(Head head, chained<Tail...> tail) {
    return {head, tail};
  }
  template <class T, class... Streams>
  POLDER_HD T step(T g, T x, Streams&... states) const {
    if constexpr (First::streams == 0) {
      return rest(first(g, x), x, states...);
    } else {
      static_assert(First::streams == 1, "an element of a chain reads at most one state vector");
      return with_state(g, x, states...);
    }
  }
  template <class T, class State, class... Streams>
  POLDER_HD T with_state(T g, T x, State& state, Streams&... states) const {
    return rest(first(g, x, state), x, states...);
  }
};

/// x_half = x - eta u, with u from an update rule's element: the one pass of a local step.
template <class T, class Update>
struct descend {
  T eta{};
  Update update;

  POLDER_HD auto resolved() const {
    if constexpr (requires { update.resolved(); }) {
      return with(update.resolved());
    } else {
      return *this;
    }
  }
  template <class... Streams>
  POLDER_HD void operator()(T x, T g, T& x_half, Streams&&... states) const {
    x_half = multiply_add(-eta, update(g, x, states...), x);
  }

 private:
  template <class Resolved>
  POLDER_HD descend<T, Resolved> with(Resolved element) const {
    return {eta, element};
  }
};

/// x_half = x - eta u, drawn toward a target: x_half <- x_half + strength (target - x_half), in the same pass.
template <class T, class Update>
struct descend_and_pull {
  descend<T, Update> step;
  T strength{};

  POLDER_HD auto resolved() const { return with(step.resolved()); }
  template <class... Streams>
  POLDER_HD void operator()(T x, T g, T& x_half, T target, Streams&&... states) const {
    step(x, g, x_half, states...);
    x_half = multiply_add(strength, target - x_half, x_half);
  }

 private:
  template <class Resolved>
  POLDER_HD descend_and_pull<T, Resolved> with(descend<T, Resolved> element) const {
    return {element, strength};
  }
};

/// g <- u: the elements before a cut of a chain, brought into memory.
template <class Update>
struct materialize {
  Update update;

  POLDER_HD auto resolved() const {
    if constexpr (requires { update.resolved(); }) {
      return with(update.resolved());
    } else {
      return *this;
    }
  }
  template <class T, class... Streams>
  POLDER_HD void operator()(T x, T& g, Streams&&... states) const {
    g = update(g, x, states...);
  }

 private:
  template <class Resolved>
  POLDER_HD static materialize<Resolved> with(Resolved element) {
    return {element};
  }
};

}  // namespace polder::ops
