// Many workers that train a network in one memory: the step that bench/peers times in PyTorch and JAX, with their settings
// and in their rows.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/comm/run_workers.hpp"
#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "polder/nn/device_model.hpp"
#include "polder/nn/models.hpp"
#include "polder/recipes/dsgdm_n.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/device_objective.hpp"
#include "polder/train/metrics.hpp"
#include "polder/train/worker.hpp"
#include "polder/version.hpp"

namespace polder::bench {

/// A network, and how many train it.
struct training_case {
  const char* model;
  int workers;
};
inline constexpr std::array training_cases{training_case{"resnet20", 10}, training_case{"lenet5", 10},
                                           training_case{"lenet5", 128}, training_case{"resnet20", 40}};
inline constexpr std::size_t training_batch = 32;
inline constexpr std::size_t training_images = 20'000;
inline constexpr int training_rounds = 5;

/// What a row found.
struct training_time {
  double seconds_per_step = 0;  // the median of the rounds
  double spread = 0;            // the slowest round less the fastest, as a share of the median
  double seconds_to_warm = 0;
  double bytes_per_worker = 0;
};

/// Standard normal pixels and uniform labels: as fast as others to train on, and never learned.
inline data::dataset random_images(nn::shape shape) {
  data::dataset images;
  images.name = "random";
  images.shape = {shape.channels, shape.height, shape.width};
  images.classes = 10;
  random_stream random({.seed = 1});
  std::vector<float> pixels(training_images * images.shape.size());
  for (float& pixel : pixels) pixel = static_cast<float>(random.normal());
  for (std::size_t i = 0; i < training_images; ++i) {
    images.labels.push_back(static_cast<std::int32_t>(random.below(10)));
  }
  images.pixels = std::move(pixels);
  return images;
}

/// Times `steps` of all workers at a time, until they take `seconds` together. `make_backend()` makes a worker's backend, in
/// the worker's thread; `memory_in_use()` says how many bytes of the device are taken.
template <class Recipe, class MakeBackend, class Memory>
training_time time_training(const training_case& of, const data::dataset& images, const Recipe& recipe, bool replay,
                            double seconds, const MakeBackend& make_backend, const Memory& memory_in_use) {
  using backend_type = decltype(make_backend());
  using clock = std::chrono::steady_clock;
  const auto since = [](clock::time_point begin) {
    return std::chrono::duration<double>(clock::now() - begin).count();
  };
  const nn::shape shape{images.shape.channels, images.shape.height, images.shape.width};
  const nn::sequential network = std::string_view(of.model) == "lenet5" ? nn::lenet5() : nn::resnet20();
  const data::resident_dataset<float, backend_type> resident(images, make_backend());
  const auto ring = topology::mixing_matrix::metropolis(topology::ring(of.workers));

  training_time found;
  const double before = memory_in_use();
  in_process_group<typename backend_type::space> group(of.workers);
  run_workers(group, [&](auto& comm) {
    const backend_type backend = make_backend();
    nn::device_model<float, backend_type> model(network, shape, 10, backend,
                                                {.most_images = training_batch, .replay = replay});
    std::vector<float> x0(model.size());
    model.initialize(x0, 1);
    const std::size_t share = training_images / static_cast<std::size_t>(of.workers);
    std::vector<std::size_t> shard(share);
    std::iota(shard.begin(), shard.end(), share * static_cast<std::size_t>(comm.rank()));
    device_objective objective(
        std::move(model), resident,
        data::loader<float>(images, shard, training_batch, 1, static_cast<std::uint32_t>(comm.rank())));
    worker one(recipe, backend, comm, ring, objective, std::span<const float>(x0), {.lr = {.base = 0.05}});

    // All workers' steps are done when this returns.
    const auto run = [&](int steps) {
      const auto begin = clock::now();
      for (int step = 0; step < steps; ++step) (void)one.step();
      float last = 0;
      backend.to_host(one.x().part(0, 1), std::span<float>(&last, 1));
      one.settle();
      (void)gather(comm, last);
      return since(begin);
    };
    const double to_warm = run(10);  // places take turns by threes: all evaluations have been captured after 6 steps
    const double once = gather(comm, run(1))[0];
    const int steps = std::max(1, static_cast<int>(std::lround(seconds / training_rounds / once)));
    std::array<double, training_rounds> rounds{};
    for (double& round : rounds) round = run(steps) / steps;
    std::sort(rounds.begin(), rounds.end());
    if (comm.rank() == 0) {
      const double median = rounds[training_rounds / 2];
      found = {median, (rounds.back() - rounds.front()) / median, to_warm,
               (memory_in_use() - before) / static_cast<double>(of.workers)};
    }
    (void)gather(comm, 0);
  });
  return found;
}

/// All rows, as JSON lines in `file`; a row that fails is a row with an `error`. After `most_seconds` none is begun.
template <class MakeBackend, class Memory>
void time_all_trainings(std::FILE* file, const std::string& device, const char* precision,
                        const std::vector<std::pair<const char*, bool>>& modes, double seconds, double most_seconds,
                        const MakeBackend& make_backend, const Memory& memory_in_use) {
  const data::dataset small = random_images({1, 28, 28}), large = random_images({3, 32, 32});
  const auto images_of = [&](const training_case& of) -> const data::dataset& {
    return std::string_view(of.model) == "lenet5" ? small : large;
  };
  const auto begin = std::chrono::steady_clock::now();
  // What is loaded once, kernels above all, is in no row's memory.
  for (const char* const model : {"lenet5", "resnet20"}) {
    const training_case alone{model, 1};
    (void)time_training(alone, images_of(alone), recipes::q_saddle(), false, 0.01, make_backend, memory_in_use);
  }
  for (const training_case& of : training_cases) {
    for (const char* const method : {"q_saddle", "dsgdm_n"}) {
      for (const auto& [mode, replay] : modes) {
        if (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() > most_seconds) {
          std::fprintf(stderr, "left out for want of time: %s, %d workers, %s, %s\n", of.model, of.workers, method,
                       mode);
          continue;
        }
        std::fprintf(
            file,
            "{\"peer\": \"polder\", \"version\": \"%s\", \"device\": \"%s\", \"mode\": \"%s\", \"model\": \"%s\", "
            "\"workers\": %d, \"batch\": %zu, \"method\": \"%s\", \"precision\": \"%s\", \"data\": \"random\", ",
            POLDER_VERSION_STRING, device.c_str(), mode, of.model, of.workers, training_batch, method, precision);
        try {
          const bool saddle = std::string_view(method) == "q_saddle";
          const training_time t =
              saddle
                  ? time_training(of, images_of(of), recipes::q_saddle(), replay, seconds, make_backend, memory_in_use)
                  : time_training(of, images_of(of), recipes::dsgdm_n(), replay, seconds, make_backend, memory_in_use);
          std::fprintf(
              file,
              "\"seconds_per_step\": %.6g, \"spread\": %.4g, \"seconds_to_warm\": %.4g, \"bytes_per_worker\": %.6g, "
              "\"samples_per_second\": %.6g}\n",
              t.seconds_per_step, t.spread, t.seconds_to_warm, t.bytes_per_worker,
              static_cast<double>(of.workers) * static_cast<double>(training_batch) / t.seconds_per_step);
        } catch (const std::exception& e) {
          std::string what = e.what();
          std::replace_if(
              what.begin(), what.end(), [](char c) { return c == '"' || c == '\\' || c == '\n'; }, '\'');
          std::fprintf(file, "\"error\": \"%s\"}\n", what.c_str());
        }
        std::fflush(file);
      }
    }
  }
}

}  // namespace polder::bench
