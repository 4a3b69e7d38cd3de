// polder — gossip: a weighted average with the neighbors.
#pragma once

#include <cstdint>
#include <span>
#include <tuple>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/part.hpp"
#include "polder/ops/mixing.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/topology/requirements.hpp"

namespace polder {

/// What gossip mixes.
enum class mixed {
  half_step,   ///< adapt then combine: x+ = W_gamma (x - eta u)
  before_step  ///< combine the parameters before the step: x+ = W_gamma x - eta u
};

/// Gossip averaging with the neighbors of a graph:
///
///     x_i+ = x_i_half + gamma ((W x_half)_i - x_i_half)              of = half_step, the default (adapt then combine)
///     x_i+ = x_i + gamma ((W x)_i - x_i) + (x_i_half - x_i)          of = before_step
///
/// Parameters: gamma in (0, 1], the consensus step; default 1. Neighbors are summed in rank order.
/// W must be doubly stochastic and connect the workers over a period, so that the mean of the workers is preserved.
///
/// State: none. Cost: one pass of 4 (K + 2) bytes per float32 parameter with K neighbors (8 more for before_step).
/// Sends n numbers to each out-neighbor; with before_step nothing if the gradient rule has exchanged the parameters.
/// Source: Lian et al., "Can Decentralized Algorithms Outperform Centralized Algorithms?", NeurIPS 2017 (D-PSGD);
/// Boyd et al., "Randomized gossip algorithms", 2006.
struct gossip {
  double gamma = 1.0;
  mixed of = mixed::half_step;

  struct state {
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state init(const B&, const layout&) const {
    require<config_error>(gamma > 0.0 && gamma <= 1.0, "gossip: gamma is ", gamma, " but must be in (0, 1]");
    return {};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }
  void check(const topology::mixing_matrix& weights) const { topology::check(weights); }
  [[nodiscard]] double consensus_step(const state&) const { return gamma; }
  [[nodiscard]] double early_gamma(std::uint64_t /*step*/, std::uint64_t /*total_steps*/) const {
    return of == mixed::before_step ? gamma : 0.0;
  }

  template <class Context, class Observation>
  bool mix(Context& ctx, state&, const Observation& observation) const {
    auto& params = ctx.params;
    using observer = decltype(observation.element);
    if (ctx.has_mixture()) {
      detail::map_observed(ctx, ops::step_from_mixture<observer>{observation.element}, observation.streams,
                           in(params.x()), in(params.half()), inout(params.writable_next(ctx.comm)));
      ctx.release();
      params.adopt_next();
      return true;
    }
    const bool after = of == mixed::half_step;
    const auto terms = ctx.neighbors(after ? params.half() : params.x(), gamma);
    const auto x_next = params.writable_next(ctx.comm);
    std::apply(
        [&](auto... more) {
          if (after) {
            ctx.backend.combine(terms, ops::adopt<observer>{observation.element}, out(x_next), more...);
          } else {
            ctx.backend.combine(terms, ops::adopt_and_step<observer>{observation.element}, in(params.x()),
                                in(params.half()), out(x_next), more...);
          }
        },
        observation.streams);
    ctx.release();
    params.adopt_next();
    return true;
  }
};

}  // namespace polder
