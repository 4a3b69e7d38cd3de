// Runs an algorithm on a team of in-process workers and returns what everybody ended with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/comm/in_process.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/train/worker.hpp"

namespace polder::test {

/// One vector per worker.
template <class T>
using stacked = std::vector<std::vector<T>>;

/// `steps` steps of `parts` on one worker per row of `start`; worker i minimizes make_objective(i).
/// look(worker, step) is called after every step, on the worker's own thread.
template <class Backend, class T, class Algorithm, class MakeObjective, class Look>
stacked<T> train_team(const Backend& backend, const Algorithm& parts, const topology::mixing_matrix& weights,
                      const stacked<T>& start, MakeObjective make_objective, std::uint64_t steps,
                      worker_options options, Look look) {
  stacked<T> result(start.size());
  options.total_steps = steps;
  options.equal_start = false;
  run_workers(static_cast<int>(start.size()), [&](auto& comm) {
    const auto rank = static_cast<std::size_t>(comm.rank());
    auto f = make_objective(comm.rank());
    worker one(parts, backend, comm, weights, f, std::span<const T>(start[rank]), options);
    for (std::uint64_t t = 0; t < steps; ++t) {
      one.step();
      look(one, t);
    }
    result[rank].resize(start[rank].size());
    backend.to_host(one.x(), std::span<T>(result[rank]));
  });
  return result;
}

template <class Backend, class T, class Algorithm, class MakeObjective>
stacked<T> train_team(const Backend& backend, const Algorithm& parts, const topology::mixing_matrix& weights,
                      const stacked<T>& start, MakeObjective make_objective, std::uint64_t steps,
                      worker_options options = {}) {
  return train_team(backend, parts, weights, start, make_objective, steps, options, [](auto&, std::uint64_t) {});
}

/// The same vector for each of `workers` workers.
template <class T>
stacked<T> equal_start(std::size_t workers, const std::vector<T>& x0) {
  return stacked<T>(workers, x0);
}

}  // namespace polder::test
