// polder — QGM: decentralized SGD with quasi-global momentum.
#pragma once

#include "polder/gradient/plain.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/quasi_global_momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `qgm`.
struct qgm_options {
  double beta = 0.9;          ///< momentum in [0, 1)
  double mu = 0.9;            ///< memory of the quasi-global buffer in [0, 1); 0: heavy ball on the displacement
  bool nesterov = true;       ///< QG-DSGDm-N; false: QG-DSGDm
  double weight_decay = 0.0;  ///< coupled, >= 0
  double gamma = 1.0;         ///< consensus step in (0, 1]
  double clip_norm = 0.0;     ///< 0: none
};

/// QGM: the local momentum of DSGDm-N replaced by the direction in which the mixed model really moved.
///
///     G = g_i(x_i) + wd x_i,    m = beta m^_i + G,    x_i_half = x_i - eta (G + beta m)
///     x_i+ = sum_j w_ij x_j_half
///     m^_i <- mu m^_i + (1 - mu) (x_i - x_i+) / eta
///
/// Cost per step: 1 gradient evaluation; n numbers to each neighbor; n numbers of state (m^).
/// Source: Lin, Karimireddy, Stich, Jaggi, "Quasi-Global Momentum: Accelerating Decentralized Deep Learning on
/// Heterogeneous Data", ICML 2021. Departures: none; other codes that carry the name differ (mu = 0, or mixed points).
[[nodiscard]] inline auto qgm(qgm_options o = {}) {
  return algorithm{
      plain{},
      chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, quasi_global_momentum{o.beta, o.mu, o.nesterov}},
      gossip{o.gamma}};
}

}  // namespace polder::recipes
