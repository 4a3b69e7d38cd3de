// polder — a graph from the name that a user typed.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/topology/davis.hpp"
#include "polder/topology/edge_list.hpp"
#include "polder/topology/graph.hpp"
#include "polder/topology/graphs.hpp"

namespace polder::topology {

/// What from_name accepts, for help texts.
inline constexpr std::string_view allowed_names =
    "ring, chain, star, complete, torus, torus:ROWSxCOLUMNS, hypercube, exponential, one_peer_exponential, "
    "binary_tree, social_network, edges:FILE";

namespace detail {

// "2x5" as a torus of n workers.
inline graph torus_from_sides(std::string_view sides, int n) {
  int rows = 0;
  int columns = 0;
  const char* const last = sides.data() + sides.size();
  const auto first = std::from_chars(sides.data(), last, rows);
  const bool cross = first.ec == std::errc{} && first.ptr != last && *first.ptr == 'x';
  const auto second = cross ? std::from_chars(first.ptr + 1, last, columns) : first;
  require<config_error>(cross && second.ec == std::errc{} && second.ptr == last, "topology torus:", sides,
                        ": write the sides as in torus:2x5");
  graph grid = torus(rows, columns);
  require<config_error>(grid.size() == n, "topology torus:", sides, " has ", grid.size(), " workers, not ", n,
                        ": the product of the sides must be the number of workers");
  return grid;
}

}  // namespace detail

/// The graph called `name` (one of allowed_names) for n workers.
/// Throws config_error for another name, or an n that the graph cannot have; data_error for a bad file.
[[nodiscard]] inline graph from_name(std::string_view name, int n) {
  constexpr std::string_view sides_prefix = "torus:";
  constexpr std::string_view file_prefix = "edges:";
  if (name == "ring") return ring(n);
  if (name == "chain") return chain(n);
  if (name == "star") return star(n);
  if (name == "complete") return complete(n);
  if (name == "torus") return torus(n);
  if (name == "hypercube") return hypercube(n);
  if (name == "exponential") return exponential(n);
  if (name == "one_peer_exponential") return one_peer_exponential(n);
  if (name == "binary_tree") return binary_tree(n);
  if (name == "social_network") {
    graph women_and_events = social_network();
    require<config_error>(women_and_events.size() == n, "topology social_network has ", women_and_events.size(),
                          " workers, not ", n, ": take that number of workers or another graph");
    return women_and_events;
  }
  if (name.starts_with(sides_prefix)) return detail::torus_from_sides(name.substr(sides_prefix.size()), n);
  if (name.starts_with(file_prefix)) {
    detail::require_workers(n, "edges");
    return read_edge_list(std::string(name.substr(file_prefix.size())), n);
  }
  fail<config_error>("unknown topology '", name, "': allowed are ", allowed_names);
}

}  // namespace polder::topology
