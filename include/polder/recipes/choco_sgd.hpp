// polder — CHOCO-SGD: local momentum SGD and gossip on compressed differences.
#pragma once

#include "polder/gradient/plain.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `choco_sgd` and `deep_squeeze`.
struct compressed_options {
  double beta = 0.9;          ///< Nesterov momentum in [0, 1)
  double weight_decay = 0.0;  ///< coupled, >= 0
  double clip_norm = 0.0;     ///< of the gradient; 0: none
};

/// CHOCO-SGD:
///
///     m_i <- beta m_i + g_i + wd x_i,    x_i_half = x_i - eta (g_i + wd x_i + beta m_i)
///     q_i = C(x_i_half - x^_i),    x^_i <- x^_i + q_i,    s_i <- s_i + sum_j w_ij q_j
///     x_i+ = x_i_half + gamma (s_i - x^_i)
///
/// `mixing` is a choco{compressor}, with a consensus step or without: `choco_sgd(choco{sign{}, 0.45})`.
/// Cost per step: 1 gradient evaluation; one compressed message to each neighbor; n numbers and 2 n doubles of state.
/// Source: Koloskova, Stich, Jaggi, ICML 2019. Departures: Nesterov momentum, as in the authors' code for deep learning.
template <class Compressor>
[[nodiscard]] auto choco_sgd(choco<Compressor> mixing, compressed_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}}, mixing};
}

}  // namespace polder::recipes
