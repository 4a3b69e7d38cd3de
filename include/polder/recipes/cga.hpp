// polder — CGA: cross-gradients put together by a quadratic program.
#pragma once

#include "polder/gradient/cross_gradients.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `cga`.
struct cga_options {
  double weight_decay = 0.0;             ///< coupled, >= 0; added after the program
  double gamma = 1.0;                    ///< consensus step in (0, 1]
  double clip_norm = 0.0;                ///< of the program's result; 0: none
  mixed of = mixed::before_step;         ///< half_step: adapt then combine, one more vector to each neighbor
  self_point own = self_point::unmixed;  ///< mixed: the own gradient at W_gamma x
};

/// CGA: local momentum on a direction that agrees with the gradients of all neighbors' data. With g_ji the gradient of
/// worker j's minibatch at x_i, for each tensor with b = w_ii g_ii and rows M_j = w_ij g_ji (zero rows dropped):
///
///     v = argmin over v >= 1/2 of 1/2 v^T (M M^T + 1e-12 I) v + v^T M b
///     G = b + M^T v + wd x_i,    m_i <- beta m_i + G
///     x_i+ = sum_j w_ij x_j - eta (G + beta m_i)
///
/// `update` is what makes the update of G: nesterov (default), momentum, quasi_global_momentum. G is shorter than a mean
/// (2/3 of it on a ring where all agree), so learning rates do not carry over from NGM.
///
/// Cost per step with K neighbors: 1 + K gradient evaluations and a program of size K for each tensor; 2 n numbers to
/// each neighbor; n numbers of state for the momentum and (1 + K) n for the gradients.
/// Source: cross-gradient aggregation in the authors' code (yasesf93/CrossGradientAggregation). Departures: that program
/// is a simulation, in which workers read each other's minibatches; here gradients are exchanged. Projected coordinate
/// descent solves the program, so there is no failure for which an earlier solution would be needed.
template <class Update = nesterov>
[[nodiscard]] auto cga(cga_options o = {}, Update update = {}) {
  return algorithm{cross_gradients<plain>{.by = cross_aggregate::quadratic_program, .own = o.own},
                   chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, update}, gossip{o.gamma, o.of}};
}

}  // namespace polder::recipes
