// Runs combinations of parts and compares them with the formulas.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "combinations/formulas.hpp"
#include "combinations/parts.hpp"
#include "combinations/uses.hpp"
#include "polder/backend/reference.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/core/random.hpp"
#include "polder/core/schedule.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/train/worker.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"

namespace polder::test {

inline constexpr std::size_t team = 5;
inline constexpr std::size_t steps = 6;

/// Three rounds of two steps; the learning rate drops inside the second.
inline learning_rate dropping() {
  return {.base = 0.1, .kind = learning_rate::shape::steps, .factor = 0.2, .milestones = {0.5}};
}

/// A quadratic whose parameters are three tensors.
struct three_tensor_quadratic : quadratics::objective {
  [[nodiscard]] polder::layout layout() const { return three_tensors(); }
};

/// What a run needs besides its parts. On the ring gradients are clipped and parameters decay, on the other graph not.
struct ground {
  quadratics f{team, numbers, 7};
  topology::mixing_matrix weights;
  update_formula clip_and_decay;
  tensor_table tensors = three_tensors_table();
  stacked_problem problem;
  std::vector<double> x0;

  ground(const topology::graph& graph, double most, double decay)
      : weights(topology::mixing_matrix::metropolis(graph)), clip_and_decay{.decay = decay, .most = most} {
    random_stream random({3, purpose::test});
    for (std::size_t k = 0; k < numbers; ++k) x0.push_back(random.normal());
    problem.n = team;
    problem.d = numbers;
    problem.w = weights.dense(0);
    problem.gradient = [this](std::size_t i, const std::vector<double>& x) { return f.gradient(i, x); };
    problem.lr = [](std::size_t t) { return t < steps / 2 ? 0.1 : 0.02; };
  }
  ground(const ground&) = delete;

  static ground ring() { return {topology::ring(5), 1.0, 0.01}; }
  /// Degrees 1 to 3.
  static ground irregular() {
    return {topology::from_edges(5, std::vector<topology::edge>{{0, 1}, {0, 2}, {0, 3}, {1, 2}, {3, 4}}), 0.0, 0.0};
  }
};

/// What a worker ends with.
template <class Gradient, class Update, class Mixing>
[[gnu::noinline]] std::vector<double> end_of(const Gradient& gradient, const Update& update, const Mixing& mixing,
                                             const ground& on, in_process<>& comm) {
  three_tensor_quadratic f{on.f.of(comm.rank())};
  worker one(algorithm{gradient, update, mixing}, reference_backend{}, comm, on.weights, f,
             std::span<const double>(on.x0), {.lr = dropping(), .total_steps = steps});
  for (std::size_t t = 0; t < steps; ++t) one.step();
  std::vector<double> x(numbers);
  reference_backend{}.to_host(one.x(), std::span(x));
  return x;
}

struct combination {
  std::string name;
  gradient_formula gradient;
  update_formula update;
  mixing_formula mixing;
};

/// In double, 6 steps differ by the order of some sums; the programs of CGA are solved to 1e-12 of a weight, which nearly
/// parallel rows make more of.
inline void compare(const ground& on, const combination& c, const rows& trained) {
  stacked_run expected(on.problem, on.tensors, c.gradient, c.update, c.mixing, rows(team, on.x0));
  for (std::size_t t = 0; t < steps; ++t) expected.step();
  const double difference = largest_difference(trained, expected.x());
  if (!(difference < (c.gradient.program ? 1e-9 : 1e-12))) {
    FAIL_CHECK(c.name << " differs from its formulas by " << difference);
  }
}

/// Runs all that the lists make on one ground; returns how many combinations these are. The workers' threads live on from
/// one combination to the next.
template <class Gradients, class Updates, class Mixings>
std::size_t run_all(const ground& on, Gradients all_gradients, Updates all_updates, Mixings all_mixings) {
  std::vector<combination> all;
  std::vector<rows> ends(team);  // of each worker, by combination
  run_workers(static_cast<int>(team), [&](in_process<>& comm) {
    rows& mine = ends[static_cast<std::size_t>(comm.rank())];
    for_each_part(all_gradients, [&](auto gradient) {
      for_each_part(all_updates, [&](auto update) {
        for_each_part(all_mixings, [&](auto mixing) {
          for (const auto& g : uses_of(gradient)) {
            for (const auto& u : uses_of(update, on.clip_and_decay)) {
              for (const auto& m : uses_of(mixing)) {
                if (!together(g.formula, m.formula)) continue;
                mine.push_back(end_of(g.part, u.part, m.part, on, comm));
                if (comm.rank() != 0) continue;
                all.push_back({g.name + ", " + u.name + ", " + m.name, g.formula, u.formula, m.formula});
              }
            }
          }
        });
      });
    });
  });
  for (std::size_t c = 0; c < all.size(); ++c) {
    rows trained;
    for (const rows& worker : ends) trained.push_back(worker[c]);
    compare(on, all[c], trained);
  }
  return all.size();
}

}  // namespace polder::test
