// polder — PowerSGD: synchronous SGD that sends low-rank factors of the gradients.
#pragma once

#include <cstddef>
#include <cstdint>

#include "polder/gradient/plain.hpp"
#include "polder/mixing/none.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/power_sgd.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `power_sgd`.
struct power_sgd_options {
  std::size_t rank = 2;       ///< of the factors, >= 1
  double beta = 0.9;          ///< Nesterov momentum in [0, 1)
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< of the averaged gradient; 0: none
  std::uint64_t seed = 1;     ///< of the factors' random start
};

/// PowerSGD with Nesterov momentum; all workers have the same parameters in every step:
///
///     M_m = g_m + e_m,    P = orthonormal columns of mean(M_m Q),    Q <- mean(M_m^T P),    e_m <- M_m - P Q^T
///     G = P Q^T + wd x,    v <- beta v + G,    x <- x - eta (G + beta v)
///
/// per tensor as a matrix; biases and other small tensors are averaged exactly (update/power_sgd.hpp).
/// Cost per step: 1 gradient evaluation; two all-reduces of rank (rows + columns) numbers a matrix, and of the small
/// tensors; 2 n numbers of state (e, v) and Q.
/// Source: Vogels, Karimireddy, Jaggi, NeurIPS 2019. Departures: those of the part; Nesterov momentum in the form of
/// PyTorch, where theirs adds the whole of v.
[[nodiscard]] inline auto power_sgd(power_sgd_options o = {}) {
  return algorithm{
      plain{},
      chain{polder::power_sgd{o.rank, o.seed}, clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}},
      none{}};
}

}  // namespace polder::recipes
