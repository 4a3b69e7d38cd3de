// polder — what the mixing rules have in common.
#pragma once

#include <cstdint>
#include <tuple>
#include <utility>

namespace polder {

/// mixing rule — obligations of a rule `m`:
///
///  1. `m.template init<T>(backend, layout)` returns its state by value; `state.visit(v)` calls v(name, view) for each
///     vector that a checkpoint must hold.
///  2. `m.mix(ctx, state, observation)` brings `ctx.params.half()` (the local step) into agreement with the other
///     workers, runs the update rule's observation in the same pass, and ends the step by a change of roles
///     (`adopt_next`, `adopt_half` or `continue_round`). Returns true if a round ended.
///  3. `m.rounds_in(steps)` is the number of rounds in that many steps.
///  4. Optional: `m.early_gamma(step)` is the consensus step with which the mixing of that step will combine the
///     parameters before the step, 0 if it will not. Where it is not 0, the rule must look for `ctx.has_mixture()`.
///  5. Optional: `m.check(weights)` throws config_error if the mixing matrix does not suit the rule.
///  6. Optional: `m.begin(ctx, state)` runs once before the first step, when `ctx.params.x()` holds the start. A rule that
///     sends the parameters in messages of its own says so there (`ctx.carry_parameters`).
///  7. Optional: `m.consensus_step(state)` returns the consensus step gamma that the rule uses, set or derived.

namespace detail {

/// One fused pass: `element` over `streams…` and the observer's own streams behind them.
template <class Context, class Element, class Tuple, class... Streams>
void map_observed(Context& ctx, const Element& element, const Tuple& observed, Streams... streams) {
  std::apply([&](auto... more) { ctx.backend.map(ctx.params.size(), element, streams..., more...); }, observed);
}

}  // namespace detail
}  // namespace polder
