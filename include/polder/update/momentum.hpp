// polder — heavy-ball and Nesterov momentum.
#pragma once

#include <cmath>
#include <tuple>

#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/ops/update.hpp"
#include "polder/update/part.hpp"

namespace polder {

namespace detail {

/// The part that both kinds of momentum share: one vector m, zero at the start, never communicated.
template <class B, class T>
struct momentum_state {
  buffer_t<B, T> m;
  template <class Visitor>
  void visit(Visitor&& visitor) {
    visitor("momentum", m.view());
  }
};

inline void check_coefficient(const char* what, double value) {
  require<config_error>(value >= 0.0 && value < 1.0, what, " is ", value, " but must be in [0, 1)");
}

}  // namespace detail

/// Heavy-ball momentum, un-dampened as in PyTorch:
///
///     m <- beta m + g,    u = m,    x <- x - eta u
///
/// Parameters: beta in [0, 1); default 0.9. The learning rate multiplies u, not m, so a change of eta does not rescale
/// the memory. State: m (n numbers), zero at the start, so the first step has m = g. 8 bytes per float32 parameter.
/// Source: Polyak 1964; the form of torch.optim.SGD with dampening 0.
struct momentum {
  double beta = 0.9;

  template <class T, tensor_backend B>
  [[nodiscard]] detail::momentum_state<B, T> init(const B& backend, const layout& tensors) const {
    detail::check_coefficient("momentum: beta", beta);
    return {backend.template zeros<T>(tensors.size())};
  }
  template <class Context, class B, class T>
  [[nodiscard]] ops::heavy_ball<T> element(Context&, detail::momentum_state<B, T>&) const {
    return {static_cast<T>(beta)};
  }
  template <class B, class T>
  [[nodiscard]] auto streams(detail::momentum_state<B, T>& s) const {
    return std::make_tuple(inout(s.m.view()));
  }
};

/// Nesterov momentum, in the form of PyTorch (the gradient is taken where the parameters are):
///
///     m <- beta m + g,    u = g + beta m,    x <- x - eta u
///
/// Parameters, state and cost as `momentum`. Source: Nesterov 1983; the form of torch.optim.SGD with nesterov=True.
struct nesterov {
  double beta = 0.9;

  template <class T, tensor_backend B>
  [[nodiscard]] detail::momentum_state<B, T> init(const B& backend, const layout& tensors) const {
    detail::check_coefficient("nesterov: beta", beta);
    return {backend.template zeros<T>(tensors.size())};
  }
  template <class Context, class B, class T>
  [[nodiscard]] ops::nesterov_ball<T> element(Context&, detail::momentum_state<B, T>&) const {
    return {static_cast<T>(beta)};
  }
  template <class B, class T>
  [[nodiscard]] auto streams(detail::momentum_state<B, T>& s) const {
    return std::make_tuple(inout(s.m.view()));
  }
};

}  // namespace polder
