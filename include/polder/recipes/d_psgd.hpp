// polder — D-PSGD: decentralized parallel SGD.
#pragma once

#include "polder/gradient/plain.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `d_psgd`.
struct d_psgd_options {
  double weight_decay = 0.0;  ///< coupled, >= 0
  double gamma = 1.0;         ///< consensus step in (0, 1]
  double clip_norm = 0.0;     ///< 0: none
};

/// D-PSGD, adapt then combine: a local step, then one average with the neighbors.
///
///     x_i_half = x_i - eta (g_i(x_i) + wd x_i)
///     x_i+     = sum_j w_ij x_j_half
///
/// Cost per step: 1 gradient evaluation; n numbers to each neighbor; no state besides the parameters.
/// Source: Lian, Zhang, Zhang, Hsieh, Zhang, Liu, "Can Decentralized Algorithms Outperform Centralized Algorithms? A Case
/// Study for Decentralized Parallel Stochastic Gradient Descent", NeurIPS 2017.
/// Departures: the paper mixes while the gradient is computed (combine, then adapt); the order here is the one that later
/// comparisons use. `gossip{.of = mixed::before_step}` gives the paper's.
[[nodiscard]] inline auto d_psgd(d_psgd_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}}, gossip{o.gamma}};
}

}  // namespace polder::recipes
