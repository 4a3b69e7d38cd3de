// polder — what the gradient rules have in common.
#pragma once

#include "polder/core/view.hpp"

namespace polder {

/// gradient rule — obligations of a rule `r`:
///
///  1. `r.template init<T>(backend, layout)` returns its state by value; `state.visit(v)` calls v(name, view) for each
///     vector that a checkpoint must hold.
///  2. `r.gradient_at(ctx, state, f, z, g)` writes the gradient at `z` to `g` and returns the loss there, as `evaluate`
///     does: late losses are not waited for. z is the
///     worker's parameters or what a neighbor published, and stays as it is. The rule may write to
///     `ctx.params.writable_half`, and to nothing else of the parameters.
///  3. Or, for a rule that does more than look at a point (it talks): `r.gradient(ctx, state, f, g)`, which begins where
///     the parameters are.
///  4. Optional: `r.check(weights)` throws config_error if the mixing matrix does not suit the rule.
///  5. Optional: `r.begin(ctx, state)` runs once before the first step, when `ctx.params.x()` holds the start.

namespace detail {

template <class Rule, class Context, class State, class F>
concept point_gradient =
    requires(const Rule rule, Context& ctx, State& state, F& f,
             view<typename Context::space, const typename Context::value_type> z,
             view<typename Context::space, typename Context::value_type> g) { rule.gradient_at(ctx, state, f, z, g); };

/// The gradient of any rule at the parameters.
template <class Rule, class Context, class State, class F, class T>
auto take_gradient(const Rule& rule, Context& ctx, State& state, F& f, view<typename Context::space, T> g)
    -> decltype(rule.gradient(ctx, state, f, g)) {
  return rule.gradient(ctx, state, f, g);
}
template <class Rule, class Context, class State, class F, class T>
  requires point_gradient<Rule, Context, State, F>
auto take_gradient(const Rule& rule, Context& ctx, State& state, F& f, view<typename Context::space, T> g) {
  return rule.gradient_at(ctx, state, f, ctx.params.x(), g);
}

}  // namespace detail
}  // namespace polder
