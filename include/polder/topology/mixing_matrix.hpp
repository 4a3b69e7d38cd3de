// polder — the mixing matrix: how much of each neighbor's parameters enters a worker's, in every phase of a graph.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/topology/graph.hpp"

namespace polder::topology {

/// One worker's part in a round: x_i <- sum_k weights[k] · x_{sources[k]}.
struct mixing_row {
  std::vector<int> sources;     ///< ascending, with the worker itself at its place
  std::vector<double> weights;  ///< of the sources, in the same order
  std::vector<int> targets;     ///< who hears this worker; ascending, without itself
  std::size_t self = 0;         ///< the worker's own place in sources

  [[nodiscard]] double self_weight() const { return weights[self]; }
  friend bool operator==(const mixing_row&, const mixing_row&) = default;
};

/// A mixing matrix W for each phase of a graph; round t uses phase t mod period.
///
/// Rows are put together once; the training loop's `row(round, rank)` allocates nothing.
/// `rank` is in [0, size()) everywhere. State: about 24 bytes for each directed edge of a period, 100 for each worker.
class mixing_matrix {
 public:
  /// Metropolis-Hastings weights: w_ij = 1 / (1 + max(degree_i, degree_j)), w_ii = 1 - sum_j w_ij. Symmetric and doubly
  /// stochastic on every undirected graph. Throws config_error on a directed graph.
  /// Source: Xiao, Boyd, Lall: "A scheme for robust distributed sensor fusion based on average consensus", IPSN 2005.
  [[nodiscard]] static mixing_matrix metropolis(graph on) {
    require<config_error>(on.undirected(), "Metropolis weights on the directed graph ", on.name(),
                          ": they are defined for undirected graphs; take mixing_matrix::uniform");
    return mixing_matrix(std::move(on), [](const graph& g, std::size_t phase, int rank, int other) {
      const std::size_t degree = std::max(g.in_neighbors(phase, rank).size(), g.in_neighbors(phase, other).size());
      return 1.0 / static_cast<double>(degree + 1);
    });
  }

  /// Uniform weights: w_ij = w_ii = 1 / (1 + in-degree of i). Doubly stochastic where all degrees of a phase are equal
  /// (ring, torus, one-peer exponential: 1/2 own and 1/2 received), else only row-stochastic: see check().
  [[nodiscard]] static mixing_matrix uniform(graph on) {
    return mixing_matrix(std::move(on), [](const graph& g, std::size_t phase, int rank, int) {
      return 1.0 / static_cast<double>(g.in_neighbors(phase, rank).size() + 1);
    });
  }

  /// The usual weights of a graph: Metropolis if it is undirected, else uniform.
  [[nodiscard]] static mixing_matrix usual(graph on) {
    return on.undirected() ? metropolis(std::move(on)) : uniform(std::move(on));
  }

  /// Weights as given: row-major workers x workers, w_ij = what i takes from j, one matrix after another for a
  /// time-varying graph. Off the diagonal a zero means no edge. Nothing but the form is checked here: see check().
  /// Throws config_error if the length is not a multiple of workers², or on a number that is not finite.
  [[nodiscard]] static mixing_matrix from_dense(int workers, std::span<const double> w, std::string name = "dense") {
    require<config_error>(workers >= 1 && workers <= max_workers, "a mixing matrix of ", workers, " workers: 1 to ",
                          max_workers, " are possible");
    const auto n = static_cast<std::size_t>(workers);
    require<config_error>(!w.empty() && w.size() % (n * n) == 0, "a mixing matrix of ", workers, " workers from ",
                          w.size(), " numbers: give workers² = ", n * n, " for each phase");
    std::vector<std::vector<edge>> phases(w.size() / (n * n));
    for (std::size_t k = 0; k < w.size(); ++k) {
      const auto to = static_cast<int>(k / n % n);
      const auto from = static_cast<int>(k % n);
      require<config_error>(std::isfinite(w[k]), "the weight of worker ", to, " for worker ", from, " in phase ",
                            k / (n * n), " of the mixing matrix ", name, " is ", w[k], ": weights are finite numbers");
      if (from != to && w[k] != 0) phases[k / (n * n)].push_back({from, to});
    }
    const auto entry = [w, n](std::size_t phase, int to, int from) {
      return w[(phase * n + static_cast<std::size_t>(to)) * n + static_cast<std::size_t>(from)];
    };
    mixing_matrix made(graph(std::move(name), workers, phases),
                       [&](const graph&, std::size_t phase, int to, int from) { return entry(phase, to, from); });
    for (std::size_t k = 0; k < made.rows_.size(); ++k) {
      const auto rank = static_cast<int>(k % n);
      made.rows_[k].weights[made.rows_[k].self] = entry(k / n, rank, rank);
    }
    return made;
  }

  /// W_gamma = I + gamma (W - I): the same graph, mixed by a part. gamma: the consensus step in (0, 1]; 1 is W itself,
  /// bit for bit. Throws config_error outside that range.
  [[nodiscard]] mixing_matrix damped(double gamma) const {
    require<config_error>(gamma > 0 && gamma <= 1, "consensus step gamma = ", gamma,
                          ": it lies in (0, 1]; for no mixing at all take another mixing rule");
    mixing_matrix made = *this;
    if (gamma == 1) return made;
    for (mixing_row& row : made.rows_) {
      const double own = row.self_weight();
      for (double& weight : row.weights) weight *= gamma;
      row.weights[row.self] = 1 + gamma * (own - 1);
    }
    return made;
  }

  [[nodiscard]] const graph& on() const { return graph_; }
  [[nodiscard]] int size() const { return graph_.size(); }
  [[nodiscard]] std::size_t period() const { return graph_.period(); }

  /// What worker `rank` mixes and whom it serves in `round`. O(1); valid as long as the matrix.
  [[nodiscard]] const mixing_row& row(std::uint64_t round, int rank) const {
    return rows_[graph_.phase(round) * count() + static_cast<std::size_t>(rank)];
  }

  /// The matrix of a round, row-major.
  [[nodiscard]] std::vector<double> dense(std::uint64_t round) const {
    std::vector<double> w(count() * count());
    for (int rank = 0; rank < size(); ++rank) {
      const mixing_row& part = row(round, rank);
      for (std::size_t k = 0; k < part.sources.size(); ++k) {
        w[static_cast<std::size_t>(rank) * count() + static_cast<std::size_t>(part.sources[k])] = part.weights[k];
      }
    }
    return w;
  }

  /// What `to` takes of `from` in `round`; 0 where there is no edge. O(log degree).
  [[nodiscard]] double weight(std::uint64_t round, int to, int from) const {
    const mixing_row& part = row(round, to);
    const auto found = std::lower_bound(part.sources.begin(), part.sources.end(), from);
    if (found == part.sources.end() || *found != from) return 0;
    return part.weights[static_cast<std::size_t>(found - part.sources.begin())];
  }

  friend bool operator==(const mixing_matrix&, const mixing_matrix&) = default;

 private:
  // The own weight of each worker is what weight_of(phase, rank, neighbor) leaves of 1.
  template <class WeightOf>
  mixing_matrix(graph on, WeightOf weight_of) : graph_(std::move(on)), rows_(period() * count()) {
    for (std::size_t phase = 0; phase < period(); ++phase) {
      for (int rank = 0; rank < size(); ++rank) {
        mixing_row& part = rows_[phase * count() + static_cast<std::size_t>(rank)];
        const std::span<const int> in = graph_.in_neighbors(phase, rank);
        const std::span<const int> out = graph_.out_neighbors(phase, rank);
        part.targets.assign(out.begin(), out.end());
        part.sources.assign(in.begin(), in.end());
        const auto place = std::lower_bound(part.sources.begin(), part.sources.end(), rank);
        part.self = static_cast<std::size_t>(place - part.sources.begin());
        part.sources.insert(place, rank);
        double own = 1;
        for (const int source : part.sources) {
          const double weight = source == rank ? 0 : weight_of(graph_, phase, rank, source);
          part.weights.push_back(weight);
          own -= weight;
        }
        part.weights[part.self] = own;
      }
    }
  }

  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(graph_.size()); }

  graph graph_;
  std::vector<mixing_row> rows_;  // [phase, worker]
};

}  // namespace polder::topology
