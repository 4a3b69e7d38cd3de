// polder — what the update rules have in common.
#pragma once

#include <tuple>

#include "polder/backend/tensor_backend.hpp"
#include "polder/ops/mixing.hpp"

namespace polder {

/// update rule — obligations of a rule `u`:
///
///  1. `u.template init<T>(backend, layout)` returns its state by value; `state.visit(v)` calls v(name, view) for each
///     vector that a checkpoint must hold.
///  2. `u.element(ctx, state)` returns an element function u = element(g, x, state vectors…) with `streams` of them, and
///     `u.streams(state)` the tagged streams it reads, as a std::tuple.
///  3. Optional: `u.prepare(ctx, state, g)` runs before the fused pass and may change g: rules that communicate or need
///     a norm. A rule that communicates does so on all workers in every step, calls `ctx.release()` before and
///     `ctx.comm.release()` when it has read what arrived.
///  4. Optional: `u.observe(ctx, state)` returns an `observation`: an element function that sees the parameters after
///     the mixing, x_after, and its own streams, run inside the mixing pass at the end of every round.
///  5. Optional: `u.begin(ctx, state)` runs once before the first step, when `ctx.params.x()` holds the start.

/// What an update rule wants to do inside the mixing pass.
template <class Element, class... Streams>
struct observation {
  Element element;
  std::tuple<Streams...> streams;
};

/// The observation of the rules that have none.
using no_observation = observation<ops::no_observer>;

template <class Rule, class Context, class State>
concept observing_rule = requires(const Rule rule, Context& ctx, State& state) { rule.observe(ctx, state); };

template <class Rule, class Context, class State, class Gradient>
concept preparing_rule =
    requires(const Rule rule, Context& ctx, State& state, Gradient g) { rule.prepare(ctx, state, g); };

namespace detail {
/// The observation of any rule.
template <class Rule, class Context, class State>
[[nodiscard]] auto observe(const Rule& rule, Context& ctx, State& state) {
  if constexpr (observing_rule<Rule, Context, State>) {
    return rule.observe(ctx, state);
  } else {
    return no_observation{};
  }
}
}  // namespace detail

}  // namespace polder
