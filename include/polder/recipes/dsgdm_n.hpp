// polder — DSGDm-N: decentralized SGD with local Nesterov momentum.
#pragma once

#include "polder/gradient/plain.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `dsgdm_n`.
struct dsgdm_n_options {
  double beta = 0.9;          ///< momentum in [0, 1)
  double weight_decay = 0.0;  ///< coupled, >= 0
  double gamma = 1.0;         ///< consensus step in (0, 1]
  double clip_norm = 0.0;     ///< 0: none
};

/// DSGDm-N: D-PSGD whose local step has Nesterov momentum; the momentum is never communicated.
///
///     G = g_i(x_i) + wd x_i,    m_i <- beta m_i + G,    x_i_half = x_i - eta (G + beta m_i)
///     x_i+ = sum_j w_ij x_j_half
///
/// Cost per step: 1 gradient evaluation; n numbers to each neighbor; n numbers of state (m).
/// Source: the baseline "DSGDm-N" of Lin, Karimireddy, Stich, Jaggi, "Quasi-Global Momentum", ICML 2021.
/// Departures: none.
[[nodiscard]] inline auto dsgdm_n(dsgdm_n_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   gossip{o.gamma}};
}

}  // namespace polder::recipes
