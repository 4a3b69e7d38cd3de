// polder — a run stops at the first number that is not finite.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "polder/core/error.hpp"
#include "polder/core/view.hpp"
#include "polder/objective/late_loss.hpp"

namespace polder {

/// Stops the run if a number that a rule has just computed is not finite. On devices the number stays where it is and the
/// loss of the next step tells.
template <class Context>
void require_finite(const Context& ctx, const double* squared_norm) {
  if constexpr (std::is_same_v<typename Context::space, host_space>) {
    require<non_finite_error>(std::isfinite(*squared_norm), "worker ", ctx.comm.rank(), ", step ", ctx.step,
                              ": the squared norm of the gradient is ", *squared_norm,
                              "; lower the learning rate or clip the gradient (clip_norm)");
  }
}

namespace detail {
inline void require_finite_number(int worker, std::uint64_t step, double loss, std::string_view which = "the loss",
                                  const char* remedy = "") {
  require<non_finite_error>(std::isfinite(loss), "worker ", worker, ", step ", step, ": ", which, " is ", loss, "; ",
                            remedy, "lower the learning rate or clip the gradient (clip_norm)");
}
}  // namespace detail

// A loss that is still on its way is not waited for: the worker looks at it one step later.

/// Stops the run if the loss of a step is not finite.
template <class Context, class Loss>
void require_finite_loss(const Context& ctx, const Loss& loss) {
  if (is_here(loss)) detail::require_finite_number(ctx.comm.rank(), ctx.step, loss);
}
/// Stops the run if the loss at the ascent point of a step is not finite: its gradient would spread to the neighbors.
template <class Context, class Loss>
void require_finite_ascent(const Context& ctx, const Loss& loss) {
  if (is_here(loss)) {
    detail::require_finite_number(ctx.comm.rank(), ctx.step, loss, "the loss uphill", "lower rho, ");
  }
}
/// Stops the run if the loss at a neighbor's parameters is not finite.
template <class Context, class Loss>
void require_finite_cross(const Context& ctx, int neighbor, const Loss& loss) {
  if (!is_here(loss) || std::isfinite(static_cast<double>(loss))) return;
  detail::require_finite_number(ctx.comm.rank(), ctx.step, loss,
                                text("the loss at the parameters of worker ", neighbor));
}
/// The same for the losses with the tickets [first, end) of one step, which have come late.
inline void require_finite_losses(const late_losses& losses, std::uint64_t first, std::uint64_t end, int worker,
                                  std::uint64_t step) {
  for (std::uint64_t ticket = first; ticket < end; ++ticket) {
    detail::require_finite_number(
        worker, step, losses.wait_for(ticket),
        ticket == first ? "the loss" : "a loss uphill, at a neighbor's parameters or of the probe batch");
  }
}

}  // namespace polder
