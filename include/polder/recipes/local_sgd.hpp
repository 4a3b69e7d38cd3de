// polder — Local SGD: average all workers every tau steps.
#pragma once

#include <cstdint>

#include "polder/gradient/plain.hpp"
#include "polder/mixing/average.hpp"
#include "polder/mixing/every.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `local_sgd`.
struct local_sgd_options {
  std::uint64_t tau = 4;      ///< local steps per round, >= 1
  double alpha = 1.0;         ///< pull: 1 is Local SGD, below it SimpleAvg
  double beta = 0.9;          ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< 0: none
};

/// Local SGD (alpha = 1) and SimpleAvg (alpha < 1): tau local steps, then a pull toward the average of all workers.
///
///     G = g_m(x_m) + wd x_m,    v_m <- beta v_m + G,    x_m <- x_m - eta (G + beta v_m)        tau times
///     x_m <- (1 - alpha) x_m + alpha (1/M) sum_k x_k
///
/// A synchronization rule as second argument takes the place of tau: loss_adaptive{}, drift_triggered{}, …
/// With tau = 1 and alpha = 1 this is synchronous data-parallel SGD: the update is linear in the gradients.
///
/// Cost: 1 gradient evaluation per step; 2 (M - 1) / M n numbers per worker and round; n numbers of state (v).
/// Source: McMahan et al., AISTATS 2017; Stich, ICLR 2019; Lin, Stich, Patel, Jaggi, "Don't Use Large Mini-Batches, Use
/// Local SGD", ICLR 2020. Departures: the first average comes after tau steps, not after the first.
template <class Period = constant_period>
[[nodiscard]] auto local_sgd(local_sgd_options o = {}, Period period = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{polder::detail::period_of(o.tau, period), average{o.alpha}}};
}

}  // namespace polder::recipes
