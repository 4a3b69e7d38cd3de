// polder — where a pull goes: what the pulls have in common, and the plainest of them, the average.
#pragma once

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/layout.hpp"

namespace polder {

/// How a pull knows its target.
enum class pull_time {
  at_once,  ///< it is the average, which the push needs as well
  elastic,  ///< it is remembered, and follows the average
  later     ///< it is communicated for itself
};

/// pull — obligations of a pull `p` of `pull_push_toward`:
///
///  1. `p.template init<T>(backend, layout)` returns its state by value; `state.visit(v)` visits what a checkpoint holds.
///  2. `P::when` is a pull_time. `p.strength(alpha, workers)` is the share of x_m - x_C that a round takes away.
///     `P::may_rest`: alpha = 0 has a meaning. `P::target_rounds`: the target of equal workers may differ from them by
///     rounding also in float.
///  3. `p.check_push(from_average, exact)` throws config_error for a push that it cannot have.
///  4. `pull_time::later`: `p.target(ctx, state)` returns x_C, the same on every worker, valid until `comm.release()`.
///  5. Optional, as for mixing rules: `begin`, `local_step`, `model` and `model_name`.

/// Toward the average of the workers, x_C = x_A.
struct the_average {
  static constexpr pull_time when = pull_time::at_once;
  static constexpr bool may_rest = false;
  static constexpr bool target_rounds = false;

  struct state {
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state init(const B&, const layout&) const {
    return {};
  }
  [[nodiscard]] static constexpr double strength(double alpha, int /*workers*/) { return alpha; }
  static constexpr void check_push(bool /*from_average*/, bool /*exact*/) {}
};

}  // namespace polder
