// polder — communication at the end of a round of local steps.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/schedule.hpp"
#include "polder/mixing/part.hpp"
#include "polder/mixing/synchronization.hpp"
#include "polder/ops/mixing.hpp"

namespace polder {

template <class Mixing, class Period>
struct every;

namespace detail {
template <class Mixing>
inline constexpr bool is_every = false;
template <class Mixing, class Period>
inline constexpr bool is_every<every<Mixing, Period>> = true;

/// What every mixing rule says of itself, whatever it mixes.
template <class Mixing>
concept counts_rounds = requires(const Mixing mixing) { mixing.rounds_in(std::uint64_t{1}); };
}  // namespace detail

/// Another mixing rule at the end of each round; nothing between.
///
///     x+ = mixing(x_half)  if the period says that a round ends,  else  x+ = x_half       for local steps t = 0, 1, …
///
/// Parameters: period, a whole number tau (rounds end after local steps tau, 2 tau, …) or a synchronization rule: post_local,
/// qsr, loss_adaptive, drift_triggered. The last round ends with the run, however short it is, if the run's length is known
/// (total_steps of the worker).
/// Update rules that observe the mixing see a whole round: the parameters at its start and the sum of its learning rates.
///
/// State: that of period and inner rule. Sends what the inner rule sends, once a round.
template <class Mixing, class Period = constant_period>
struct every {
  static_assert(!detail::is_every<Mixing>,
                "an every inside an every: a round has one length, so write one of them with that period");
  static_assert(detail::counts_rounds<Mixing>,
                "every wraps a mixing rule: none, gossip, choco, choco_before_step, deep_squeeze, average, pull_push, "
                "pull_push_toward, outer or averaged_in_time; see docs/reference/parts.md");

  Period period{};
  Mixing mixing{};

  template <class PeriodState, class Inner>
  struct state {
    PeriodState period;
    Inner inner;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      period.visit(visitor);
      inner.visit(visitor);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] auto init(const B& backend, const layout& tensors) const {
    return state<decltype(period.template init<T>(backend, tensors)),
                 decltype(mixing.template init<T>(backend, tensors))>{period.template init<T>(backend, tensors),
                                                                      mixing.template init<T>(backend, tensors)};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps, const learning_rate& rates = {}) const {
    return mixing.rounds_in(period.rounds_in(steps, rates));
  }
  [[nodiscard]] double early_gamma(std::uint64_t step, std::uint64_t total_steps) const
    requires requires(const Period when, const Mixing inner) {
      when.ends_round(step, total_steps);
      inner.early_gamma(step, total_steps);
    }
  {
    return period.ends_round(step, total_steps) ? mixing.early_gamma(step, total_steps) : 0.0;
  }
  template <class Weights>
  void check(const Weights& weights) const
    requires requires(const Mixing inner) { inner.check(weights); }
  {
    mixing.check(weights);
  }

  template <class State>
  [[nodiscard]] double consensus_step(const State& s) const
    requires requires(const Mixing inner) { inner.consensus_step(s.inner); }
  {
    return mixing.consensus_step(s.inner);
  }

  template <class Context, class State>
  void begin(Context& ctx, State& s) const
    requires requires(const Mixing inner) { inner.begin(ctx, s.inner); }
  {
    mixing.begin(ctx, s.inner);
  }
  template <class Context, class State>
  [[nodiscard]] auto local_step(Context& ctx, State& s) const
    requires requires(const Mixing inner) { inner.local_step(ctx, s.inner); }
  {
    return mixing.local_step(ctx, s.inner);
  }
  template <class Context, class State>
  [[nodiscard]] auto model(Context& ctx, State& s) const
    requires requires(const Mixing inner) { inner.model(ctx, s.inner); }
  {
    return mixing.model(ctx, s.inner);
  }
  [[nodiscard]] static const char* model_name()
    requires requires { Mixing::model_name(); }
  {
    return Mixing::model_name();
  }

  template <class Context, class State, class Observation>
  bool mix(Context& ctx, State& s, const Observation& observation) const {
    if (period.ends_round(ctx, s.period)) return mixing.mix(ctx, s.inner, observation);
    using observer = std::remove_const_t<decltype(observation.element)>;
    ctx.params.continue_round(period.keeps_start || !std::is_same_v<observer, ops::no_observer>);
    return false;
  }
};

template <class Period, class Mixing>
every(Period, Mixing) -> every<Mixing, std::conditional_t<std::is_arithmetic_v<Period>, constant_period, Period>>;

namespace detail {
/// The synchronization rule of a recipe: tau, unless another rule is given.
template <class Period>
[[nodiscard]] Period period_of([[maybe_unused]] std::uint64_t tau, const Period& given) {
  if constexpr (std::same_as<Period, constant_period>) {
    return constant_period{tau};
  } else {
    return given;
  }
}
}  // namespace detail

}  // namespace polder
