// polder — synchronous data-parallel SGD.
#pragma once

#include "polder/gradient/plain.hpp"
#include "polder/mixing/none.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/all_reduce_mean.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `ddp_sgd`.
struct ddp_sgd_options {
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< of the mean gradient; 0: none
};

/// Synchronous data-parallel SGD: one model, the gradient of everybody's minibatches.
///
///     G = (1/M) sum_m g_m(x) + wd x,     x <- x - eta update(G)          the same on every worker
///
/// `ddp_sgd({}, momentum{})` has heavy-ball momentum: programs that compare local methods with Nesterov momentum often have
/// it without in this baseline, and the other way round.
///
/// Cost: 1 gradient evaluation and 2 (M - 1) / M n numbers per worker and step; n numbers of state.
/// Source: the common baseline. Departures: `all_reduce` averages parameters instead, which is the same up to rounding.
template <class Update = nesterov>
[[nodiscard]] auto ddp_sgd(ddp_sgd_options o = {}, Update update = {}) {
  return algorithm{plain{}, chain{all_reduce_mean{}, clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, update},
                   none{}};
}

}  // namespace polder::recipes
