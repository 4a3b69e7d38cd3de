// polder — pull and push: consensus that keeps its distance.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/schedule.hpp"
#include "polder/mixing/part.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/mixing.hpp"

namespace polder {

/// Pull toward the average of the workers, push away from it, at once:
///
///     x_A = (1/M) sum_m x_m        d_m = x_m - x_A        r_m = ||d_m||_2        u_m = d_m / r_m   (0 where r_m <= smallest)
///     x_m <- x_m - alpha d_m + lambda_k u_m = x_A + (1 - alpha + lambda_k / r_m) d_m
///
/// x_A is fresh (of this round) and the direction is taken before the pull. Without gradients every r_m tends to
/// lambda / alpha: the workers settle only where the loss is flat at that distance.
///
/// Parameters: alpha, the pull, in (0, 2); default 0.1 (the pull strength of the elastic and leader methods it grew from).
/// lambda >= 0, the push, a length in parameter space; default 0.5, hence a limit width of 5: it does not carry over
/// between networks, so choose lambda = alpha times a few per cent of ||x_A||. schedule: fixed, increasing or decreasing over
/// the rounds of the run. start_round: no push before it. lambda = 0 is the soft average, bit for bit.
/// exact_push: the truncated push drops the path of the loss through x_A and shifts the mean by lambda u_mean each round;
/// the exact one uses u_m - u_mean, leaves the mean alone and costs a second all-reduce. The gaps are the same.
///
/// Equal workers are not pushed: in double, r up to the rounding of the mean, (M + 2) epsilon ||x_A||, counts as 0.
///
/// State: none (exact: n numbers). Cost: the reduction (4 + 4/M bytes per float32 parameter), then 12 for pull and push in one
/// pass (double: 8 more for ||x_A||). Sends 2 (M - 1) / M n numbers, twice that for the exact push, and M - 1 times M doubles for the distances.
/// Source: Dimlioglu, Choromanska, "Communication-Efficient Distributed Training for Collaborative Flat Optima Recovery in
/// Deep Learning", UAI 2026 (DPPF). Departures: written from the description of the method; the order of pull and push,
/// the freshness of x_A and the norm over the whole vector are choices of this library.
struct pull_push {
  double alpha = 0.1;
  double lambda = 0.5;
  push_schedule schedule = push_schedule::fixed;
  bool exact_push = false;
  double smallest = 0.0;
  std::uint64_t start_round = 0;

  template <class B, class T>
  struct state {
    buffer_t<B, T> direction;
    buffer_t<B, double> squared_norm;
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    require<config_error>(alpha > 0.0 && alpha < 2.0, "pull_push: alpha is ", alpha, " but must be in (0, 2)");
    require<config_error>(lambda >= 0.0 && std::isfinite(lambda), "pull_push: lambda is ", lambda,
                          " but must be a finite number >= 0");
    return {backend.template zeros<T>(exact_push ? tensors.size() : 0), backend.template zeros<double>(1)};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }

  template <class Context, class B, class T, class Observation>
  bool mix(Context& ctx, state<B, T>& s, const Observation& observation) const {
    using observer = decltype(observation.element);
    auto& params = ctx.params;
    const double push = ctx.round < start_round ? 0.0 : scheduled_push(schedule, lambda, ctx.round, ctx.total_rounds);
    const auto mean = ctx.mean(params.half());
    ops::stretch stretch{alpha, push, smallest, ctx.own_gap()};
    if constexpr (std::is_same_v<T, double>) {
      // Each of the M products and sums of the mean may round by half an epsilon. In float they are exact in double.
      ctx.backend.sum(params.size(), ops::square{}, s.squared_norm.view(), in(mean));
      stretch.rounding = (ctx.comm.size() + 2) * std::numeric_limits<double>::epsilon();
      stretch.squared_norm = s.squared_norm.view().data;
    }
    const auto x_next = params.writable_next(ctx.comm);
    if (!exact_push) {
      detail::map_observed(ctx, ops::pull_and_push<observer>{stretch, observation.element}, observation.streams,
                           in(params.half()), in(mean), out(x_next));
    } else {
      ctx.backend.map(params.size(), ops::pull_and_push_direction{stretch}, in(params.half()), in(mean), out(x_next),
                      out(s.direction.view()));
      ctx.comm.release();
      const auto u_mean = ctx.comm.all_reduce_mean(ctx.backend, s.direction.view().as_const(), ctx.step).mean;
      detail::map_observed(ctx, ops::recenter<observer>{push, observation.element}, observation.streams, in(u_mean),
                           inout(x_next));
    }
    ctx.comm.release();
    params.adopt_next();
    return true;
  }
};

}  // namespace polder
