// polder — the exact average over all workers.
#pragma once

#include <cmath>
#include <cstdint>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/part.hpp"
#include "polder/ops/mixing.hpp"

namespace polder {

/// A pull toward the exact average of all workers (all-reduce):
///
///     x_A = (1/M) sum_m x_m_half,      x_m+ = (1 - alpha) x_m_half + alpha x_A
///
/// Parameters: alpha, the pull; default 1, hard averaging: with `every{tau, average{}}` Local SGD, with tau = 1 and local
/// momentum exactly synchronous data-parallel SGD. 0 < alpha < 1 is the soft SimpleAvg. alpha in (0, 2).
///
/// State: none. Cost: the reduction (4 + 4/M bytes per float32 parameter), then one pass of 8 (alpha = 1) or 12.
/// Sends 2 (M - 1) / M n numbers, whatever the graph, and M - 1 times M doubles for the distances to the mean.
/// Source: McMahan et al., AISTATS 2017 (federated averaging); Stich, "Local SGD Converges Fast and Communicates Little",
/// ICLR 2019.
struct average {
  double alpha = 1.0;

  struct state {
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state init(const B&, const layout&) const {
    require<config_error>(alpha > 0.0 && alpha < 2.0, "average: alpha is ", alpha, " but must be in (0, 2)");
    return {};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }

  template <class Context, class Observation>
  bool mix(Context& ctx, state&, const Observation& observation) const {
    using observer = decltype(observation.element);
    auto& params = ctx.params;
    const auto mean = ctx.mean(params.half());
    const auto x_next = params.writable_next(ctx.comm);
    if (alpha == 1.0) {
      detail::map_observed(ctx, ops::adopt<observer>{observation.element}, observation.streams, in(mean), out(x_next));
    } else {
      detail::map_observed(ctx, ops::pull_and_push<observer>{{alpha, 0.0, 0.0, ctx.own_gap()}, observation.element},
                           observation.streams, in(params.half()), in(mean), out(x_next));
    }
    ctx.comm.release();
    params.adopt_next();
    return true;
  }
};

}  // namespace polder
