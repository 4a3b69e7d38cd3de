// polder — DeepSqueeze with local momentum: gossip on compressed parameters with error feedback.
#pragma once

#include "polder/gradient/plain.hpp"
#include "polder/mixing/deep_squeeze.hpp"
#include "polder/recipes/choco_sgd.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// DeepSqueeze:
///
///     m_i <- beta m_i + g_i + wd x_i,    x_i_half = x_i - eta (g_i + wd x_i + beta m_i)
///     p_i = x_i_half + e_i,    q_i = C(p_i),    e_i <- p_i - q_i
///     x_i+ = x_i_half + gamma (sum_j w_ij q_j - q_i)
///
/// Cost per step: 1 gradient evaluation; one compressed message to each neighbor; 2 n numbers of state.
/// Source: Tang et al., 2019. Departures: Nesterov momentum.
template <class Compressor>
[[nodiscard]] auto deep_squeeze_sgd(deep_squeeze<Compressor> mixing, compressed_options o = {}) {
  return algorithm{plain{}, chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, nesterov{o.beta}}, mixing};
}

}  // namespace polder::recipes
