// polder — DPPF: distributed pull-push force.
#pragma once

#include <cstdint>

#include "polder/core/schedule.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `dppf`.
struct dppf_options {
  std::uint64_t tau = 4;  ///< local steps per round, >= 1
  double alpha = 0.1;     ///< pull in (0, 2)
  double lambda = 0.5;    ///< push >= 0, a length in parameter space; 0 is SimpleAvg, bit for bit
  push_schedule schedule = push_schedule::fixed;  ///< of the push over the rounds
  bool exact_push = false;                        ///< costs a second all-reduce; see pull_push
  std::uint64_t start_round = 0;                  ///< no push before it
  double beta = 0.9;                              ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;                      ///< coupled, >= 0
  double clip_norm = 0.0;                         ///< 0: none
  bool per_tensor = false;                        ///< a distance and a push for each tensor
  push_reference from = push_reference::average;  ///< or the target of the pull
};

/// DPPF: local SGD whose workers keep a controlled distance.
///
///     tau local steps as in local_sgd, then with x_A = (1/M) sum_k x_k, d_m = x_m - x_A, r_m = ||d_m||:
///     x_m <- x_m - alpha (x_m - x_C) + lambda d_m / r_m
///
/// x_C is x_A unless another pull is given: elastic_center{} (alpha is then EASGD's beta, and workers are pulled by
/// alpha / M), leader{}, gradient_weighted{}. The gaps, and so the valley width, do not depend on the pull's target.
///
/// A synchronization rule as third argument takes the place of tau: qsr{.alpha = 0.02}, …
///
/// Where curvature, weight decay and learning rate do not matter, the valley width (1/M) sum r_m tends to lambda / alpha;
/// at a finite learning rate they make it narrower.
///
/// Cost: 1 gradient evaluation per step; 2 (M - 1) / M n numbers per worker and round, as Local SGD, and what another pull
/// sends; n numbers of state, and the pull's.
/// Source: Dimlioglu, Choromanska, "Communication-Efficient Distributed Training for Collaborative Flat Optima Recovery in
/// Deep Learning", UAI 2026. Departures: those of pull_push.
template <class Pull = the_average, class Period = constant_period>
[[nodiscard]] auto dppf(dppf_options o = {}, Pull pull = {}, Period period = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{polder::detail::period_of(o.tau, period), pull_push_toward<Pull>{.pull = pull,
                                                                                          .alpha = o.alpha,
                                                                                          .lambda = o.lambda,
                                                                                          .schedule = o.schedule,
                                                                                          .exact_push = o.exact_push,
                                                                                          .start_round = o.start_round,
                                                                                          .per_tensor = o.per_tensor,
                                                                                          .from = o.from}}};
}

}  // namespace polder::recipes
