// polder — Q-SADDLe: quasi-global momentum on sharpness-aware gradients.
#pragma once

#include "polder/gradient/sam.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/quasi_global_momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `q_saddle`.
struct q_saddle_options {
  double rho = 0.05;               ///< SAM radius >= 0; 0 is QGM, bit for bit
  double beta = 0.9;               ///< momentum in [0, 1)
  double mu = 0.9;                 ///< memory of the quasi-global buffer in [0, 1)
  bool nesterov = true;            ///< form of the momentum
  double weight_decay = 0.0;       ///< coupled, >= 0; added after the ascent, never part of it
  double gamma = 1.0;              ///< consensus step in (0, 1]
  double clip_norm = 0.0;          ///< of the SAM gradient; 0: none
  bool force_second_pass = false;  ///< evaluate twice although rho is 0 (for tests and timings)
};

/// Q-SADDLe: QGM whose gradients are SAM gradients of the worker's own minibatch.
///
///     e_i = rho g_i / ||g_i||,    g~_i = gradient at x_i + e_i on the same minibatch
///     G = g~_i + wd x_i,    m = beta m^_i + G,    x_i_half = x_i - eta (G + beta m)
///     x_i+ = sum_j w_ij x_j_half
///     m^_i <- mu m^_i + (1 - mu) (x_i - x_i+) / eta
///
/// Cost per step: 2 gradient evaluations; n numbers to each neighbor (the perturbation is never sent); n numbers of state.
/// Source: Choudhary, Aketi, Roy, "SADDLe: Sharpness-Aware Decentralized Deep Learning with Heterogeneous Data",
/// arXiv:2405.13961. Departures: composed from the description in the abstract (SAM in the local gradient of QGM); the
/// order of weight decay and ascent follows the SAM authors.
[[nodiscard]] inline auto q_saddle(q_saddle_options o = {}) {
  return algorithm{
      sam{o.rho, o.force_second_pass},
      chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, quasi_global_momentum{o.beta, o.mu, o.nesterov}},
      gossip{o.gamma}};
}

}  // namespace polder::recipes
