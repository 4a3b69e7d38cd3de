// polder — SAM in the local steps of Local SGD.
#pragma once

#include <cstdint>

#include "polder/gradient/sam.hpp"
#include "polder/mixing/average.hpp"
#include "polder/mixing/every.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `local_sam`.
struct local_sam_options {
  std::uint64_t tau = 4;      ///< local steps per round, >= 1
  double alpha = 1.0;         ///< pull, in (0, 2)
  double rho = 0.05;          ///< radius, >= 0; 0 is local_sgd, bit for bit
  double beta = 0.9;          ///< Nesterov momentum in [0, 1), local, never reset
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< 0: none
};

/// Local SAM: Local SGD on sharpness-aware gradients.
///
///     g~ = g_m(x_m + rho g_m / ||g_m||)  in local_sgd's steps,    x_m <- (1 - alpha) x_m + alpha (1/M) sum_k x_k a round
///
/// Cost: 2 gradient evaluations per step; what local_sgd sends.
/// Source: by definition; SAM as in Foret, Kleiner, Mobahi, Neyshabur, ICLR 2021.
[[nodiscard]] inline auto local_sam(local_sam_options o = {}) {
  return algorithm{sam{.rho = o.rho}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
                   every{o.tau, average{o.alpha}}};
}

}  // namespace polder::recipes
