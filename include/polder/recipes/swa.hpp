// polder — stochastic weight averaging.
#pragma once

#include <cstdint>

#include "polder/gradient/plain.hpp"
#include "polder/mixing/average.hpp"
#include "polder/mixing/averaged_in_time.hpp"
#include "polder/mixing/every.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `swa`.
struct swa_options {
  std::uint64_t start = 1;     ///< step after which the first sample is taken, >= 1
  std::uint64_t interval = 1;  ///< steps between samples, >= 1
  std::uint64_t tau = 1;       ///< local steps per average of the workers, >= 1
  double beta = 0.9;           ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;   ///< coupled, >= 0
  double clip_norm = 0.0;      ///< 0: none
};

/// SWA: Local SGD (tau = 1: synchronous SGD), evaluated at the average of its models in time.
///
///     x_swa <- x_swa + (x - x_swa) / (n + 1)      after steps start, start + interval, …, for n = 0, 1, … samples
///
/// Training does not feel it. The learning rate that belongs to it is learning_rate::shape::swa.
///
/// Cost: as local_sgd; n numbers of state more. Source: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, UAI 2018.
/// Departures: start and interval are counted in steps.
[[nodiscard]] inline auto swa(swa_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   averaged_in_time{polder::swa{o.start, o.interval}, every{o.tau, average{}}}};
}

}  // namespace polder::recipes
