// Many workers in one process: what a training step of LeNet-5 costs per worker as their number grows.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/comm/in_process.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/core/random.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "polder/recipes/qgm.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/metrics.hpp"
#include "polder/train/worker.hpp"

namespace {

using namespace polder;

constexpr std::size_t batch = 32;
constexpr std::uint64_t warm_up = 2;
constexpr std::uint64_t rounds = 6;

/// Noise with random labels: the cost of a step does not depend on what is learned.
struct noise {
  std::vector<float> images;
  std::array<std::uint8_t, batch> labels{};

  explicit noise(std::size_t numbers) : images(numbers) {
    random_stream random({.seed = 1, .purpose = purpose::test});
    for (float& pixel : images) pixel = static_cast<float>(random.normal());
    for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(random.below(10));
  }
};

/// Seconds for `rounds` rounds of all workers.
double seconds_of(int workers) {
  const nn::model<float, eigen_backend> lenet(nn::lenet5(), {1, 28, 28}, 10);
  const noise data(batch * 784);
  std::vector<float> x0(lenet.size());
  lenet.initialize(x0, 1);
  const auto weights = topology::mixing_matrix::metropolis(topology::ring(workers));
  double seconds = 0.0;
  run_workers(workers, [&](auto& comm) {
    const eigen_backend backend;
    auto f = lenet.on(std::span<const float>(data.images), std::span<const std::uint8_t>(data.labels));
    worker one(recipes::qgm(), backend, comm, weights, f, std::span<const float>(x0),
               worker_options{.lr = {.base = 0.01}});
    for (std::uint64_t t = 0; t < warm_up; ++t) one.step();
    (void)gather(comm, 0);
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t t = 0; t < rounds; ++t) one.step();
    (void)gather(comm, 0);
    if (comm.rank() == 0) {
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
  });
  return seconds / static_cast<double>(rounds);
}

/// One round: a step of every worker (forward, backward, fused update) and gossip on a ring. `core_us_per_worker` is
/// the time of one worker's step on one core; it should not grow with the number of workers.
void lenet5_round(benchmark::State& state) {
  const auto workers = static_cast<int>(state.range(0));
  double total = 0.0;
  for (auto _ : state) {
    const double seconds = seconds_of(workers);
    state.SetIterationTime(seconds);
    total += seconds;
  }
  const double round = total / static_cast<double>(state.iterations());
  const double cores = std::min(static_cast<double>(workers), static_cast<double>(std::thread::hardware_concurrency()));
  state.counters["core_us_per_worker"] = round * cores / workers * 1e6;
  state.counters["samples/s"] = static_cast<double>(workers) * batch / round;
}
BENCHMARK(lenet5_round)
    ->Arg(2)
    ->Arg(8)
    ->Arg(32)
    ->Arg(128)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);

}  // namespace

BENCHMARK_MAIN();
