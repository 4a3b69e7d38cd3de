// polder — how far a round of compressed gossip goes: consensus steps from the mixing matrix and the compressor.
#pragma once

#include <algorithm>
#include <vector>

#include "polder/compress/compressor.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/topology/spectrum.hpp"

namespace polder {

/// The consensus step with which CHOCO gossip is proven to converge for every compressor with contraction delta:
///
///     gamma = gap^2 delta / (16 gap + gap^2 + 4 beta^2 + 2 gap beta^2 - 8 gap delta)
///
/// gap in (0, 1]: the spectral gap of W. beta in [0, 2]: the norm of I - W, 1 - lambda_min. delta in (0, 1].
/// It is far too small to train with: 8.0e-5 for a ring of 16 and delta = 1/4. See safe_consensus_step.
/// Errors: config_error for a number outside its range.
/// Source: Koloskova, Stich, Jaggi, ICML 2019, with the names of Koloskova, Lin, Stich, Jaggi, "Decentralized Deep Learning
/// with Arbitrary Communication Compression", ICLR 2020, theorem 4.1, where gap is rho. The recursion of the proof also
/// contracts, by 1 - gap gamma / 2 a round, for each gamma up to 1/gap times this one.
[[nodiscard]] inline double proven_consensus_step(double delta, double gap, double beta) {
  require<config_error>(delta > 0.0 && delta <= 1.0, "proven_consensus_step: delta is ", delta,
                        " but a contraction lies in (0, 1]");
  require<config_error>(gap > 0.0 && gap <= 1.0, "proven_consensus_step: the spectral gap is ", gap,
                        " but must be in (0, 1]: take a graph that connects all workers");
  require<config_error>(beta >= 0.0 && beta <= 2.0, "proven_consensus_step: beta is ", beta,
                        " but the norm of I - W lies in [0, 2]");
  return gap * gap * delta / (16.0 * gap + gap * gap + 4.0 * beta * beta + 2.0 * gap * beta * beta - 8.0 * gap * delta);
}

/// The same from what a compressor guarantees for tensors of these sizes, and from the eigenvalues of W.
/// Cost: O(workers³), as topology::eigenvalues. Errors: config_error for a matrix that is not static and symmetric, or a
/// compressor that guarantees nothing.
template <contracting_compressor Compressor>
[[nodiscard]] double proven_consensus_step(const Compressor& compressor, const layout& tensors,
                                           const topology::mixing_matrix& weights) {
  const std::vector<double> all = topology::eigenvalues(weights);
  const double second = all.size() == 1 ? 0.0 : std::max(all[all.size() - 2], -all.front());
  return proven_consensus_step(compressor.contraction(tensors), 1.0 - second, 1.0 - all.front());
}

/// The largest share of others that a worker takes: max_i (1 - w_ii). No eigenvalue of I - W is above twice that.
[[nodiscard]] inline double largest_exchange(const topology::mixing_matrix& weights) {
  double largest = 0.0;
  for (int rank = 0; rank < weights.size(); ++rank) {
    largest = std::max(largest, 1.0 - weights.row(0, rank).self_weight());
  }
  return largest;
}

/// The consensus step of choco where none is set; a choice of this library:
///
///     gamma = min(1, delta / ((2 - delta) exchange)),     exchange = max_i (1 - w_ii)
///
/// Where it comes from: if a message of v carries delta v and noise of mean 0 and variance delta (1 - delta) ||v||^2, as
/// that of random_k does (qsgd has less noise), a number in a public copy is renewed every T rounds, T >= 1 geometric with
/// mean 1/delta. Meanwhile the disagreement along an eigenvector of I - W with eigenvalue l becomes 1 - gamma l T times
/// itself if all workers lose the same numbers:
///
///     E (1 - gamma l T)^2 < 1   where   gamma l < 2 delta / (2 - delta)
///
/// and no l is above 2 exchange, so gamma never leaves that range. If the workers' errors are independent the limit is
/// gamma (1 - w_ii) < 2 delta / (2 - delta) where all w_ii are equal and delta is small, and gamma is half of it;
/// compressors whose errors are not say less in effective_contraction. For top_k and sign this is no proof: tests/mixing
/// runs consensus without gradients on every graph with every compressor, and it contracts with gamma and with 1.5 gamma.
///
/// The spectral gap is not in it: it says how long consensus takes, not how far a step may go.
/// delta in (0, 1]: effective_contraction. exchange >= 0; 0 (one worker) gives 1. Errors: config_error for delta.
[[nodiscard]] inline double safe_consensus_step(double delta, double exchange) {
  require<config_error>(delta > 0.0 && delta <= 1.0, "safe_consensus_step: delta is ", delta,
                        " but a contraction lies in (0, 1]");
  const double limit = (2.0 - delta) * exchange;
  return limit > delta ? delta / limit : 1.0;
}

/// The same for a compressor on tensors of these sizes. Every worker gets the same bits. Cost: O(workers).
/// Errors: config_error, in the name of `rule`, for a compressor that has no contraction.
template <class Compressor>
[[nodiscard]] double safe_consensus_step(const Compressor& compressor, const layout& tensors,
                                         const topology::mixing_matrix& weights, const char* rule) {
  if constexpr (contracting_compressor<Compressor>) {
    const double delta = effective_contraction(compressor, tensors);
    require<config_error>(delta > 0.0, rule, ": the compressor promises no contraction: set its scale to ",
                          "scaling::contraction, or set gamma");
    return safe_consensus_step(delta, largest_exchange(weights));
  } else {
    fail<config_error>(rule,
                       ": the compressor does not say its contraction: set gamma, or give it a member "
                       "contraction(layout); see polder/compress/compressor.hpp");
  }
}

}  // namespace polder
