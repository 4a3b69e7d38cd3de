// polder — clipping by the global norm.
#pragma once

#include <cmath>
#include <tuple>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/objective/finite.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/update.hpp"
#include "polder/update/part.hpp"

namespace polder {

/// Clipping of the worker's own gradient: u = g min(1, max_norm / ||g||_2), the norm over all parameters as one vector.
/// Put it first: `chain{clip_norm{1.0}, weight_decay{}, momentum{}}`.
///
/// Parameters: max_norm >= 0, in units of the gradient; 0, the default, switches it off (no pass). State: one double.
/// Cost: one pass for the norm (4 bytes per float32 parameter); the scaling is part of the fused step.
/// Source: Pascanu, Mikolov, Bengio, ICML 2013.
struct clip_norm {
  double max_norm = 0.0;

  template <class B>
  struct state {
    buffer_t<B, double> squared_norm;
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B> init(const B& backend, const layout&) const {
    require<config_error>(max_norm >= 0.0 && std::isfinite(max_norm), "clip_norm: max_norm is ", max_norm,
                          " but must be a finite number >= 0 (0: no clipping)");
    return {backend.template zeros<double>(1)};
  }
  template <class Context, class B, class T>
  void prepare(Context& ctx, state<B>& s, view<typename Context::space, T> g) const {
    if (max_norm == 0.0) return;
    ctx.backend.sum(g.size, ops::square{}, s.squared_norm.view(), in(g));
    require_finite(ctx, s.squared_norm.view().data);
  }
  template <class Context, class B>
  [[nodiscard]] auto element(Context&, state<B>& s) const {
    return ops::clip<typename Context::value_type>{max_norm, max_norm == 0.0 ? nullptr : s.squared_norm.view().data};
  }
  template <class B>
  [[nodiscard]] std::tuple<> streams(state<B>&) const {
    return {};
  }
};

}  // namespace polder
