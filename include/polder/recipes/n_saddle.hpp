// polder — N-SADDLe: sharpness-aware cross-gradients.
#pragma once

#include "polder/gradient/cross_gradients.hpp"
#include "polder/gradient/sam.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `n_saddle`.
struct n_saddle_options {
  double rho = 0.05;               ///< SAM radius >= 0; 0 is NGM, bit for bit
  bool plain_cross = false;        ///< only the own gradient is a SAM gradient: K evaluations less
  double weight_decay = 0.0;       ///< coupled, >= 0; added after the mean, never part of the ascent
  double gamma = 1.0;              ///< consensus step in (0, 1]
  double clip_norm = 0.0;          ///< of the mean; 0: none
  mixed of = mixed::before_step;   ///< half_step: adapt then combine, one more vector to each neighbor
  bool force_second_pass = false;  ///< evaluate twice although rho is 0 (for tests and timings)
};

/// N-SADDLe: NGM whose gradients are SAM gradients, each of its own pair of model and minibatch:
///
///     g~_ij = gradient of worker i's minibatch at x_j + rho g_ij / ||g_ij||        (also for j = i)
///     G = w_ii g~_ii + sum_j w_ij g~_ji + wd x_i,    m_i <- beta m_i + G
///     x_i+ = sum_j w_ij x_j - eta (G + beta m_i)
///
/// `update` is what makes the update of G: nesterov (default), momentum, quasi_global_momentum.
///
/// Cost per step with K neighbors: 2 (1 + K) gradient evaluations (2 + K with plain_cross); 2 n numbers to each neighbor;
/// n numbers of state for the momentum and (1 + K) n for the gradients.
/// Source: Choudhary, Aketi, Roy, "SADDLe: Sharpness-Aware Decentralized Deep Learning with Heterogeneous Data",
/// arXiv:2405.13961. Departures: composed from the description (SAM in the local gradients of NGM); which gradients are
/// SAM gradients, and the order of mixing and step, are choices of this library.
template <class Update = nesterov>
[[nodiscard]] auto n_saddle(n_saddle_options o = {}, Update update = {}) {
  return algorithm{cross_gradients<sam>{.inner = sam{o.rho, o.force_second_pass}, .plain_cross = o.plain_cross},
                   chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, update}, gossip{o.gamma, o.of}};
}

}  // namespace polder::recipes
