// polder — post-local SGD, and SWAP.
#pragma once

#include <cstdint>

#include "polder/core/error.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/average.hpp"
#include "polder/mixing/every.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `post_local_sgd` and `swap`.
struct post_local_sgd_options {
  std::uint64_t start = 0;    ///< steps with an average after each
  std::uint64_t tau = 16;     ///< then local steps per round, >= 1
  double beta = 0.9;          ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< 0: none
};

/// Post-local SGD: an average after each of the first `start` steps, then Local SGD with period tau.
///
///     x_m <- (1/M) sum_k x_k       after step t = 1, …, start, and then after every tau steps
///
/// The authors switch to tau = 16 or 32 at the first drop of the learning rate. In the first phase parameters are averaged
/// with local momentum, which is synchronous data-parallel SGD.
///
/// Cost: as local_sgd. Source: Lin, Stich, Patel, Jaggi, "Don't Use Large Mini-Batches, Use Local SGD", ICLR 2020.
/// Departures: the second phase's first average comes after tau of its steps.
[[nodiscard]] inline auto post_local_sgd(post_local_sgd_options o = {}) {
  require<config_error>(o.tau >= 1, "post_local_sgd: tau is 0 but a round has at least 1 step; see swap");
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{post_local{o.start, o.tau}, average{}}};
}

/// SWAP (stochastic weight averaging in parallel): synchronous steps, then each worker alone, one average at the end.
///
///     x_m <- (1/M) sum_k x_k       after step t = 1, …, start, and after the last step of the run
///
/// tau is not used. Needs the length of the run (total_steps of the worker).
///
/// Cost: 1 gradient evaluation per step; 2 (M - 1) / M n numbers for each average. Source: Gupta, Serrano, DeCoste,
/// "Stochastic Weight Averaging in Parallel", ICLR 2020. Departures: the first phase ends after a number of steps, not at a
/// training accuracy, and both phases have the worker's batch and learning rate schedule.
[[nodiscard]] inline auto swap(post_local_sgd_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{post_local{o.start, 0}, average{}}};
}

}  // namespace polder::recipes
