// polder — EASGD: elastic averaging.
#pragma once

#include <cstdint>

#include "polder/gradient/plain.hpp"
#include "polder/mixing/elastic_center.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `easgd`.
struct easgd_options {
  std::uint64_t tau = 4;        ///< local steps per round, >= 1
  double alpha = 0.1;           ///< EASGD's beta in [0, 2): the center's pull; workers are pulled by alpha / M
  bool server = false;          ///< the center lives on worker 0: twice the numbers, the same bits
  mixed of = mixed::half_step;  ///< or before_step, the synchronous textbook form
  double beta = 0.9;            ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;    ///< coupled, >= 0
  double clip_norm = 0.0;       ///< 0: none
};

/// EASGD: tau local steps, then every worker goes a little toward an elastic center, and the center toward the workers.
///
///     x_m <- x_m - (alpha / M) (x_m - z),    z <- z + alpha (1/M) sum_m (x_m - z)        both from the old x and z
///
/// The elastic force does not enter the momentum. The model to evaluate is z.
///
/// Cost: 1 gradient evaluation per step; 2 (M - 1) / M n numbers per worker and round; 2 n numbers of state.
/// Source: Zhang, Choromanska, LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015; with the defaults tau = 4
/// and 0.1 of the sample script of GRAWA. Departures: those of elastic_center; synchronous.
[[nodiscard]] inline auto easgd(easgd_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{o.tau, pull_push_toward<elastic_center>{
                                    .pull = {.server = o.server, .of = o.of}, .alpha = o.alpha, .lambda = 0.0}}};
}

}  // namespace polder::recipes
