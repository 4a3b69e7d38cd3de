// What the tests of this folder share.
#pragma once

#include <string>
#include <vector>

#include "polder/topology/graph.hpp"
#include "support/catch.hpp"

/// The text of the `Error` that `run` throws; fails the test if it throws nothing. Other exceptions pass through.
template <class Error, class Run>
std::string message_of(Run run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  FAIL("no exception was thrown");
  return {};
}

/// Fails unless `message` contains each of `parts`.
inline void check_parts(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    INFO("message: " << message << "\nwanted: " << part);
    CHECK(message.find(part) != std::string::npos);
  }
}

inline std::vector<int> heard(const polder::topology::graph& g, int rank, std::uint64_t round = 0) {
  const auto list = g.in_neighbors(round, rank);
  return {list.begin(), list.end()};
}
inline std::vector<int> told(const polder::topology::graph& g, int rank, std::uint64_t round = 0) {
  const auto list = g.out_neighbors(round, rank);
  return {list.begin(), list.end()};
}
