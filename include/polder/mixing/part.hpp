// polder — what the mixing rules have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/view.hpp"

namespace polder {

/// mixing rule — obligations of a rule `m`:
///
///  1. `m.template init<T>(backend, layout)` returns its state by value; `state.visit(v)` calls v(name, view) for each
///     vector that a checkpoint must hold.
///  2. `m.mix(ctx, state, observation)` brings `ctx.params.half()` (the local step) into agreement with the other
///     workers, runs the update rule's observation in the same pass, and ends the step by a change of roles
///     (`adopt_next`, `adopt_half` or `continue_round`). Returns true if a round ended.
///  3. `m.rounds_in(steps)` is the number of rounds of a run of that many steps, 0 where only the run can tell; a rule
///     whose rounds depend on the learning rate has `m.rounds_in(steps, rates)` as well.
///  4. Optional: `m.early_gamma(step, total_steps)` is the consensus step with which the mixing of that step of a run of
///     total_steps (0 where unknown) will combine the parameters before the step, 0 if it will not. Where it is not 0, the
///     rule must look for `ctx.has_mixture()`.
///  5. Optional: `m.check(weights)` throws config_error if the mixing matrix does not suit the rule.
///  6. Optional: `m.begin(ctx, state)` runs once before the first step, when `ctx.params.x()` holds the start. A rule that
///     sends the parameters in messages of its own says so there (`ctx.carry_parameters`).
///  7. Optional: `m.consensus_step(state)` returns the consensus step gamma that the rule uses, set or derived.
///  8. Optional: `m.local_step(ctx, state)` runs once in every local step, when `ctx.loss` is that of the step's minibatch
///     and before the half step is made; it returns a `local_pull` toward a target, done in the pass of the half step.
///  9. Optional: `m.model(ctx, state)` is the vector whose mean over the workers is the model to evaluate, and
///     `m.model_name()` says what that is; without it these are the parameters, and "average of all workers".

/// x_half <- x_half + strength (target - x_half): what a mixing rule does to a local step. strength = 0: nothing.
template <class Space, class T>
struct local_pull {
  double strength = 0.0;
  view<Space, const T> target;
};

namespace detail {

/// One fused pass: `element` over `streams…` and the observer's own streams behind them.
template <class Context, class Element, class Tuple, class... Streams>
void map_observed(Context& ctx, const Element& element, const Tuple& observed, Streams... streams) {
  std::apply([&](auto... more) { ctx.backend.map(ctx.params.size(), element, streams..., more...); }, observed);
}

/// A local pull takes a share of the way, less than all of it.
inline void check_proximal(const char* what, double proximal) {
  require<config_error>(proximal >= 0.0 && proximal < 1.0, what, ": proximal is ", proximal, " but must be in [0, 1)");
}

/// Numbers that stand together in the parameter vector.
struct segment {
  std::size_t offset = 0;
  std::size_t size = 0;
};
/// The tensors of a layout, or all of it as one segment.
[[nodiscard]] inline std::vector<segment> segments_of(const layout& tensors, bool per_tensor) {
  if (!per_tensor) return {{0, tensors.size()}};
  std::vector<segment> parts;
  for (const tensor_info& tensor : tensors.tensors()) {
    if (tensor.size() != 0) parts.push_back({tensor.offset, tensor.size()});
  }
  return parts;
}

template <access Access, class Space, class T>
[[nodiscard]] stream<Access, Space, T> part_of(const stream<Access, Space, T>& whole, segment s) {
  return {whole.data + s.offset, s.size};
}
/// The same pass as `map_observed` over one segment of the streams.
template <class Context, class Element, class Tuple, class... Streams>
void map_part(Context& ctx, segment s, const Element& element, const Tuple& observed, Streams... streams) {
  std::apply([&](auto... more) { ctx.backend.map(s.size, element, part_of(streams, s)..., part_of(more, s)...); },
             observed);
}

}  // namespace detail
}  // namespace polder
