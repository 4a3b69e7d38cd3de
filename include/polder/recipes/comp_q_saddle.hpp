// polder — compressed Q-SADDLe: the same sentence with a mixing rule that sends fewer bytes.
#pragma once

#include "polder/gradient/sam.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/deep_squeeze.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/quasi_global_momentum.hpp"
#include "polder/update/weight_decay.hpp"

namespace polder::recipes {

/// Parameters of `comp_q_saddle`: those of `q_saddle` but the consensus step, which the mixing rule has.
struct comp_q_saddle_options {
  double rho = 0.05;               ///< SAM radius >= 0; 0 is compressed QGM, bit for bit
  double beta = 0.9;               ///< momentum in [0, 1)
  double mu = 0.9;                 ///< memory of the quasi-global buffer in [0, 1)
  bool nesterov = true;            ///< form of the momentum
  double weight_decay = 0.0;       ///< coupled, >= 0; added after the ascent, never part of it
  double clip_norm = 0.0;          ///< of the SAM gradient; 0: none
  bool force_second_pass = false;  ///< evaluate twice although rho is 0 (for tests and timings)
};

/// Compressed Q-SADDLe: Q-SADDLe whose gossip is compressed, by differences to public copies (`choco`) or by error feedback
/// on the parameters (`deep_squeeze`); the quasi-global momentum follows what mixing made of the step either way:
///
///     e_i = rho g_i / ||g_i||,    G = gradient at x_i + e_i on the same minibatch + wd x_i
///     m = beta m^_i + G,    x_i_half = x_i - eta (G + beta m)
///     x_i+ = choco or deep_squeeze of x_half
///     m^_i <- mu m^_i + (1 - mu) (x_i - x_i+) / eta
///
/// `mixing`: choco{compressor}, or deep_squeeze{compressor, gamma} with its consensus step; rho = 0 is compressed QGM, bit for bit.
/// Cost per step: 2 gradient evaluations; one compressed message to each neighbor; n numbers of state, and n numbers (deep_squeeze) or 2 n doubles
/// (choco) of the mixing rule.
/// Source: Choudhary, Aketi, Roy, arXiv:2405.13961. Departures: which of the two loops the authors use is not known here,
/// so both are offered; otherwise as q_saddle.
template <class Mixing>
[[nodiscard]] auto comp_q_saddle(Mixing mixing, comp_q_saddle_options o = {}) {
  return algorithm{
      sam{o.rho, o.force_second_pass},
      chain{clip_norm{o.clip_norm}, weight_decay{o.weight_decay}, quasi_global_momentum{o.beta, o.mu, o.nesterov}},
      mixing};
}

}  // namespace polder::recipes
