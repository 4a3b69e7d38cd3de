// polder — a communication graph as a value: who sends to whom, in every phase of a period.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"

namespace polder::topology {

/// Worker `from` sends to worker `to`.
struct edge {
  int from = 0;
  int to = 0;
  // Both spelled out as members: nvcc 13.0 does not define the == that a defaulted <=> implies.
  constexpr auto operator<=>(const edge&) const = default;
  constexpr bool operator==(const edge&) const = default;
};

/// More workers than this are taken for a mistake (a stray number in a file), not for a graph.
inline constexpr int max_workers = 65536;

namespace detail {

// The edges in ascending order, by counting: each of the two passes keeps the order of the one before it. Ranks must
// lie in [0, workers). Cost: O(workers + edges).
inline std::vector<edge> ascending(int workers, const std::vector<edge>& edges) {
  std::vector<std::vector<int>> into(static_cast<std::size_t>(workers));
  std::vector<std::vector<int>> out_of(static_cast<std::size_t>(workers));
  for (const edge& e : edges) into[static_cast<std::size_t>(e.to)].push_back(e.from);
  for (int to = 0; to < workers; ++to) {
    for (const int from : into[static_cast<std::size_t>(to)]) out_of[static_cast<std::size_t>(from)].push_back(to);
  }
  std::vector<edge> sorted;
  sorted.reserve(edges.size());
  for (int from = 0; from < workers; ++from) {
    for (const int to : out_of[static_cast<std::size_t>(from)]) sorted.push_back({from, to});
  }
  return sorted;
}

}  // namespace detail

/// A communication graph: `size()` workers and a period of phases, each a set of directed edges without self loops
/// and duplicates. Round t uses phase t mod period; a static graph has one phase. An undirected edge is a pair of
/// directed ones.
///
/// Neighbor lists are in ascending rank order, so that sums over neighbors have one order everywhere.
/// Cost: O(workers · period + edges) memory; look-ups are O(1) and allocate nothing.
class graph {
 public:
  /// A graph from its directed edges, one list for each phase.
  /// Throws config_error on a rank outside [0, workers), a self loop or an edge listed twice.
  graph(std::string name, int workers, const std::vector<std::vector<edge>>& phases)
      : name_(std::move(name)), workers_(workers), period_(phases.size()) {
    require<config_error>(workers >= 1 && workers <= max_workers, "the graph ", name_, " of ", workers,
                          " workers: a graph has 1 to ", max_workers, " workers");
    require<config_error>(period_ >= 1, "the graph ", name_, " has no phase: give one list of edges for each phase");
    in_.resize(period_ * count());
    out_.resize(period_ * count());
    for (std::size_t phase = 0; phase < period_; ++phase) add_phase(phase, phases[phase]);
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int size() const { return workers_; }
  /// The number of phases; 1 for a static graph.
  [[nodiscard]] std::size_t period() const { return period_; }
  [[nodiscard]] std::size_t phase(std::uint64_t round) const { return static_cast<std::size_t>(round % period_); }

  /// Whom `rank` hears in `round`; ascending, without `rank`.
  [[nodiscard]] std::span<const int> in_neighbors(std::uint64_t round, int rank) const { return in_[at(round, rank)]; }
  /// Who hears `rank` in `round`; ascending, without `rank`.
  [[nodiscard]] std::span<const int> out_neighbors(std::uint64_t round, int rank) const {
    return out_[at(round, rank)];
  }

  /// Whether every edge of every phase is there in both directions.
  [[nodiscard]] bool undirected() const { return in_ == out_; }

  /// The greatest number of neighbors that a worker hears in one round.
  [[nodiscard]] int max_in_degree() const {
    std::size_t degree = 0;
    for (const std::vector<int>& list : in_) degree = std::max(degree, list.size());
    return static_cast<int>(degree);
  }

  /// The number of messages of a whole period: directed edges, so an undirected edge counts twice.
  [[nodiscard]] std::size_t messages() const {
    return std::transform_reduce(out_.begin(), out_.end(), std::size_t{0}, std::plus<>{},
                                 [](const std::vector<int>& list) { return list.size(); });
  }

  /// Two workers such that nothing that `from` knows ever reaches `to` through the union of all phases; nothing if
  /// that union is (strongly) connected. Cost: O(workers + edges).
  [[nodiscard]] std::optional<edge> broken_path() const {
    if (const int lost = first_unreachable(out_); lost != 0) return edge{0, lost};
    if (const int lost = first_unreachable(in_); lost != 0) return edge{lost, 0};
    return std::nullopt;
  }
  /// Whether the union over a period is connected (for directed edges: strongly).
  [[nodiscard]] bool connected() const { return !broken_path().has_value(); }

  friend bool operator==(const graph&, const graph&) = default;

 private:
  using neighbor_lists = std::vector<std::vector<int>>;  // [phase, worker]

  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(workers_); }
  [[nodiscard]] std::size_t at(std::uint64_t round, int rank) const {
    return phase(round) * count() + static_cast<std::size_t>(rank);
  }

  void add_phase(std::size_t phase, const std::vector<edge>& listed) {
    for (const auto [from, to] : listed) {
      for (const int rank : {from, to}) {
        require<config_error>(rank >= 0 && rank < workers_, "edge ", from, " -> ", to, " of the graph ", name_,
                              ": rank ", rank, " is outside 0 .. ", workers_ - 1);
      }
      require<config_error>(from != to, "edge ", from, " -> ", to, " of the graph ", name_,
                            " is a self loop: leave it out, every worker keeps a weight for itself");
    }
    for (const auto [from, to] : detail::ascending(workers_, listed)) {
      std::vector<int>& receivers = out_[at(phase, from)];
      require<config_error>(receivers.empty() || receivers.back() != to, "edge ", from, " -> ", to, " of the graph ",
                            name_, " is listed twice in phase ", phase,
                            ": list it once (an undirected edge in one direction only), and give a greater weight by "
                            "mixing_matrix::from_dense");
      in_[at(phase, to)].push_back(from);
      receivers.push_back(to);
    }
  }

  // The lowest rank that a walk from worker 0 along `lists` never meets; 0 if there is none.
  [[nodiscard]] int first_unreachable(const neighbor_lists& lists) const {
    std::vector<int> seen(count(), 0);  // a vector<bool> costs every program more to compile than it saves here
    std::vector<int> frontier{0};
    seen[0] = 1;
    while (!frontier.empty()) {
      const int rank = frontier.back();
      frontier.pop_back();
      for (std::size_t phase = 0; phase < period_; ++phase) {
        for (const int next : lists[at(phase, rank)]) {
          if (seen[static_cast<std::size_t>(next)] != 0) continue;
          seen[static_cast<std::size_t>(next)] = 1;
          frontier.push_back(next);
        }
      }
    }
    const auto lost = std::find(seen.begin(), seen.end(), 0);
    return lost == seen.end() ? 0 : static_cast<int>(lost - seen.begin());
  }

  std::string name_;
  int workers_ = 1;
  std::size_t period_ = 1;
  neighbor_lists in_;
  neighbor_lists out_;
};

/// A static graph from a list of edges; each undirected edge is listed once, in either direction.
/// `directed`: take the list as it is; both directions of an edge may then be listed.
/// Throws config_error on a rank outside [0, workers), a self loop or an edge listed twice.
[[nodiscard]] inline graph from_edges(int workers, std::vector<edge> edges, bool directed = false,
                                      std::string name = "edge list") {
  if (!directed) {
    const std::size_t listed = edges.size();
    edges.reserve(2 * listed);
    for (std::size_t k = 0; k < listed; ++k) {
      const edge e = edges[k];
      if (e.from != e.to) edges.push_back({e.to, e.from});
    }
  }
  return graph(std::move(name), workers, {std::move(edges)});
}

}  // namespace polder::topology
