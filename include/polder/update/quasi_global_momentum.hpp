// polder — quasi-global momentum: a momentum that follows what mixing made of the step.
#pragma once

#include <cmath>
#include <tuple>

#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/ops/update.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/part.hpp"

namespace polder {

/// Quasi-global momentum (QGM): the buffer follows the displacement of the *mixed* parameters, not the local gradient.
///
///     m = beta m^ + g                                       (m^ is not changed here)
///     u = m   or, with Nesterov,   u = g + beta m
///     x_half = x - eta u;   x+ = mixing of x_half over the neighbors
///     d = (x - x+) / eta                                    the eta that made the displacement
///     m^ <- mu m^ + (1 - mu) d
///
/// Parameters: beta in [0, 1), default 0.9; mu in [0, 1), default 0.9; nesterov, default true. mu = 0 with the plain
/// form is heavy ball on the total displacement: x+ = W(x - eta g + beta (x - x_prev)).
/// When several local steps make a round, x is the parameters at the start of the round and eta the sum of the learning
/// rates of its steps. Where eta is 0, m^ stays as it is.
///
/// State: m^ (n numbers), zero at the start. Cost: in the local step 4 bytes per float32 parameter on top; the refresh
/// runs inside the mixing pass (reads x, reads and writes m^: 12 bytes). Rounds of several steps keep one more vector.
/// Source: Lin, Karimireddy, Stich, Jaggi, "Quasi-Global Momentum: Accelerating Decentralized Deep Learning on
/// Heterogeneous Data", ICML 2021 (QG-DSGDm, QG-DSGDm-N). Departures: none in the plain form; the authors' code fixes
/// 1 - mu at 0.1 whatever beta is, which is the default here; for rounds of several steps it divides by their number.
struct quasi_global_momentum {
  double beta = 0.9;
  double mu = 0.9;
  bool nesterov = true;

  template <class B, class T>
  struct state {
    buffer_t<B, T> m_hat;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("quasi_global_momentum", m_hat.view());
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    detail::check_coefficient("quasi_global_momentum: beta", beta);
    detail::check_coefficient("quasi_global_momentum: mu", mu);
    return {backend.template zeros<T>(tensors.size())};
  }
  template <class Context, class B, class T>
  [[nodiscard]] ops::quasi_global<T> element(Context&, state<B, T>&) const {
    return {static_cast<T>(beta), nesterov};
  }
  template <class B, class T>
  [[nodiscard]] auto streams(state<B, T>& s) const {
    return std::make_tuple(in(s.m_hat.view()));
  }
  template <class Context, class B, class T>
  [[nodiscard]] auto observe(Context& ctx, state<B, T>& s) const {
    const bool moved = ctx.round_lr > 0.0;
    const ops::quasi_global_refresh<T> refresh{static_cast<T>(mu),
                                               static_cast<T>(moved ? (1.0 - mu) / ctx.round_lr : 0.0), moved};
    const auto before = in(ctx.params.anchor());
    const auto memory = inout(s.m_hat.view());
    return observation<ops::quasi_global_refresh<T>, decltype(before), decltype(memory)>{refresh, {before, memory}};
  }
};

}  // namespace polder
