// polder — exact averaging at every step: the upper bound of the decentralized methods.
#pragma once

#include "polder/gradient/plain.hpp"
#include "polder/mixing/average.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `all_reduce`.
struct all_reduce_options {
  double beta = 0.9;          ///< Nesterov momentum in [0, 1)
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< of each worker's own gradient; 0: none
};

/// Synchronous SGD with Nesterov momentum, written as an exact average of the parameters at every step. Momentum and
/// decay are linear in the gradients, so this equals the average of the gradients up to rounding (without clipping).
///
///     G = g_m(x) + wd x,    v_m <- beta v_m + G,    x <- (1/M) sum_m (x - eta (G + beta v_m))
///
/// Cost per step: 1 gradient evaluation; 2 (M - 1) / M n numbers per worker; n numbers of state (v).
/// Source: the common data-parallel baseline. Departures: parameters are averaged instead of gradients.
[[nodiscard]] inline auto all_reduce(all_reduce_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}}, average{}};
}

}  // namespace polder::recipes
