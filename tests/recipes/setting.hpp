// What all recipes are run on and compared with their stacked references: heterogeneous quadratics of eight workers, and a
// learning rate that drops in mid-run.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "polder/core/random.hpp"
#include "polder/core/schedule.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "recipes/stacked_reference.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace polder::test {

inline constexpr std::size_t workers = 8;
inline constexpr std::size_t dimension = 21;  // more than one canonical lane set, and odd
inline constexpr std::size_t steps = 60;
inline constexpr double wd = 0.01;

inline topology::mixing_matrix ring() { return topology::mixing_matrix::metropolis(topology::ring(8)); }
/// Degrees 1 to 5.
inline topology::mixing_matrix irregular() {
  return topology::mixing_matrix::metropolis(topology::from_edges(
      8, std::vector<topology::edge>{{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {1, 2}, {3, 6}, {6, 7}, {4, 5}}));
}

/// A learning rate that drops to a fifth in mid-run: buffers that hold displacements must notice.
inline learning_rate dropping() {
  return {.base = 0.05, .kind = learning_rate::shape::steps, .factor = 0.2, .milestones = {0.5}};
}

struct setting {
  quadratics f{workers, dimension, 7};
  topology::mixing_matrix weights;
  stacked_problem problem;
  std::vector<double> x0;

  explicit setting(topology::mixing_matrix w) : weights(std::move(w)) {
    random_stream random({3, purpose::test});
    for (std::size_t k = 0; k < dimension; ++k) x0.push_back(random.normal());
    problem.n = workers;
    problem.d = dimension;
    problem.w = weights.dense(0);
    problem.gradient = [this](std::size_t i, const std::vector<double>& x) { return f.gradient(i, x); };
    problem.lr = [](std::size_t t) { return t < 30 ? 0.05 : 0.01; };
    problem.wd = wd;
  }
  setting(const setting&) = delete;

  [[nodiscard]] rows start() const { return rows(workers, x0); }
  /// What the workers end with; worker i minimizes make_objective(i).
  template <class T, class Backend, class Algorithm, class MakeObjective>
  [[nodiscard]] stacked<T> train_on(const Backend& backend, const Algorithm& parts,
                                    const MakeObjective& make_objective) const {
    return train_team(backend, parts, weights, equal_start<T>(workers, std::vector<T>(x0.begin(), x0.end())),
                      make_objective, steps, {.lr = dropping()});
  }
  template <class T = double, class Backend, class Algorithm>
  [[nodiscard]] stacked<T> train(const Backend& backend, const Algorithm& parts) const {
    return train_on<T>(backend, parts, [this](int i) { return f.of(i); });
  }
};

}  // namespace polder::test
