// polder — NGM: the mean of the cross-gradients in a neighborhood.
#pragma once

#include "polder/gradient/cross_gradients.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `ngm`.
struct ngm_options {
  double data_share = 1.0;               ///< a in [0, 1]: 1 the data-variant mean, 0 the model-variant
  double weight_decay = 0.0;             ///< coupled, >= 0; added after the mean
  double gamma = 1.0;                    ///< consensus step in (0, 1]
  double clip_norm = 0.0;                ///< of the mean; 0: none
  mixed of = mixed::before_step;         ///< half_step: adapt then combine, one more vector to each neighbor
  self_point own = self_point::unmixed;  ///< mixed: the own gradient at W_gamma x, as the code of NGC does
};

/// NGM (in its first version NGC): local momentum on the mean of the own gradient and the cross-gradients of the
/// neighborhood. With g_ij the gradient of worker i's minibatch at x_j:
///
///     A = w_ii g_ii + sum_j w_ij g_ji (data-variant),    B = w_ii g_ii + sum_j w_ij g_ij (model-variant)
///     G = a A + (1 - a) B + wd x_i,    m_i <- beta m_i + G
///     x_i+ = sum_j w_ij x_j - eta (G + beta m_i)
///
/// `update` is what makes the update of G: nesterov (default), momentum, quasi_global_momentum.
///
/// Cost per step with K neighbors: 1 + K gradient evaluations; 2 n numbers to each neighbor, n with a = 0; n numbers of
/// state for the momentum and (1 + K) n for the gradients.
/// Source: "Neighborhood Gradient Clustering", arXiv:2209.14390, and its authors' code
/// (aparna-aketi/neighborhood_gradient_clustering); NGM is the version in TMLR, 2023. Departures: all gradients are taken
/// at the same x_i, the parameters before the step are mixed, and so x is sent once; the authors' code takes g_ii at the
/// mixed point (`own`), where it also adds the weight decay. Weights w_ij, not 1 / (K + 1): the same on regular graphs.
template <class Update = nesterov>
[[nodiscard]] auto ngm(ngm_options o = {}, Update update = {}) {
  return algorithm{cross_gradients<plain>{.data_share = o.data_share, .own = o.own},
                   chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, update}, gossip{o.gamma, o.of}};
}

}  // namespace polder::recipes
