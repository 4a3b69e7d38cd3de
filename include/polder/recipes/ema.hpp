// polder — an exponential moving average of what training holds.
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

/// Parameters of `ema`.
struct ema_options {
  double decay = 0.99;        ///< what a round leaves of the average, in [0, 1); 0: the last round's model
  std::uint64_t tau = 1;      ///< local steps per round, >= 1: per average of the workers and of time
  double beta = 0.9;          ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< 0: none
};

/// EMA: Local SGD (tau = 1: synchronous SGD), evaluated at an exponential moving average of its models.
///
///     x_ema <- decay x_ema + (1 - decay) x      after every round, beginning with the first one's x
///
/// Training does not feel it. The average remembers about 1 / (1 - decay) rounds.
///
/// Cost: as local_sgd; n numbers of state more, and 12 bytes per float32 parameter a round. Source: by definition.
[[nodiscard]] inline auto ema(ema_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   averaged_in_time{polder::ema{o.decay}, every{o.tau, average{}}}};
}

}  // namespace polder::recipes
