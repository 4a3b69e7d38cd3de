// polder — compressed NGM: the mean of cross-gradients that come in few bytes.
#pragma once

#include <cstdint>

#include "polder/compress/compressor.hpp"
#include "polder/gradient/cross_gradients.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/choco_before_step.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `comp_ngm`: those of `ngm` but the consensus step and what is mixed, which the mixing rule has.
struct comp_ngm_options {
  double data_share = 1.0;               ///< a in (0, 1]: 1 the data-variant mean; 0 needs an uncompressed way back
  double weight_decay = 0.0;             ///< coupled, >= 0; added after the mean
  double clip_norm = 0.0;                ///< of the mean; 0: none
  self_point own = self_point::unmixed;  ///< mixed: the own gradient at the mixture that the step starts from
  bool compress_own = false;             ///< the own gradient as well is compressed, though it is not sent
  std::uint64_t seed = 1;                ///< of the compressor's random numbers on the way back
};

/// Compressed NGM (CompNGC): NGM whose two messages are compressed, each with a compressor of its own. Parameters travel as
/// differences to the copies x^_j that neighbors keep, gradients with error feedback for each neighbor. With g_ij the
/// gradient of worker i's minibatch at x^_j:
///
///     x^_j <- x^_j + C1(x_j - x^_j) on worker j and its neighbors
///     p = g_ij + e_ij,    q_ij = C2(p), which is sent to j,    e_ij <- p - q_ij
///     G = w_ii g_ii + sum_j w_ij q_ji + wd x_i,    m_i <- beta m_i + G
///     x_i+ = x_i + gamma (sum_j w_ij x^_j - x^_i) - eta (G + beta m_i)
///
/// `mixing`: choco_before_step{C1, gamma}, or gossip{.of = mixed::before_step} for uncompressed parameters (then
/// x^_j = x_j). `back`: error_feedback{C2}, any compressor without a memory, or uncompressed{}. `update` is what makes the
/// update of G: nesterov (default), momentum, quasi_global_momentum. With uncompressed parameters and gradients it is `ngm`,
/// bit for bit.
///
/// Cost per step with K neighbors: 1 + K gradient evaluations; two compressed messages to each neighbor, one of each
/// compressor; n numbers of state for the momentum, (1 + K) n for the gradients, K n for the error feedback and
/// (1 + K) n for the copies.
/// Source: CompNGC in the code of NGC (aparna-aketi/neighborhood_gradient_clustering), where parameters are not compressed,
/// C2 is the scaled sign, and the own gradient is compressed as well (`compress_own`). Departures: those of `ngm`; the
/// differences to copies for the parameters are CHOCO's.
template <class Mixing, class Back, class Update = nesterov>
[[nodiscard]] auto comp_ngm(Mixing mixing, Back back, comp_ngm_options o = {}, Update update = {}) {
  return algorithm{
      cross_gradients<plain, Back>{
          .compressor = back, .data_share = o.data_share, .own = o.own, .compress_own = o.compress_own, .seed = o.seed},
      chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, update}, mixing};
}

}  // namespace polder::recipes
