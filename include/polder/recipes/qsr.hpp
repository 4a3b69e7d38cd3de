// polder — Local SGD with the quadratic synchronization rule.
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

/// Parameters of `qsr`.
struct qsr_options {
  double alpha = 0.02;           ///< a learning rate: where eta reaches alpha / sqrt(tau), rounds have tau steps
  int power = 2;                 ///< 1, 2 or 3
  std::uint64_t tau = 4;         ///< least local steps per round, >= 1
  std::uint64_t warmup_tau = 0;  ///< while the learning rate warms up; 0: tau
  double beta = 0.9;             ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;     ///< coupled, >= 0
  double clip_norm = 0.0;        ///< 0: none
};

/// Local SGD with QSR: rounds grow longer while the learning rate falls.
///
///     tau_k = max(tau, floor((alpha / eta)^2)),     x_m <- (1/M) sum_k x_k after each round
///
/// The rounds change right after an average, and the last one ends with the run, whose length must be known.
///
/// Cost: as local_sgd, averages only at the end of rounds. Source: Gu, Lyu, Arora, Zhang, Huang, "A Quadratic
/// Synchronization Rule for Distributed Deep Learning", ICLR 2024. Departures: alpha = 0.02 is a default of this library; it
/// has to be chosen for the learning rate.
[[nodiscard]] inline auto qsr(qsr_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{polder::qsr{o.alpha, o.power, o.tau, o.warmup_tau}, average{}}};
}

}  // namespace polder::recipes
