// polder — SlowMo: slow momentum over Local SGD.
#pragma once

#include <cstdint>

#include "polder/gradient/plain.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/outer.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `slow_mo`.
struct slow_mo_options {
  std::uint64_t tau = 3;        ///< local steps per average, >= 1
  std::uint64_t averages = 16;  ///< averages per slow step, >= 1
  double slow_beta = 0.5;       ///< slow momentum in [0, 1)
  double slow_alpha = 1.0;      ///< slow learning rate in (0, 2)
  double beta = 0.9;            ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;    ///< coupled, >= 0
  double clip_norm = 0.0;       ///< 0: none
};

/// SlowMo: Local SGD whose averages, every so often, are taken as a gradient with momentum.
///
///     after every tau steps           x_m <- x_A
///     with every averages-th of these b <- slow_beta b + (x_o - x_A) / eta,   x_o <- x_o - slow_alpha eta b,   x_m <- x_o
///
/// eta is the learning rate of the last step. slow_beta = 0 and slow_alpha = 1 is Local SGD, bit for bit.
///
/// Cost: 1 gradient evaluation per step; 2 (M - 1) / M n numbers per worker and average; 3 n numbers of state.
/// Source: Wang, Tantia, Ballas, Rabbat, ICLR 2020, with the defaults of a public implementation (slow step after 48 local
/// ones). Departures: none known.
[[nodiscard]] inline auto slow_mo(slow_mo_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{o.tau, outer{polder::slow_mo{o.slow_beta, o.slow_alpha}, o.averages}}};
}

}  // namespace polder::recipes
