// polder — synchronous data-parallel SAM.
#pragma once

#include "polder/gradient/sam.hpp"
#include "polder/mixing/none.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/all_reduce_mean.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `ddp_sam`.
struct ddp_sam_options {
  double rho = 0.05;                    ///< radius, >= 0; 0 is ddp_sgd, bit for bit
  sam_scope scope = sam_scope::worker;  ///< whose gradient says where uphill is
  double weight_decay = 0.0;            ///< coupled, >= 0
  double clip_norm = 0.0;               ///< of the mean gradient; 0: none
};

/// Synchronous data-parallel SAM, with the perturbation of each worker's own minibatch or of all.
///
///     scope = worker        e_m = rho g_m / ||g_m||
///     scope = all_workers   e_m = rho G / ||G||,    G = (1/M) sum_m g_m(x)
///     x <- x - eta update((1/M) sum_m g_m(x + e_m) + wd x)          the same on every worker
///
/// Cost: 2 gradient evaluations per step; 2 (M - 1) / M n numbers per worker and step, twice that for all_workers.
/// Source: Foret, Kleiner, Mobahi, Neyshabur, ICLR 2021 (scope worker is its parallel version). Departures: none known.
template <class Update = nesterov>
[[nodiscard]] auto ddp_sam(ddp_sam_options o = {}, Update update = {}) {
  return algorithm{sam{.rho = o.rho, .scope = o.scope},
                   chain{all_reduce_mean{}, clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, update}, none{}};
}

}  // namespace polder::recipes
