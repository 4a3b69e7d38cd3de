// polder — Lookahead: slow weights follow fast ones.
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

/// Parameters of `lookahead`.
struct lookahead_options {
  std::uint64_t tau = 5;      ///< fast steps for one slow one, >= 1
  double alpha = 0.8;         ///< of the way to the fast weights, in (0, 2); 1 is Local SGD
  double beta = 0.9;          ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< 0: none
};

/// Lookahead: the fast weights take tau steps, the slow ones follow a part of the way, and the fast ones go on from there.
///
///     x_o <- (1 - alpha) x_o + alpha (1/M) sum_m x_m,     x_m <- x_o        after every tau steps
///
/// For one worker (the paper's case) nothing is sent. Local momentum goes on.
///
/// Cost: 1 gradient evaluation per step; 2 (M - 1) / M n numbers per worker and round; 2 n numbers of state.
/// Source: Zhang, Lucas, Hinton, Ba, NeurIPS 2019, with the defaults of the authors' program. Departures: those of the part
/// `lookahead`.
[[nodiscard]] inline auto lookahead(lookahead_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{o.tau, outer{polder::lookahead{o.alpha}}}};
}

}  // namespace polder::recipes
