// polder — the objective: what a worker minimizes.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <type_traits>

#include "polder/core/view.hpp"

namespace polder {

namespace detail {
/// What an objective is handed: a std::span on the host, a view of device memory elsewhere.
template <class Space, class T>
using argument = std::conditional_t<std::is_same_v<Space, host_space>, std::span<T>, view<Space, T>>;
}  // namespace detail

/// objective — obligations of an objective `f` of type F over parameters of type T in memory `Space` (spans on the host):
///
///  1. `f.loss_and_gradient(x, g)` returns the loss on *one* minibatch at x and overwrites g with its gradient. Both
///     have the same size; g holds rubbish before; x must not be changed.
///  2. Until the next `select_batch` it is a pure function of x: sharpness-aware minimization calls it twice on the
///     same minibatch, cross-gradients at a neighbor's parameters.
///  3. Optional: `f.select_batch(step)` chooses the minibatch of that local step, as a function of the step (and of
///     what the objective knows: seed, worker), so that a resumed run sees the same data.
///  4. Optional: `f.layout()` returns the table of tensors; without it the parameters are one vector.
///  5. Optional: `f.select_probe(step)` chooses another minibatch, of all workers' data, for a measurement at the end of
///     that local step (the gradient-norm weights of GRAWA); the minibatch of the step is then no longer needed.
///  6. Weight decay is not part of the loss: it is an update rule, so that it stays out of SAM's ascent direction.
template <class F, class Space, class T>
concept objective = requires(const F f, detail::argument<Space, const T> x, detail::argument<Space, T> g) {
  { f.loss_and_gradient(x, g) } -> std::convertible_to<double>;
};

/// Refinement: an objective that draws a minibatch for each step.
template <class F>
concept minibatch_objective = requires(F f, std::uint64_t step) { f.select_batch(step); };

}  // namespace polder
