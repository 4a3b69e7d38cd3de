// polder — pull and push: consensus that keeps its distance.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/schedule.hpp"
#include "polder/mixing/part.hpp"
#include "polder/mixing/pull.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/mixing.hpp"
#include "polder/ops/pulls.hpp"

namespace polder {

/// From where the push goes, and what its distance r is measured to.
enum class push_reference {
  average,  ///< x_A, whatever the pull goes to: the gaps then do not depend on the pull
  target    ///< what the pull goes to: saves the average's reduction; another law for the gaps
};

/// Pull toward a point on which the workers agree, push away from their average, at once:
///
///     x_A = (1/M) sum_m x_m        d_m = x_m - x_A        r_m = ||d_m||_2        u_m = d_m / r_m   (0 where r_m <= smallest)
///     x_m <- x_m - alpha (x_m - x_C) + lambda_k u_m          x_C: what the pull goes to
///
/// With x_C = x_A (`pull_push`, the default) that is x_A + (1 - alpha + lambda_k / r_m) d_m. x_A is fresh (of this round)
/// and the direction is taken before the pull. For every common x_C the gaps obey
///
///     d_m <- (1 - alpha) d_m + lambda_k (u_m - u_mean)
///
/// so that without gradients every r_m tends to lambda / alpha, whatever the pull: the workers settle only where the loss
/// is flat at that distance.
///
/// Parameters: pull, a type: the_average, elastic_center (EASGD; workers are pulled by alpha / M), leader (LSGD),
/// gradient_weighted (MGRAWA, LGRAWA). alpha, the pull, in (0, 2); default 0.1 (the pull strength of the elastic and leader
/// methods it grew from). lambda >= 0, the push, a length in parameter space; default 0.5, hence a limit width of 5: it does
/// not carry over between networks, so choose lambda = alpha times a few per cent of ||x_A||. schedule: fixed, increasing
/// or decreasing over the rounds of the run. start_round: no push before it. lambda = 0 is the pull alone, bit for bit.
/// exact_push: the truncated push drops the path of the loss through x_A and shifts the mean by lambda u_mean each round;
/// the exact one uses u_m - u_mean, leaves the mean to the pull and costs one more all-reduce. The gaps are the same.
/// per_tensor: a distance and a push of length lambda for each tensor: every tensor then gets the width lambda / alpha,
/// all L of them together sqrt(L) times that. from: see push_reference.
///
/// Equal workers are not pushed: r up to the rounding of the reference counts as 0 (in double, and for references that
/// are rounded sums, (M + 2) epsilon times the reference's norm).
///
/// State: that of the pull; one or, per tensor, L doubles (exact: n numbers). Cost for the average: its reduction (4 + 4/M
/// bytes per float32 parameter), then 12 for pull and push in one pass (per_tensor and double: 8 more each for the norms).
/// Other pulls: see there; with the push from the average 4 + 4/M, 12 and 4 more. Sends 2 (M - 1) / M n numbers for each
/// average, exact push included, and M - 1 times M doubles for its distances; and what the pull sends.
/// Source: Dimlioglu, Choromanska, "Communication-Efficient Distributed Training for Collaborative Flat Optima Recovery in
/// Deep Learning", UAI 2026 (DPPF). Departures: written from the description of the method; the order of pull and push,
/// the freshness of x_A, the norm over the whole vector and the push from the average are choices of this library.
template <class Pull>
struct pull_push_toward {
  Pull pull{};
  double alpha = 0.1;
  double lambda = 0.5;
  push_schedule schedule = push_schedule::fixed;
  bool exact_push = false;
  double smallest = 0.0;
  std::uint64_t start_round = 0;
  bool per_tensor = false;
  push_reference from = push_reference::average;

  template <class B, class T, class PullState>
  struct state {
    PullState pull;
    std::vector<detail::segment> segments;
    buffer_t<B, T> direction;
    buffer_t<B, double> squared_gaps;
    buffer_t<B, double> squared_norms;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      pull.visit(visitor);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] auto init(const B& backend, const layout& tensors) const {
    require<config_error>((alpha > 0.0 || (Pull::may_rest && alpha == 0.0)) && alpha < 2.0, "pull_push: alpha is ",
                          alpha, " but must be in ", Pull::may_rest ? "[" : "(", "0, 2)");
    require<config_error>(lambda >= 0.0 && std::isfinite(lambda), "pull_push: lambda is ", lambda,
                          " but must be a finite number >= 0");
    pull.check_push(lambda > 0.0 && from == push_reference::average, exact_push);
    auto segments = detail::segments_of(tensors, per_tensor);
    const std::size_t count = segments.size();
    const bool direction = exact_push && (Pull::when != pull_time::later || from == push_reference::target);
    return state<B, T, decltype(pull.template init<T>(backend, tensors))>{
        pull.template init<T>(backend, tensors), std::move(segments),
        backend.template zeros<T>(direction ? tensors.size() : 0), backend.template zeros<double>(count),
        backend.template zeros<double>(count)};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }
  template <class Context, class State>
  void begin(Context& ctx, State& s) const {
    if constexpr (requires { pull.begin(ctx, s.pull); }) pull.begin(ctx, s.pull);
  }
  template <class Context, class State>
  [[nodiscard]] auto local_step(Context& ctx, State& s) const
    requires requires { pull.local_step(ctx, s.pull); }
  {
    return pull.local_step(ctx, s.pull);
  }
  template <class Context, class State>
  [[nodiscard]] auto model(Context& ctx, State& s) const
    requires requires { pull.model(ctx, s.pull); }
  {
    return pull.model(ctx, s.pull);
  }
  [[nodiscard]] static const char* model_name()
    requires requires { Pull::model_name(); }
  {
    return Pull::model_name();
  }

  template <class Context, class State, class Observation>
  bool mix(Context& ctx, State& s, const Observation& observation) const {
    const double push = ctx.round < start_round ? 0.0 : scheduled_push(schedule, lambda, ctx.round, ctx.total_rounds);
    if constexpr (Pull::when == pull_time::later) {
      pull_later(ctx, s, push, observation);
    } else if constexpr (Pull::when == pull_time::elastic) {
      pull_elastic(ctx, s, push, observation);
    } else {
      pull_and_push(ctx, s, push, ctx.mean(ctx.params.half()), true, observation);
    }
    ctx.comm.release();
    ctx.params.adopt_next();
    return true;
  }

 private:
  /// One pass, away from what is pulled to; exact: three, and another reduction.
  template <class Context, class State, class T, class Observation>
  void pull_and_push(Context& ctx, State& s, double push, view<typename Context::space, const T> target, bool average,
                     const Observation& observation) const {
    using observer = decltype(observation.element);
    measure(ctx, s, push, target, average, ctx.params.half());
    const auto half = in(ctx.params.half());
    const auto x_next = ctx.params.writable_next(ctx.comm);
    if (!exact_push || push == 0.0) {
      each(s, [&](std::size_t k, detail::segment part) {
        detail::map_part(ctx, part, ops::pull_and_push<observer>{gap(ctx, s, k, push, average), observation.element},
                         observation.streams, half, in(target), out(x_next));
      });
      return;
    }
    each(s, [&](std::size_t k, detail::segment part) {
      detail::map_part(ctx, part, ops::pull_and_push_direction{gap(ctx, s, k, push, average)}, std::tuple<>{}, half,
                       in(target), out(x_next), out(s.direction.view()));
    });
    recenter(ctx, s, push, x_next, observation);
  }

  template <class Context, class State, class Observation>
  void pull_elastic(Context& ctx, State& s, double push, const Observation& observation) const {
    using observer = decltype(observation.element);
    using T = typename Context::value_type;
    const auto z = s.pull.center.view();
    if (pull.server) {
      pull_and_push(ctx, s, push, z.as_const(), false, observation);
      ctx.comm.release();
      pull.meet_at_server(ctx, s.pull, alpha);
      return;
    }
    const bool before = pull.takes_before_step();
    const bool from_center = from == push_reference::target;
    const auto y = before ? ctx.params.x() : ctx.params.half();
    const auto mean = ctx.mean(y);
    measure(ctx, s, push, from_center ? z.as_const() : mean, !from_center, y);
    const bool exact = exact_push && push > 0.0;
    if (exact) {
      each(s, [&](std::size_t k, detail::segment part) {
        detail::map_part(ctx, part, ops::displace{gap(ctx, s, k, push, !from_center)}, std::tuple<>{}, in(y),
                         in(from_center ? z.as_const() : mean), out(s.direction.view()));
      });
    }
    const auto x_next = ctx.params.writable_next(ctx.comm);
    const auto pass = [&](const auto& last, const auto& streams) {
      using last_observer = std::remove_cvref_t<decltype(last)>;
      each(s, [&](std::size_t k, detail::segment part) {
        const ops::elastic<last_observer> whole{gap(ctx, s, k, push, !from_center), alpha, from_center, last};
        if (before) {
          const ops::elastic<ops::no_observer> inner{whole.gap, alpha, from_center, {}};
          detail::map_part(ctx, part, ops::elastic_before_step<last_observer>{inner, last}, streams,
                           in(ctx.params.half()), in(y), in(mean), inout(z), out(x_next));
        } else {
          detail::map_part(ctx, part, whole, streams, in(y), in(mean), inout(z), out(x_next));
        }
      });
    };
    if (exact) {
      pass(ops::no_observer{}, std::tuple<>{});
      recenter(ctx, s, push, view<typename Context::space, T>(x_next), observation);
    } else {
      pass(observer(observation.element), observation.streams);
    }
  }

  /// The pull goes to a point that is communicated for itself: first the push, from the average, then the pull.
  template <class Context, class State, class Observation>
  void pull_later(Context& ctx, State& s, double push, const Observation& observation) const {
    using observer = decltype(observation.element);
    if (push == 0.0 || from == push_reference::target) {
      pull_and_push(ctx, s, push, pull.target(ctx, s.pull), false, observation);
      return;
    }
    const auto half = ctx.params.half();
    const auto mean = ctx.mean(half);
    measure(ctx, s, push, mean, true, half);
    const auto x_next = ctx.params.writable_next(ctx.comm);
    each(s, [&](std::size_t k, detail::segment part) {
      detail::map_part(ctx, part, ops::displace{gap(ctx, s, k, push, true), push}, std::tuple<>{}, in(half), in(mean),
                       out(x_next));
    });
    ctx.comm.release();
    if (exact_push) {
      const auto push_mean = ctx.comm.all_reduce_mean(ctx.backend, x_next.as_const(), ctx.step).mean;
      ctx.backend.map(x_next.size, ops::recenter<ops::no_observer>{1.0, {}}, in(push_mean), inout(x_next));
      ctx.comm.release();
    }
    const auto target = pull.target(ctx, s.pull);
    detail::map_observed(ctx, ops::approach<observer>{alpha, observation.element}, observation.streams, in(half),
                         in(target), inout(x_next));
  }

  /// The second half of the exact push: x_next <- x_next - lambda u_mean.
  template <class Context, class State, class T, class Observation>
  void recenter(Context& ctx, State& s, double push, view<typename Context::space, T> x_next,
                const Observation& observation) const {
    using observer = decltype(observation.element);
    ctx.comm.release();
    const auto u_mean = ctx.comm.all_reduce_mean(ctx.backend, s.direction.view().as_const(), ctx.step).mean;
    detail::map_observed(ctx, ops::recenter<observer>{push, observation.element}, observation.streams, in(u_mean),
                         inout(x_next));
  }

  template <class State, class Body>
  static void each(const State& s, const Body& body) {
    for (std::size_t k = 0; k < s.segments.size(); ++k) body(k, s.segments[k]);
  }
  template <class T>
  [[nodiscard]] static constexpr bool rounds(bool average) {
    return std::is_same_v<T, double> || (!average && Pull::target_rounds);
  }

  /// The squared distances of y to the reference, where the reduction has not brought them, and its squared norms, where
  /// they say what counts as no distance.
  template <class Context, class State, class T>
  void measure(Context& ctx, State& s, double push, view<typename Context::space, const T> reference, bool average,
               view<typename Context::space, const T> y) const {
    each(s, [&](std::size_t k, detail::segment part) {
      const auto to = reference.part(part.offset, part.size);
      if (push > 0.0 && (per_tensor || !average)) {
        ctx.backend.sum(part.size, ops::squared_difference{}, s.squared_gaps.view().part(k, 1),
                        in(y.part(part.offset, part.size)), in(to));
      }
      // Each of the M products and sums of the mean may round by half an epsilon. In float they are exact in double.
      if (push > 0.0 && rounds<T>(average)) {
        ctx.backend.sum(part.size, ops::square{}, s.squared_norms.view().part(k, 1), in(to));
      }
    });
  }
  template <class Context, class State>
  [[nodiscard]] ops::stretch gap(Context& ctx, State& s, std::size_t k, double push, bool average) const {
    using T = typename Context::value_type;
    const bool reduced = average && !per_tensor;
    ops::stretch stretch{pull.strength(alpha, ctx.comm.size()), push, smallest,
                         reduced ? ctx.own_gap() : s.squared_gaps.view().data + k};
    if (push > 0.0 && rounds<T>(average)) {
      stretch.rounding = (ctx.comm.size() + 2) * static_cast<double>(std::numeric_limits<T>::epsilon());
      stretch.squared_norm = s.squared_norms.view().data + k;
    }
    return stretch;
  }
};

/// Pull and push toward and from the average: DPPF in its plainest form.
using pull_push = pull_push_toward<the_average>;

}  // namespace polder
