// polder — compressed CGA: the program of cross-gradients that come in few bytes.
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

/// Parameters of `comp_cga`: those of `cga` but the consensus step and what is mixed, which the mixing rule has.
struct comp_cga_options {
  double weight_decay = 0.0;             ///< coupled, >= 0; added after the program
  double clip_norm = 0.0;                ///< of the program's result; 0: none
  self_point own = self_point::unmixed;  ///< mixed: the own gradient at the mixture that the step starts from
  bool compress_own = false;             ///< the own gradient as well is compressed, though it is not sent
  std::uint64_t seed = 1;                ///< of the compressor's random numbers on the way back
};

/// Compressed CGA (CompCGA): CGA whose two messages are compressed, each with a compressor of its own. With g_ij the
/// gradient of worker i's minibatch at x^_j, for each tensor with b = w_ii g_ii and rows M_j = w_ij q_ji (zero rows
/// dropped):
///
///     x^_j <- x^_j + C1(x_j - x^_j) on worker j and its neighbors
///     p = g_ij + e_ij,    q_ij = C2(p), which is sent to j,    e_ij <- p - q_ij
///     v = argmin over v >= 1/2 of 1/2 v^T (M M^T + 1e-12 I) v + v^T M b
///     G = b + M^T v + wd x_i,    m_i <- beta m_i + G
///     x_i+ = x_i + gamma (sum_j w_ij x^_j - x^_i) - eta (G + beta m_i)
///
/// `mixing`, `back`, `update`: as `comp_ngm`. With uncompressed parameters and gradients it is `cga`, bit for bit.
///
/// Cost per step with K neighbors: 1 + K gradient evaluations and a program of size K for each tensor; two compressed
/// messages to each neighbor, one of each compressor; n numbers of state for the momentum, (1 + K) n for the gradients,
/// K n for the error feedback and (1 + K) n for the copies.
/// Source: CompCGA in the code of NGC (aparna-aketi/neighborhood_gradient_clustering), where parameters are not compressed,
/// C2 is the scaled sign with a memory for each neighbor, and the own gradient is compressed as well (`compress_own`); the
/// code of CGA (yasesf93/CrossGradientAggregation) compresses the own gradient only, by default without a memory.
/// Departures: those of `cga`; the differences to copies for the parameters are CHOCO's.
template <class Mixing, class Back, class Update = nesterov>
[[nodiscard]] auto comp_cga(Mixing mixing, Back back, comp_cga_options o = {}, Update update = {}) {
  return algorithm{cross_gradients<plain, Back>{.compressor = back,
                                                .by = cross_aggregate::quadratic_program,
                                                .own = o.own,
                                                .compress_own = o.compress_own,
                                                .seed = o.seed},
                   chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, update}, mixing};
}

}  // namespace polder::recipes
