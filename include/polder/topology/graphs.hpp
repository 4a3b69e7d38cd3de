// polder — the graphs of the field, each a function of the number of workers.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/topology/graph.hpp"

namespace polder::topology {

namespace detail {

// A static undirected graph; pairs may come in either direction, more than once, and as self loops: small rings and
// grids fold onto themselves.
inline graph undirected(std::string name, int workers, std::vector<edge> pairs) {
  for (edge& e : pairs) {
    if (e.from > e.to) std::swap(e.from, e.to);
  }
  std::vector<edge> edges;
  for (const edge& e : ascending(workers, pairs)) {
    if (e.from != e.to && (edges.empty() || edges.back() != e)) edges.push_back(e);
  }
  return from_edges(workers, std::move(edges), false, std::move(name));
}

inline void require_workers(int workers, const char* name) {
  require<config_error>(workers >= 1 && workers <= max_workers, name, " of ", workers, " workers: a graph has 1 to ",
                        max_workers, " workers");
}

}  // namespace detail

/// Worker i speaks with i ± 1 mod n. Degree 2; gap 2/3 · (1 - cos(2π/n)), about 4π²/(3n²).
[[nodiscard]] inline graph ring(int n) {
  detail::require_workers(n, "ring");
  std::vector<edge> pairs;
  for (int i = 0; i < n; ++i) pairs.push_back({i, (i + 1) % n});
  return detail::undirected("ring", n, std::move(pairs));
}

/// Worker i speaks with i - 1 and i + 1 where they exist. Degree 2; the gap of a ring of twice the length.
[[nodiscard]] inline graph chain(int n) {
  detail::require_workers(n, "chain");
  std::vector<edge> pairs;
  for (int i = 0; i + 1 < n; ++i) pairs.push_back({i, i + 1});
  return detail::undirected("chain", n, std::move(pairs));
}

/// Worker 0 speaks with all others. Degree n - 1 at the center, 1 elsewhere; gap 1/n.
[[nodiscard]] inline graph star(int n) {
  detail::require_workers(n, "star");
  std::vector<edge> pairs;
  for (int i = 1; i < n; ++i) pairs.push_back({0, i});
  return detail::undirected("star", n, std::move(pairs));
}

/// All speak with all. Degree n - 1; averages exactly in one round.
[[nodiscard]] inline graph complete(int n) {
  detail::require_workers(n, "complete");
  std::vector<edge> pairs;
  for (int i = 0; i < n; ++i) {
    for (int j = i + 1; j < n; ++j) pairs.push_back({i, j});
  }
  return detail::undirected("complete", n, std::move(pairs));
}

/// A periodic grid: worker r·columns + c speaks with its four neighbors up, down, left and right. Degree 4 (3 or 2
/// where a side is 2 long, so that both ways lead to the same worker). Throws config_error if a side is below 2.
[[nodiscard]] inline graph torus(int rows, int columns) {
  require<config_error>(rows >= 2 && columns >= 2 && columns <= max_workers / rows, "torus ", rows, "x", columns,
                        ": each side is at least 2 and the whole at most ", max_workers,
                        " workers; a grid of one row is a ring");
  std::vector<edge> pairs;
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      pairs.push_back({r * columns + c, r * columns + (c + 1) % columns});
      pairs.push_back({r * columns + c, (r + 1) % rows * columns + c});
    }
  }
  return detail::undirected(text("torus ", rows, "x", columns), rows * columns, std::move(pairs));
}

/// The most square torus of n workers: rows is the greatest divisor of n up to sqrt(n). Throws config_error if n is
/// below 4 or prime.
[[nodiscard]] inline graph torus(int n) {
  detail::require_workers(n, "torus");
  int rows = 1;
  for (int d = 2; d <= n / d; ++d) {
    if (n % d == 0) rows = d;
  }
  require<config_error>(rows >= 2, "torus of ", n, " workers: ", n,
                        " is not a product of two sides of at least 2; take another number of workers (4, 6, 8, 9, "
                        "10 ...) or a ring");
  return torus(rows, n / rows);
}

/// Worker i speaks with i xor 2^k for every bit k. Degree log2 n. Throws config_error unless n is a power of two.
[[nodiscard]] inline graph hypercube(int n) {
  detail::require_workers(n, "hypercube");
  require<config_error>((n & (n - 1)) == 0, "hypercube of ", n,
                        " workers: the number of workers must be a power of two; for any number take exponential");
  std::vector<edge> pairs;
  for (int i = 0; i < n; ++i) {
    for (int bit = 1; bit < n; bit *= 2) pairs.push_back({i, i ^ bit});
  }
  return detail::undirected("hypercube", n, std::move(pairs));
}

/// The static exponential graph, undirected: worker i speaks with i ± 2^k mod n for every 2^k < n.
/// Degree at most 2·ceil(log2 n), less where distances coincide (2·log2 n - 1 for powers of two).
[[nodiscard]] inline graph exponential(int n) {
  detail::require_workers(n, "exponential");
  std::vector<edge> pairs;
  for (int i = 0; i < n; ++i) {
    for (int distance = 1; distance < n; distance *= 2) pairs.push_back({i, (i + distance) % n});
  }
  return detail::undirected("exponential", n, std::move(pairs));
}

/// The one-peer exponential graph, directed and time-varying: in phase k worker i sends to i + 2^k mod n and hears
/// i - 2^k mod n; the period is ceil(log2 n). One message per worker and round; with weights 1/2 and n a power of two a
/// period averages exactly.
/// Source: Assran, Loizou, Ballas, Rabbat: "Stochastic gradient push for distributed deep learning", ICML 2019.
[[nodiscard]] inline graph one_peer_exponential(int n) {
  detail::require_workers(n, "one_peer_exponential");
  std::vector<std::vector<edge>> phases;
  for (int distance = 1; distance < n; distance *= 2) {
    std::vector<edge>& sends = phases.emplace_back();
    for (int i = 0; i < n; ++i) sends.push_back({i, (i + distance) % n});
  }
  if (n == 1) phases.emplace_back();
  return graph("one-peer exponential", n, phases);
}

/// A binary heap with one worker above its root: worker i > 0 has the parent floor(i/2), so worker 0 has the single
/// child 1 and worker i the children 2i and 2i + 1. Degree at most 3.
/// Source: Vogels et al.: "RelaySum for decentralized deep learning on heterogeneous data", NeurIPS 2021.
[[nodiscard]] inline graph binary_tree(int n) {
  detail::require_workers(n, "binary_tree");
  std::vector<edge> pairs;
  for (int i = 1; i < n; ++i) pairs.push_back({i, i / 2});
  return detail::undirected("binary tree", n, std::move(pairs));
}

}  // namespace polder::topology
