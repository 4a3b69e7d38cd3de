// polder — GRAWA: averages in which small gradients weigh more.
#pragma once

#include <cstdint>

#include "polder/gradient/plain.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `mgrawa` and `lgrawa`.
struct grawa_options {
  std::uint64_t tau = 32;      ///< local steps per round, >= 1
  double alpha = 0.5;          ///< pull toward the weighted average, in (0, 2)
  double proximal = 0.01;      ///< pull toward the last weighted average in the tau local steps together, in [0, tau)
  double memory = 0.43046721;  ///< of the gradient norms, in [0, 1); 0.9^8
  double beta = 0.9;           ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;   ///< coupled, >= 0
  double clip_norm = 0.0;      ///< 0: none
};

namespace detail {
[[nodiscard]] inline auto grawa(const grawa_options& o, weights_per per) {
  const double proximal = o.tau == 0 ? 0.0 : o.proximal / static_cast<double>(o.tau);
  return algorithm{
      plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
      every{o.tau,
            pull_push_toward<gradient_weighted>{
                .pull = {.per = per, .memory = o.memory, .proximal = proximal}, .alpha = o.alpha, .lambda = 0.0}}};
}
}  // namespace detail

/// MGRAWA: tau local steps, then a pull toward the average of the workers weighted by the inverse of their gradient norms.
///
///     x_m <- x_m - eta u_m,   x_m <- x_m - (proximal / tau) (x_m - x_C)      tau times; x_C of the last round
///     x_C = sum_k w_k x_k,   w_k proportional to 1 / s_k,     x_m <- x_m - alpha (x_m - x_C)
///
/// s: see gradient_weighted. The model to evaluate is the plain mean of all workers.
///
/// Cost: 1 gradient evaluation per step and one more per round; 2 (M - 1) / M n numbers per worker and round and 8 bytes
/// from each to everyone; 3 n numbers of state and scratch.
/// Source: Dimlioglu, Choromanska, "GRAWA: Gradient-based Weighted Averaging for Distributed Training of Deep Learning
/// Models", AISTATS 2024, and the authors' code, with the values of its sample script. Departures: those of
/// gradient_weighted.
[[nodiscard]] inline auto mgrawa(grawa_options o = {}) { return detail::grawa(o, weights_per::model); }

/// LGRAWA: MGRAWA with a weight for each parameter tensor of each worker. Sends 8 L bytes for L tensors.
[[nodiscard]] inline auto lgrawa(grawa_options o = {}) { return detail::grawa(o, weights_per::tensor); }

}  // namespace polder::recipes
