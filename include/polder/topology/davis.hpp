// polder — the social network: 18 women and the 14 events that they came to.
#pragma once

#include <utility>
#include <vector>

#include "polder/topology/graph.hpp"

namespace polder::topology {

namespace detail {

/// The events (1 .. 14, in the order of the published table) that each of the 18 women attended.
inline std::vector<std::vector<int>> davis_attendance() {
  return {
      {1, 2, 3, 4, 5, 6, 8, 9},       // Evelyn Jefferson
      {1, 2, 3, 5, 6, 7, 8},          // Laura Mandeville
      {2, 3, 4, 5, 6, 7, 8, 9},       // Theresa Anderson
      {1, 3, 4, 5, 6, 7, 8},          // Brenda Rogers
      {3, 4, 5, 7},                   // Charlotte McDowd
      {3, 5, 6, 8},                   // Frances Anderson
      {5, 6, 7, 8},                   // Eleanor Nye
      {6, 8, 9},                      // Pearl Oglethorpe
      {5, 7, 8, 9},                   // Ruth DeSand
      {7, 8, 9, 12},                  // Verne Sanderson
      {8, 9, 10, 12},                 // Myra Liddel
      {8, 9, 10, 12, 13, 14},         // Katherina Rogers
      {7, 8, 9, 10, 12, 13, 14},      // Sylvia Avondale
      {6, 7, 9, 10, 11, 12, 13, 14},  // Nora Fayette
      {7, 8, 10, 11, 12},             // Helen Lloyd
      {8, 9},                         // Dorothy Murchison
      {9, 11},                        // Olivia Carleton
      {9, 11},                        // Flora Price
  };
}

}  // namespace detail

/// The bipartite graph of the Southern women: worker w < 18 is a woman, worker 18 + e an event; 89 edges, degrees 2 to
/// 14, diameter 4. The irregular graph that decentralized learning is usually tested on.
/// Source: A. Davis, B. B. Gardner, M. R. Gardner, "Deep South", University of Chicago Press, 1941.
[[nodiscard]] inline graph social_network() {
  constexpr int women = 18;
  constexpr int events = 14;
  std::vector<edge> edges;
  int woman = 0;
  for (const std::vector<int>& attended : detail::davis_attendance()) {
    for (const int event : attended) edges.push_back({woman, women + event - 1});
    ++woman;
  }
  return from_edges(women + events, std::move(edges), false, "social network");
}

}  // namespace polder::topology
