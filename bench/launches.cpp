// What a worker's step asks of a device, counted and not timed: calls by kind, how often the host needs a number, the
// arithmetic of its products, and the memory that a worker holds besides the data set. The same on every machine.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "polder/backend/counting.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/nn/nn.hpp"
#include "polder/recipes/dsgdm_n.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/device_objective.hpp"
#include "polder/train/worker.hpp"

namespace {

using namespace polder;

using backend = counting_backend<eigen_backend>;
using model = nn::device_model<float, backend>;

constexpr std::size_t batch = 32;
constexpr int workers = 3;  // a ring of more has as many neighbors
constexpr int steps = 3;    // the last one is counted

data::dataset blank_images(nn::shape shape) {
  data::dataset images;
  images.name = "blank";
  images.shape = {shape.channels, shape.height, shape.width};
  images.classes = 10;
  images.labels.resize(batch);
  std::iota(images.labels.begin(), images.labels.end(), 0);
  for (std::int32_t& label : images.labels) label %= 10;
  images.pixels = std::vector<std::uint8_t>(batch * images.shape.size());
  return images;
}

struct costs {
  backend_counts step;
  std::size_t memory = 0;     // bytes that a worker holds
  std::size_t workspace = 0;  // of these, the model's
};

template <class Recipe>
costs costs_of(const nn::sequential& network, nn::shape shape, const Recipe& recipe) {
  const data::dataset images = blank_images(shape);
  const auto ring = topology::mixing_matrix::usual(topology::ring(workers));
  costs found;
  run_workers(workers, [&](auto& comm) {
    const backend mine;
    const data::resident_dataset<float, backend> resident(images, mine);
    mine.reset();
    model net(network, shape, 10, mine, {.most_images = batch});
    std::vector<float> x0(net.size());
    net.initialize(x0, 1);
    const std::size_t workspace = net.workspace_bytes();
    std::vector<std::size_t> all(batch);
    std::iota(all.begin(), all.end(), std::size_t{0});
    device_objective objective(std::move(net), resident, data::loader<float>(images, all, batch, 1, 0));
    worker one(recipe, mine, comm, ring, objective, std::span<const float>(x0), {.lr = {.base = 0.1}});
    std::uint64_t memory = 0;
    for (int step = 0; step < steps; ++step) {
      one.step();
      if (step + 2 == steps) {  // what the steps before this one have got as well
        memory = mine.counts().bytes_allocated;
        mine.reset();
      }
    }
    if (comm.rank() == 0) found = {mine.counts(), memory, workspace};
  });
  return found;
}

template <class Recipe>
void row(const char* network_name, const nn::sequential& network, nn::shape shape, const char* method,
         const Recipe& recipe) {
  const auto [c, memory, workspace] = costs_of(network, shape, recipe);
  std::printf("| %-9s | %-8s | %5llu | %8llu | %4llu | %5llu | %6llu | %9llu | %5llu | %17.3f | %9.1f | %9.1f |\n",
              network_name, method, static_cast<unsigned long long>(c.calls()), static_cast<unsigned long long>(c.gemm),
              static_cast<unsigned long long>(c.each), static_cast<unsigned long long>(c.teams),
              static_cast<unsigned long long>(c.total().passes),
              static_cast<unsigned long long>(c.to_host.passes + c.from_host.passes),
              static_cast<unsigned long long>(c.to_host.passes), static_cast<double>(c.multiply_adds) * 1e-9,
              static_cast<double>(memory) / 1048576.0, static_cast<double>(workspace) / 1048576.0);
}

}  // namespace

int main() {
  std::printf(
      "| network   | method   | calls | products | each | teams | passes | crossings | asked | 1e9 multiply-adds | MiB "
      "held "
      "| workspace |\n"
      "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
  const auto both = [](const char* name, const nn::sequential& network, nn::shape shape) {
    row(name, network, shape, "DSGDm-N", recipes::dsgdm_n());
    row(name, network, shape, "Q-SADDLe", recipes::q_saddle());
  };
  both("LeNet-5", nn::lenet5(), {1, 28, 28});
  both("ResNet-20", nn::resnet20(), {3, 32, 32});
}
