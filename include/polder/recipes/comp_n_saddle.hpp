// polder — compressed N-SADDLe: sharpness-aware cross-gradients that come in few bytes.
#pragma once

#include <cstdint>

#include "polder/compress/compressor.hpp"
#include "polder/gradient/cross_gradients.hpp"
#include "polder/gradient/sam.hpp"
#include "polder/mixing/choco_before_step.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `comp_n_saddle`: those of `n_saddle` but the consensus step and what is mixed, which the mixing rule has.
struct comp_n_saddle_options {
  double rho = 0.05;               ///< SAM radius >= 0; 0 is compressed NGM, bit for bit
  bool plain_cross = false;        ///< only the own gradient is a SAM gradient: K evaluations less
  double weight_decay = 0.0;       ///< coupled, >= 0; added after the mean, never part of the ascent
  double clip_norm = 0.0;          ///< of the mean; 0: none
  bool compress_own = false;       ///< the own gradient as well is compressed, though it is not sent
  bool force_second_pass = false;  ///< evaluate twice although rho is 0 (for tests and timings)
  std::uint64_t seed = 1;          ///< of the compressor's random numbers on the way back
};

/// Compressed N-SADDLe: N-SADDLe whose two messages are compressed, each with a compressor of its own. Its SAM gradients
/// are taken at what is known of a neighbor:
///
///     x^_j <- x^_j + C1(x_j - x^_j) on worker j and its neighbors
///     g~_ij = gradient of worker i's minibatch at x^_j + rho g_ij / ||g_ij||, g_ij that at x^_j    (g~_ii: at x_i)
///     p = g~_ij + e_ij,    q_ij = C2(p), which is sent to j,    e_ij <- p - q_ij
///     G = w_ii g~_ii + sum_j w_ij q_ji + wd x_i,    m_i <- beta m_i + G
///     x_i+ = x_i + gamma (sum_j w_ij x^_j - x^_i) - eta (G + beta m_i)
///
/// `mixing`, `back`, `update`: as `comp_ngm`. With uncompressed parameters and gradients it is `n_saddle`, with rho = 0
/// `comp_ngm`, bit for bit.
///
/// Cost per step with K neighbors: 2 (1 + K) gradient evaluations (2 + K with plain_cross); messages and state as
/// `comp_ngm`.
/// Source: Choudhary, Aketi, Roy, arXiv:2405.13961; how CompNGC in the code of NGC
/// (aparna-aketi/neighborhood_gradient_clustering) compresses gradients. Departures: which of the two messages the authors
/// compress, and how, is not known here, so both can be; otherwise as n_saddle.
template <class Mixing, class Back, class Update = nesterov>
[[nodiscard]] auto comp_n_saddle(Mixing mixing, Back back, comp_n_saddle_options o = {}, Update update = {}) {
  return algorithm{cross_gradients<sam, Back>{.inner = sam{o.rho, o.force_second_pass},
                                              .compressor = back,
                                              .plain_cross = o.plain_cross,
                                              .compress_own = o.compress_own,
                                              .seed = o.seed},
                   chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, update}, mixing};
}

}  // namespace polder::recipes
