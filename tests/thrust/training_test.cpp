// A network trains on Thrust's default system, images and all, as on the reference backend: one worker, and several of
// one process, each with a backend of its own.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/backend/thrust.hpp"
#include "polder/polder.hpp"
#include "support/catch.hpp"
#if defined(__CUDACC__)
#include "polder/backend/cublas.hpp"
#else
#include "polder/backend/eigen.hpp"
#endif

using namespace polder;

// Named: nvcc launches kernels of these types.
namespace thrust_training {

#if defined(__CUDACC__)
using engine_backend = cublas_backend;
#else
using engine_backend = with_products<thrust_backend<>, eigen_backend>;
#endif

constexpr std::size_t count = 40, batch = 8, classes = 4;

data::dataset pictures() {
  data::dataset set;
  set.name = "pictures";
  set.shape = {1, 12, 12};
  set.classes = classes;
  set.scale = 1.0 / 255;
  random_stream random({.seed = 4});
  std::vector<std::uint8_t> pixels(count * set.shape.size());
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  for (std::size_t i = 0; i < count; ++i) set.labels.push_back(static_cast<std::int32_t>(random.below(classes)));
  set.pixels = pixels;
  return set;
}

/// The parameters after `epochs` of Q-SADDLe on one worker, with images that are moved and mirrored.
template <class Backend>
std::vector<double> trained(const data::dataset& set, std::size_t epochs = 2, bool replay = false) {
  const Backend backend;
  self<typename Backend::space> alone;
  const auto nobody_else = topology::mixing_matrix::usual(topology::ring(1));
  const data::resident_dataset<double, Backend> resident(set, backend);
  nn::device_model<double, Backend> model(nn::lenet5({1, 12, 12}, classes), {1, 12, 12}, classes, backend,
                                          {.most_images = batch, .replay = replay});
  std::vector<double> x(model.size());
  model.initialize(x, 7);
  std::vector<std::size_t> shard(count);
  for (std::size_t i = 0; i < count; ++i) shard[i] = i;
  device_objective f(std::move(model), resident,
                     data::loader<double>(set, shard, batch, 3, 0, {.padding = 2, .flip = true}));
  worker one(recipes::q_saddle({.rho = 0.1}), backend, alone, nobody_else, f, std::span<const double>(x),
             {.lr = {.base = 0.1}});
  while (one.steps() < epochs * count / batch) one.step();
  backend.to_host(one.model(), std::span<double>(x));
  return x;
}

constexpr int team = 4;

/// The parameters of all workers after `epochs` on the graph, one after the other.
template <class Backend, class Recipe>
std::vector<double> trained_together(const data::dataset& set, const Recipe& recipe,
                                     const topology::mixing_matrix& weights, std::size_t epochs = 3) {
  const Backend loading;
  const data::resident_dataset<double, Backend> resident(set, loading);
  std::vector<std::vector<double>> ends(team);
  in_process_group<typename Backend::space> group(team);
  run_workers(group, [&](auto& comm) {
    const Backend backend;
    const auto rank = static_cast<std::size_t>(comm.rank());
    nn::device_model<double, Backend> model(nn::lenet5({1, 12, 12}, classes), {1, 12, 12}, classes, backend,
                                            {.most_images = batch});
    std::vector<double> x(model.size());
    model.initialize(x, 7);
    std::vector<std::size_t> shard(count / team);
    for (std::size_t i = 0; i < shard.size(); ++i) shard[i] = i * team + rank;
    device_objective f(
        std::move(model), resident,
        data::loader<double>(set, shard, batch / 4, 3, static_cast<std::uint32_t>(rank), {.padding = 2, .flip = true}));
    worker one(recipe, backend, comm, weights, f, std::span<const double>(x), {.lr = {.base = 0.1}});
    while (one.steps() < epochs * shard.size() / (batch / 4)) one.step();
    backend.to_host(one.model(), std::span<double>(x));
    ends[rank] = std::move(x);
  });
  std::vector<double> all;
  for (const std::vector<double>& x : ends) all.insert(all.end(), x.begin(), x.end());
  return all;
}

/// Checks `found` against the run on the reference backend.
void check_run(const std::vector<double>& start, const std::vector<double>& expected,
               const std::vector<double>& found) {
  REQUIRE(found.size() == expected.size());
  double gaps = 0, squares = 0, moved = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    gaps += (found[i] - expected[i]) * (found[i] - expected[i]);
    squares += expected[i] * expected[i];
    moved += (expected[i] - start[i]) * (expected[i] - start[i]);
  }
  CHECK(moved > 1e-4 * squares);
  CHECK(std::sqrt(gaps / squares) < 1e-10);
}

template <class Recipe>
void check_together(const data::dataset& set, const Recipe& recipe, const topology::mixing_matrix& weights) {
  const std::vector<double> start = trained_together<reference_backend>(set, recipe, weights, 0);
  const std::vector<double> found = trained_together<engine_backend>(set, recipe, weights);
  check_run(start, trained_together<reference_backend>(set, recipe, weights), found);
  CHECK(trained_together<engine_backend>(set, recipe, weights) == found);
}

TEST_CASE("LeNet-5 trains on Thrust's default system as on the reference backend", "[thrust]") {
  const data::dataset set = pictures();
  const std::vector<double> start = trained<reference_backend>(set, 0);
  const std::vector<double> expected = trained<reference_backend>(set);
  const std::vector<double> found = trained<engine_backend>(set);
  check_run(start, expected, found);
  CHECK(trained<engine_backend>(set) == found);  // equal input, equal bits
  CHECK(trained<engine_backend>(set, 2, true) == found);
}

TEST_CASE("LeNet-5 trains on workers of one process with a backend each", "[thrust]") {
  const data::dataset set = pictures();
  check_together(set, recipes::q_saddle({.rho = 0.1}),
                 topology::mixing_matrix::usual(topology::one_peer_exponential(team)));
  check_together(set, recipes::dppf({.tau = 2}), topology::mixing_matrix::usual(topology::complete(team)));
}

}  // namespace thrust_training
