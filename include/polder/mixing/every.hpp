// polder — communication every tau steps.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/part.hpp"
#include "polder/ops/mixing.hpp"

namespace polder {

/// Another mixing rule after local steps tau, 2 tau, …; nothing between them.
///
///     x+ = mixing(x_half)  if tau divides t + 1,  else  x+ = x_half       for local steps t = 0, 1, …
///
/// Parameters: tau >= 1, local steps per round. A last partial round stays as it is: evaluation averages.
/// Update rules that observe the mixing see a whole round: the parameters at its start and the sum of its learning rates.
///
/// State: that of the inner rule. Sends 1/tau of what the inner rule sends.
template <class Mixing>
struct every {
  std::uint64_t tau = 1;
  Mixing mixing{};

  template <class T, tensor_backend B>
  [[nodiscard]] auto init(const B& backend, const layout& tensors) const {
    require<config_error>(tau >= 1, "every: tau is 0 but a round has at least 1 step");
    return mixing.template init<T>(backend, tensors);
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return mixing.rounds_in(steps / tau); }
  [[nodiscard]] double early_gamma(std::uint64_t step) const
    requires requires(const Mixing inner) { inner.early_gamma(step); }
  {
    return (step + 1) % tau == 0 ? mixing.early_gamma(step) : 0.0;
  }
  template <class Weights>
  void check(const Weights& weights) const
    requires requires(const Mixing inner) { inner.check(weights); }
  {
    mixing.check(weights);
  }

  template <class Context, class State>
  void begin(Context& ctx, State& s) const
    requires requires(const Mixing inner) { inner.begin(ctx, s); }
  {
    mixing.begin(ctx, s);
  }

  template <class Context, class State>
  [[nodiscard]] auto local_step(Context& ctx, State& s) const
    requires requires(const Mixing inner) { inner.local_step(ctx, s); }
  {
    return mixing.local_step(ctx, s);
  }
  template <class Context, class State>
  [[nodiscard]] auto model(Context& ctx, State& s) const
    requires requires(const Mixing inner) { inner.model(ctx, s); }
  {
    return mixing.model(ctx, s);
  }
  [[nodiscard]] static const char* model_name()
    requires requires { Mixing::model_name(); }
  {
    return Mixing::model_name();
  }

  template <class Context, class State, class Observation>
  bool mix(Context& ctx, State& s, const Observation& observation) const {
    if ((ctx.step + 1) % tau == 0) return mixing.mix(ctx, s, observation);
    using observer = std::remove_const_t<decltype(observation.element)>;
    ctx.params.continue_round(!std::is_same_v<observer, ops::no_observer>);
    return false;
  }
};

template <class Period, class Mixing>
every(Period, Mixing) -> every<Mixing>;

}  // namespace polder
