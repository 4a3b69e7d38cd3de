// polder — LSGD: follow the leader.
#pragma once

#include <cstdint>

#include "polder/gradient/plain.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `lsgd`.
struct lsgd_options {
  std::uint64_t tau = 4;      ///< local steps per round, >= 1
  double alpha = 0.1;         ///< pull toward the leader at a round, in (0, 2)
  double proximal = 0.1;      ///< pull toward the last leader in the tau local steps together, in [0, tau)
  std::uint64_t window = 10;  ///< minibatches of the loss that chooses the leader, >= 1
  double beta = 0.9;          ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< 0: none
};

/// LSGD: the worker with the lowest running loss leads; all are pulled to where it is.
///
///     x_m <- x_m - eta u_m,   x_m <- x_m - (proximal / tau) (x_m - l)        tau times; l: the leader of the last round
///     l = x_j,  j = argmin_k F_k,     x_m <- x_m - alpha (x_m - l)
///
/// The leader is pulled to itself. The model to evaluate is the mean of all workers, not the leader.
///
/// Cost: 1 gradient evaluation per step; in a round n numbers from the leader and 8 bytes from each worker to everyone; 2 n
/// numbers of state.
/// Source: Teng et al., "Leader Stochastic Gradient Descent for Distributed Training of Deep Learning Models",
/// arXiv:1905.10395, and the authors' code, with its defaults. Departures: those of leader.
[[nodiscard]] inline auto lsgd(lsgd_options o = {}) {
  const double proximal = o.tau == 0 ? 0.0 : o.proximal / static_cast<double>(o.tau);
  return algorithm{
      plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
      every{o.tau, pull_push_toward<leader>{
                       .pull = {.window = o.window, .proximal = proximal}, .alpha = o.alpha, .lambda = 0.0}}};
}

}  // namespace polder::recipes
