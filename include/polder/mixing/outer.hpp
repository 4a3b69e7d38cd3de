// polder — outer optimizers: what a round of everybody's local steps did is taken as one gradient.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/part.hpp"
#include "polder/ops/mixing.hpp"
#include "polder/ops/outer.hpp"

namespace polder {

namespace detail {
/// The coefficients of ops::outer_step.
struct outer_coefficients {
  double keep = 0.0, beta = 0.0, scale = 0.0, old_gain = 0.0, new_gain = 0.0;
};
inline void check_outer(const char* what, double value, double below) {
  require<config_error>(value >= 0.0 && value < below, what, " is ", value, " but must be in [0, ", below, ")");
}
}  // namespace detail

/// Lookahead as outer optimizer: x_o <- (1 - alpha) x_o + alpha x_A. No memory.
///
/// Parameters: alpha in (0, 2); default 0.8 (the authors' program, with rounds of 5 steps). Local momentum goes on, the
/// program's default. Source: Zhang, Lucas, Hinton, Ba, "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019.
/// Departures: with several workers, the fast weights are their mean.
struct lookahead {
  double alpha = 0.8;

  static constexpr bool remembers = false;
  void check() const {
    require<config_error>(alpha > 0.0 && alpha < 2.0, "lookahead: alpha is ", alpha, " but must be in (0, 2)");
  }
  [[nodiscard]] detail::outer_coefficients coefficients(double /*lr*/) const { return {.keep = 1.0 - alpha}; }
};

/// SlowMo as outer optimizer: b <- beta b + (x_o - x_A) / eta,   x_o <- x_o - alpha eta b.
///
/// eta is the learning rate of the round's last step; where it is 0, b stays as it is.
/// Parameters: beta in [0, 1), default 0.5; alpha in (0, 2), default 1 (the defaults of a public implementation, which
/// advises beta 0.2 for 4 workers, 0.5 for 8, 0.6 for 16). beta = 0 and alpha = 1: Local SGD, bit for bit.
/// Source: Wang, Tantia, Ballas, Rabbat, "SlowMo: Improving Communication-Efficient Distributed SGD with Slow Momentum",
/// ICLR 2020.
struct slow_mo {
  double beta = 0.5;
  double alpha = 1.0;

  static constexpr bool remembers = true;
  void check() const {
    detail::check_outer("slow_mo: beta", beta, 1.0);
    require<config_error>(alpha > 0.0 && alpha < 2.0, "slow_mo: alpha is ", alpha, " but must be in (0, 2)");
  }
  [[nodiscard]] detail::outer_coefficients coefficients(double lr) const {
    const bool moved = lr > 0.0;
    return {.keep = 1.0 - alpha,
            .beta = moved ? beta : 1.0,
            .scale = moved ? 1.0 / lr : 0.0,
            .old_gain = alpha * lr * beta};
  }
};

/// DiLoCo as outer optimizer: Nesterov momentum on g = x_o - x_A:   b <- beta b + g,   x_o <- x_o - lr (g + beta b).
///
/// Parameters: lr in (0, 2), default 0.7; beta in [0, 1), default 0.9 (a public implementation, with rounds of 500 steps).
/// beta = 0 and lr = 1: Local SGD, bit for bit; beta = 0: Lookahead with alpha = lr.
/// Source: Douillard et al., "DiLoCo: Distributed Low-Communication Training of Language Models", arXiv:2311.08105.
struct diloco {
  double lr = 0.7;
  double beta = 0.9;

  static constexpr bool remembers = true;
  void check() const {
    require<config_error>(lr > 0.0 && lr < 2.0, "diloco: lr is ", lr, " but must be in (0, 2)");
    detail::check_outer("diloco: beta", beta, 1.0);
  }
  [[nodiscard]] detail::outer_coefficients coefficients(double /*lr*/) const {
    return {.keep = 1.0 - lr, .beta = beta, .scale = 1.0, .new_gain = lr * beta};
  }
};

/// Averaging with an outer optimizer: every worker goes on from the same outer point, which the optimizer moves.
///
///     x_A = (1/M) sum_m x_m_half,     x_o <- optimizer(x_o, x_A),     x_m+ = x_o
///
/// Parameters: optimizer: lookahead, slow_mo or diloco. averages >= 1: the outer step comes with every so many rounds,
/// counted from the run's start; the rounds between are plain averages. Default 1.
///
/// State: x_o and, with memory, b (n numbers each), the same on all workers; x_o begins at the mean of their starts (not
/// counted as sent). Cost: the reduction (4 + 4/M bytes per float32 parameter), then 24 (without memory: 16), 8 for a plain
/// average. Sends 2 (M - 1) / M n numbers a round.
template <class Optimizer>
struct outer {
  Optimizer optimizer{};
  std::uint64_t averages = 1;

  template <class B, class T>
  struct state {
    buffer_t<B, T> point;
    buffer_t<B, T> memory;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("outer.point", point.view());
      visitor("outer.memory", memory.view());
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    optimizer.check();
    require<config_error>(averages >= 1, "outer: averages is 0 but an outer step takes at least 1 round");
    return {backend.template zeros<T>(tensors.size()),
            backend.template zeros<T>(Optimizer::remembers ? tensors.size() : 0)};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }
  template <class Context, class B, class T>
  void begin(Context& ctx, state<B, T>& s) const {
    auto& quiet = uncounted(ctx.comm);
    ctx.backend.copy(quiet.all_reduce_mean(ctx.backend, ctx.params.x(), ctx.step).mean, s.point.view());
    quiet.release();
  }

  template <class Context, class B, class T, class Observation>
  bool mix(Context& ctx, state<B, T>& s, const Observation& observation) const {
    using observer = decltype(observation.element);
    const auto mean = in(ctx.mean(ctx.params.half()));
    const auto x_next = out(ctx.params.writable_next(ctx.comm));
    const detail::outer_coefficients c = optimizer.coefficients(ctx.lr);
    if ((ctx.round + 1) % averages != 0) {
      detail::map_observed(ctx, ops::adopt<observer>{observation.element}, observation.streams, mean, x_next);
    } else if constexpr (Optimizer::remembers) {
      detail::map_observed(
          ctx, ops::outer_step<observer>{c.keep, c.beta, c.scale, c.old_gain, c.new_gain, observation.element},
          observation.streams, mean, inout(s.point.view()), inout(s.memory.view()), x_next);
    } else {
      detail::map_observed(ctx, ops::outer_return<observer>{c.keep, observation.element}, observation.streams, mean,
                           inout(s.point.view()), x_next);
    }
    ctx.comm.release();
    ctx.params.adopt_next();
    return true;
  }
};

template <class Optimizer, class... Rest>
outer(Optimizer, Rest...) -> outer<Optimizer>;

}  // namespace polder
