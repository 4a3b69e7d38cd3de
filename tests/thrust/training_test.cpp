// A network trains on Thrust's default system, images and all, as on the reference backend.
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
std::vector<double> trained(const data::dataset& set, std::size_t epochs = 2) {
  const Backend backend;
  self<typename Backend::space> alone;
  const auto nobody_else = topology::mixing_matrix::usual(topology::ring(1));
  const data::resident_dataset<double, Backend> resident(set, backend);
  nn::device_model<double, Backend> model(nn::lenet5({1, 12, 12}, classes), {1, 12, 12}, classes, backend,
                                          {.most_images = batch});
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

TEST_CASE("LeNet-5 trains on Thrust's default system as on the reference backend", "[thrust]") {
  const data::dataset set = pictures();
  const std::vector<double> start = trained<reference_backend>(set, 0);
  const std::vector<double> expected = trained<reference_backend>(set);
  const std::vector<double> found = trained<engine_backend>(set);
  double gaps = 0, squares = 0, moved = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    gaps += (found[i] - expected[i]) * (found[i] - expected[i]);
    squares += expected[i] * expected[i];
    moved += (expected[i] - start[i]) * (expected[i] - start[i]);
  }
  CHECK(moved > 1e-4 * squares);
  CHECK(std::sqrt(gaps / squares) < 1e-10);
  CHECK(trained<engine_backend>(set) == found);  // equal input, equal bits
}

}  // namespace thrust_training
