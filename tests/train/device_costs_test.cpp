// What a step asks of a device, counted: calls, waits, products and memory.
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "polder/backend/counting.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/comm/self.hpp"
#include "polder/nn/nn.hpp"
#include "polder/recipes/dsgdm_n.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/device_objective.hpp"
#include "polder/train/worker.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace {

using backend = counting_backend<eigen_backend>;
using model = nn::device_model<float, backend>;

constexpr std::size_t inputs = 6, hidden = 5, classes = 3;

data::dataset vectors_of(std::size_t count) {
  data::dataset set;
  set.name = "vectors";
  set.shape = {inputs, 1, 1};
  set.classes = classes;
  std::vector<float> pixels(count * inputs);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = 0.1f * static_cast<float>(i % 11);
  for (std::size_t i = 0; i < count; ++i) set.labels.push_back(static_cast<std::int32_t>(i % classes));
  set.pixels = std::move(pixels);
  return set;
}

/// The counts of the second and of the third step: in the first one buffers grow.
template <class Recipe>
std::pair<backend_counts, backend_counts> counts_of(const Recipe& recipe, std::size_t batch) {
  const backend b;
  const data::dataset set = vectors_of(2 * batch);
  const data::resident_dataset<float, backend> resident(set, b);
  model net({nn::dense{.units = hidden}, nn::relu{}, nn::dense{.units = classes}}, {inputs, 1, 1}, classes, b,
            {.most_images = batch});
  std::vector<float> x0(net.size());
  net.initialize(x0, 1);
  std::vector<std::size_t> shard(2 * batch);
  for (std::size_t i = 0; i < shard.size(); ++i) shard[i] = i;
  device_objective objective(std::move(net), resident, data::loader<float>(set, shard, batch, 1, 0));
  self comm;
  const auto alone = topology::mixing_matrix::usual(topology::ring(1));
  worker one(recipe, b, comm, alone, objective, std::span<const float>(x0), {.lr = {.base = 0.1}});
  one.step();
  b.reset();
  one.step();
  const backend_counts before = b.counts();
  b.reset();
  one.step();
  return {before, b.counts()};
}

}  // namespace

TEST_CASE("a step on a device makes the calls that its layers need, and waits once for each loss") {
  const std::size_t batch = 4;
  const auto [before, step] = counts_of(recipes::dsgdm_n(), batch);
  CHECK(before == step);
  CHECK(step.allocations == 0);
  // forward: two products, two biases, a relu, the losses; backward: the gradients of two weights and of the one input
  // that is wanted, of two biases, of the relu; the batch is gathered and the losses are added up by a team each
  CHECK(step.gemm == 2 + 3);
  CHECK(step.multiply_adds == batch * (2 * inputs * hidden + 3 * hidden * classes));
  CHECK(step.each == 3 + 1 + 1);
  CHECK(step.teams == 2 + 1 + 1);
  CHECK(step.from_host == traffic{1, 0, batch * sizeof(std::size_t)});
  CHECK(step.to_host == traffic{1, sizeof(double), 0});
}

TEST_CASE("the ascent of SAM costs a device one more evaluation and two passes") {
  const std::size_t batch = 4;
  const auto plain_step = counts_of(recipes::dsgdm_n(), batch).second;
  const auto [before, step] = counts_of(recipes::q_saddle({.rho = 0.05}), batch);
  CHECK(before == step);
  CHECK(step.allocations == 0);
  CHECK(step.gemm == 2 * plain_step.gemm);
  CHECK(step.multiply_adds == 2 * plain_step.multiply_adds);
  CHECK(step.each == 2 * plain_step.each);
  CHECK(step.teams == 2 * plain_step.teams - 1);  // the batch is gathered once
  CHECK(step.from_host == plain_step.from_host);
  CHECK(step.to_host.passes == 2);
  CHECK(step.total().passes == plain_step.total().passes + 2);
}

TEST_CASE("a larger batch makes no more calls") {
  const auto small = counts_of(recipes::q_saddle(), 2).second, large = counts_of(recipes::q_saddle(), 9).second;
  CHECK(small.calls() == large.calls());
  CHECK(small.calls() == small.gemm + small.each + small.teams + small.total().passes + 2 + 1);
}
