// polder — averages in time: the model to evaluate is a mean over the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/schedule.hpp"
#include "polder/mixing/part.hpp"
#include "polder/ops/outer.hpp"

namespace polder {

/// Stochastic weight averaging: the mean of what training held after steps start, start + interval, ….
///
/// Parameters: start >= 1 and interval >= 1, in steps. The authors begin at 161 of 200 epochs and take one sample an epoch,
/// with the learning rate of `learning_rate::shape::swa`.
/// Source: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, "Averaging Weights Leads to Wider Optima and Better
/// Generalization", UAI 2018.
struct swa {
  std::uint64_t start = 1;
  std::uint64_t interval = 1;

  void check() const {
    require<config_error>(start >= 1 && interval >= 1, "swa: start is ", start, " and interval ", interval,
                          " but both must be at least 1 step");
  }
  void check_length(std::uint64_t total_steps) const {
    require<config_error>(total_steps == 0 || start <= total_steps, "swa: start is ", start, " but the run has only ",
                          total_steps, " steps: start earlier");
  }
  [[nodiscard]] bool due(std::uint64_t done, bool /*round_ended*/) const {
    return done >= start && (done - start) % interval == 0;
  }
  [[nodiscard]] double share(std::uint64_t samples) const { return 1.0 / static_cast<double>(samples + 1); }
};

/// An exponential moving average over the rounds: average <- decay average + (1 - decay) x, beginning with the first round.
///
/// Parameters: decay in [0, 1); default 0.99, a choice of this library. 0: what the last round left.
struct ema {
  double decay = 0.99;

  void check() const {
    require<config_error>(decay >= 0.0 && decay < 1.0, "ema: decay is ", decay, " but must be in [0, 1)");
  }
  void check_length(std::uint64_t /*total_steps*/) const {}
  [[nodiscard]] bool due(std::uint64_t /*done*/, bool round_ended) const { return round_ended; }
  [[nodiscard]] double share(std::uint64_t samples) const { return samples == 0 ? 1.0 : 1.0 - decay; }
};

/// Another mixing rule, and beside it an average in time that training does not feel:
///
///     average_m <- average_m + share (x_m - average_m)       after the steps or rounds that `kind` names
///
/// Every worker averages its own parameters; the model to evaluate is the mean of these over the workers, which is the
/// average in time of the workers' mean, as both are linear. Before the first sample it is the mean itself.
///
/// Parameters: kind: swa or ema; mixing: any rule.
/// State: n numbers, and that of the inner rule. Cost: 12 bytes per float32 parameter for each sample. Sends what the inner
/// rule sends.
template <class Kind, class Mixing>
struct averaged_in_time {
  Kind kind{};
  Mixing mixing{};

  template <class B, class T, class Inner>
  struct state {
    Inner inner;
    buffer_t<B, T> average;
    std::uint64_t samples = 0;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      inner.visit(visitor);
      visitor("time_average", average.view());
      visitor("time_average.samples", samples);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] auto init(const B& backend, const layout& tensors) const {
    kind.check();
    return state<B, T, decltype(mixing.template init<T>(backend, tensors))>{
        mixing.template init<T>(backend, tensors), backend.template zeros<T>(tensors.size()), 0};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps, const learning_rate& rates = {}) const {
    if constexpr (requires { mixing.rounds_in(steps, rates); }) {
      return mixing.rounds_in(steps, rates);
    } else {
      return mixing.rounds_in(steps);
    }
  }
  [[nodiscard]] double early_gamma(std::uint64_t step, std::uint64_t total_steps) const
    requires requires(const Mixing inner) { inner.early_gamma(step, total_steps); }
  {
    return mixing.early_gamma(step, total_steps);
  }
  template <class Weights>
  void check(const Weights& weights) const
    requires requires(const Mixing inner) { inner.check(weights); }
  {
    mixing.check(weights);
  }
  template <class Context, class State>
  void begin(Context& ctx, State& s) const {
    kind.check_length(ctx.total_steps);
    if constexpr (requires { mixing.begin(ctx, s.inner); }) mixing.begin(ctx, s.inner);
  }
  template <class Context, class State>
  [[nodiscard]] auto local_step(Context& ctx, State& s) const
    requires requires(const Mixing inner) { inner.local_step(ctx, s.inner); }
  {
    return mixing.local_step(ctx, s.inner);
  }
  template <class Context, class State>
  [[nodiscard]] view<typename Context::space, const typename Context::value_type> model(Context& ctx, State& s) const {
    return s.samples > 0 ? s.average.view().as_const() : std::as_const(ctx.params).x();
  }
  [[nodiscard]] static const char* model_name() { return "average in time of all workers"; }

  template <class Context, class State, class Observation>
  bool mix(Context& ctx, State& s, const Observation& observation) const {
    const bool round_ended = mixing.mix(ctx, s.inner, observation);
    if (kind.due(ctx.step + 1, round_ended)) {
      ctx.backend.map(ctx.params.size(), ops::include{kind.share(s.samples++)}, in(std::as_const(ctx.params).x()),
                      inout(s.average.view()));
    }
    return round_ended;
  }
};

template <class Kind, class Mixing>
averaged_in_time(Kind, Mixing) -> averaged_in_time<Kind, Mixing>;

}  // namespace polder
