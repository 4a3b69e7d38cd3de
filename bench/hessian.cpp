// What an exact Hessian product costs in gradient evaluations of the same model and batch: both are timed in turns in the
// same run, on one thread, in its own time (CPU time). `kept` has the forward and backward pass of the batch kept.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/core/random.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"

namespace {

using namespace polder;

constexpr std::size_t batch = 32;
constexpr std::size_t classes = 10;

struct network {
  const char* name;
  nn::shape input;
};
constexpr network networks[] = {
    {"mlp", {1, 28, 28}}, {"lenet5", {1, 28, 28}}, {"resnet20", {3, 32, 32}}, {"resnet20:evonorm", {3, 32, 32}}};

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The least of the times that `work` takes.
struct stopwatch {
  double best = std::numeric_limits<double>::infinity();
  template <class Work>
  void operator()(const Work& work) {
    const double start = thread_seconds();
    work();
    best = std::min(best, thread_seconds() - start);
  }
};

void product(benchmark::State& state, const network& chosen, bool keep) {
  const nn::model<float, eigen_backend> model(nn::model_from_name(chosen.name, chosen.input, classes), chosen.input,
                                              classes);
  random_stream random({.seed = 1, .purpose = purpose::test});
  std::vector<float> images(batch * chosen.input.size()), x(model.size()), v(model.size()), g(model.size());
  std::vector<std::uint8_t> labels(batch);
  for (float& pixel : images) pixel = static_cast<float>(random.normal());
  for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(random.below(classes));
  for (float& number : v) number = static_cast<float>(random.normal());
  model.initialize(x, 1);
  const auto f = model.on(std::span<const float>(images), std::span<const std::uint8_t>(labels));
  const auto kept = f.kept_hessian(x);
  stopwatch gradient, hessian;
  for (auto _ : state) {
    gradient([&] { benchmark::DoNotOptimize(f.loss_and_gradient(x, g)); });
    hessian([&] { keep ? kept.product(v, g) : f.hessian_product(x, std::span<const float>(v), g); });
    benchmark::DoNotOptimize(g.data());
  }
  state.counters["gradient_us"] = 1e6 * gradient.best;
  state.counters["product_us"] = 1e6 * hessian.best;
  state.counters["gradients"] = hessian.best / gradient.best;
}

const bool registered = [] {
  for (const network& n : networks) {
    for (const bool keep : {false, true}) {
      benchmark::RegisterBenchmark((std::string(keep ? "kept/" : "hessian/") + n.name).c_str(),
                                   [&n, keep](benchmark::State& state) { product(state, n, keep); })
          ->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
