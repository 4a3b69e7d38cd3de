// polder — a run stops at the first number that is not finite.
#pragma once

#include <cmath>
#include <type_traits>

#include "polder/core/error.hpp"
#include "polder/core/view.hpp"

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

/// Stops the run if the loss of a step is not finite.
template <class Context>
void require_finite_loss(const Context& ctx, double loss) {
  require<non_finite_error>(std::isfinite(loss), "worker ", ctx.comm.rank(), ", step ", ctx.step, ": the loss is ",
                            loss, "; lower the learning rate or clip the gradient (clip_norm)");
}

/// Stops the run if the loss at the ascent point of a step is not finite: its gradient would spread to the neighbors.
template <class Context>
void require_finite_ascent(const Context& ctx, double loss) {
  require<non_finite_error>(std::isfinite(loss), "worker ", ctx.comm.rank(), ", step ", ctx.step,
                            ": the loss uphill is ", loss,
                            "; lower rho, lower the learning rate or clip the gradient "
                            "(clip_norm)");
}

}  // namespace polder
