// polder — DiLoCo: long rounds, and Nesterov momentum on what they did.
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

/// Parameters of `diloco`.
struct diloco_options {
  std::uint64_t tau = 500;    ///< local steps per round, >= 1
  double outer_lr = 0.7;      ///< in (0, 2)
  double outer_beta = 0.9;    ///< in [0, 1)
  double beta = 0.9;          ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< 0: none
};

/// DiLoCo: many local steps, then one outer step of Nesterov momentum.
///
///     g = x_o - (1/M) sum_m x_m,    b <- outer_beta b + g,    x_o <- x_o - outer_lr (g + outer_beta b),    x_m <- x_o
///
/// outer_beta = 0 and outer_lr = 1 is Local SGD, bit for bit.
///
/// Cost: 1 gradient evaluation per step; 2 (M - 1) / M n numbers per worker and round; 3 n numbers of state.
/// Source: Douillard et al., arXiv:2311.08105, with the outer values of a public implementation. Departures: the inner
/// optimizer is Nesterov momentum (there: AdamW).
[[nodiscard]] inline auto diloco(diloco_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{o.tau, outer{polder::diloco{o.outer_lr, o.outer_beta}}}};
}

}  // namespace polder::recipes
