// Training throughput of the engine on one thread: samples per second of a forward and a backward pass at batch 32,
// beside LibTorch where it was found, and as a share of two peaks measured in the same run: of a large matrix product
// (of_gemm_peak), and of multiply-adds in registers (of_fma_peak), beyond which the processor cannot go. Neither side
// takes an optimizer step. LibTorch is only as fast as the BLAS it finds: compare with an optimized one (Debian:
// libopenblas0). Times are the thread's own (CPU time), so that a busy machine disturbs them less.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <vector>

#if defined(POLDER_HAVE_LIBTORCH)
#include <torch/torch.h>
#include <unistd.h>

#include <cstdlib>
#endif

#include "polder/backend/eigen.hpp"
#include "polder/core/random.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "polder/nn/simd.hpp"

namespace {

using namespace polder;

constexpr std::size_t batch = 32;
constexpr std::size_t classes = 10;

/// A model and its multiplications per image: of a forward pass, and of the first layer, whose input gradient is not
/// taken.
struct contestant {
  const char* name;
  nn::shape input;
  double forward;
  double first;

  /// Floating-point operations of training on one image.
  [[nodiscard]] double operations() const { return 2 * (3 * forward - first); }
};

constexpr double resnet_stage(double pixels, double in, double out) {
  return pixels * 9 * (in * out + 5 * out * out) + (in == out ? 0 : pixels * in * out);
}

constexpr std::array<contestant, 4> contestants{{
    {"mlp", {1, 28, 28}, 784 * 256 + 256 * 128 + 128 * 10, 784 * 256},
    {"lenet5", {1, 28, 28}, 784 * 25 * 6 + 100 * 150 * 16 + 400 * 120 + 120 * 84 + 84 * 10, 784 * 25 * 6},
    {"resnet20",
     {3, 32, 32},
     1024 * 27 * 16 + resnet_stage(1024, 16, 16) + resnet_stage(256, 16, 32) + resnet_stage(64, 32, 64) + 640,
     1024 * 27 * 16},
    {"resnet20:evonorm",
     {3, 32, 32},
     1024 * 27 * 16 + resnet_stage(1024, 16, 16) + resnet_stage(256, 16, 32) + resnet_stage(64, 32, 64) + 640,
     1024 * 27 * 16},
}};

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Operations per second of `work`, of which one call does `operations`: the median of a tenth of a second.
template <class Work>
double rate(double operations, const Work& work) {
  std::vector<double> seconds;
  for (const double end = thread_seconds() + 0.1; thread_seconds() < end;) {
    const double start = thread_seconds();
    work();
    seconds.push_back(thread_seconds() - start);
  }
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return operations / *middle;
}

/// A square product of 512 x 512 numbers.
double product_peak() {
  constexpr std::size_t n = 512;
  static std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
  const eigen_backend backend;
  return rate(2.0 * n * n * n, [&] {
    backend.gemm(transpose::no, transpose::no, n, n, n, 1.0f, a.data(), n, b.data(), n, 0.0f, c.data(), n);
    benchmark::DoNotOptimize(c.data());
  });
}

/// What the arithmetic units can do at all: multiply-adds of vectors that stay in registers, enough of them independent
/// of each other that none waits for the one before.
double arithmetic_peak() {
  using vector = nn::detail::vec<float>;
  constexpr std::size_t independent = 12;
  constexpr std::size_t rounds = 50000;
  float factor = 0.5f, summand = 1.0f;
  benchmark::DoNotOptimize(factor);
  benchmark::DoNotOptimize(summand);
  return rate(2.0 * independent * rounds * nn::detail::lanes<float>, [&] {
    vector sums[independent];
    for (std::size_t i = 0; i < independent; ++i) sums[i] = vector{} + factor * static_cast<float>(i);
    for (std::size_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
      for (std::size_t i = 0; i < independent; ++i) sums[i] = sums[i] * factor + summand;
    }
    vector total{};
    for (const vector& sum : sums) total += sum;
    benchmark::DoNotOptimize(total);
  });
}

/// Noise with random labels: the cost does not depend on what is learned.
struct noise {
  std::vector<float> images;
  std::array<std::uint8_t, batch> labels{};

  explicit noise(nn::shape input) : images(batch * input.size()) {
    random_stream random({.seed = 1, .purpose = purpose::test});
    for (float& pixel : images) pixel = static_cast<float>(random.normal());
    for (std::uint8_t& label : labels) label = static_cast<std::uint8_t>(random.below(classes));
  }
};

/// Runs `step` as the benchmark's loop and reports what it means for `model`.
template <class Step>
void report(benchmark::State& state, const contestant& model, const Step& step) {
  const double peak = product_peak(), limit = arithmetic_peak();
  for (int warm_up = 0; warm_up < 3; ++warm_up) step();
  const double start = thread_seconds();
  for (auto _ : state) step();
  const double samples = static_cast<double>(state.iterations()) * batch / (thread_seconds() - start);
  state.counters["samples/s"] = samples;
  state.counters["GFLOP/s"] = samples * model.operations() * 1e-9;
  state.counters["of_gemm_peak"] = samples * model.operations() / peak;
  state.counters["of_fma_peak"] = samples * model.operations() / limit;
}

void train_polder(benchmark::State& state, const contestant& chosen) {
  const nn::model<float, eigen_backend> model(nn::model_from_name(chosen.name, chosen.input, classes), chosen.input,
                                              classes);
  const noise data(chosen.input);
  std::vector<float> x(model.size()), g(model.size());
  model.initialize(x, 1);
  const auto f = model.on(std::span<const float>(data.images), std::span<const std::uint8_t>(data.labels));
  report(state, chosen, [&] { benchmark::DoNotOptimize(f.loss_and_gradient(x, g)); });
}

#if defined(POLDER_HAVE_LIBTORCH)
namespace rival {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::Functional;
using torch::nn::Linear;
using torch::nn::Sequential;

Functional relu() {
  return Functional([](const torch::Tensor& x) { return torch::relu(x); });
}
Functional max_pool() {
  return Functional([](const torch::Tensor& x) { return torch::max_pool2d(x, 2); });
}
Functional flatten() {
  return Functional([](const torch::Tensor& x) { return x.flatten(1); });
}

Conv2d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  return Conv2d(Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}
torch::nn::GroupNorm group_norm(std::int64_t channels) {
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(2, channels));
}

struct block : torch::nn::Module {
  block(std::int64_t in, std::int64_t out, std::int64_t stride) {
    body = register_module("body", Sequential(convolution(in, out, 3, stride), group_norm(out), relu(),
                                              convolution(out, out, 3, 1), group_norm(out)));
    if (in != out) shortcut = register_module("shortcut", Sequential(convolution(in, out, 1, stride), group_norm(out)));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    return torch::relu(body->forward(x) + (shortcut.is_empty() ? x : shortcut->forward(x)));
  }
  Sequential body{nullptr}, shortcut{nullptr};
};

Sequential network(const std::string& name) {
  if (name == "mlp") {
    return Sequential(flatten(), Linear(784, 256), relu(), Linear(256, 128), relu(), Linear(128, 10));
  }
  if (name == "lenet5") {
    return Sequential(Conv2d(Conv2dOptions(1, 6, 5).padding(2)), relu(), max_pool(), Conv2d(Conv2dOptions(6, 16, 5)),
                      relu(), max_pool(), flatten(), Linear(400, 120), relu(), Linear(120, 84), relu(), Linear(84, 10));
  }
  Sequential resnet(convolution(3, 16, 3, 1), group_norm(16), relu());
  std::int64_t in = 16;
  for (const std::int64_t out : {16, 32, 64}) {
    for (int b = 0; b < 3; ++b) {
      resnet->push_back(std::make_shared<block>(in, out, in == out ? 1 : 2));
      in = out;
    }
  }
  resnet->push_back(Functional([](const torch::Tensor& x) { return x.mean({2, 3}); }));
  resnet->push_back(Linear(64, 10));
  return resnet;
}

void train(benchmark::State& state, const contestant& chosen) {
  torch::set_num_threads(1);
  noise data(chosen.input);
  std::array<std::int64_t, batch> wide{};
  std::copy(data.labels.begin(), data.labels.end(), wide.begin());
  const auto extent = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  const auto images = torch::from_blob(data.images.data(), {extent(batch), extent(chosen.input.channels),
                                                            extent(chosen.input.height), extent(chosen.input.width)});
  const auto labels = torch::from_blob(wide.data(), {extent(batch)}, torch::kInt64);
  Sequential net = network(chosen.name);
  report(state, chosen, [&] {
    net->zero_grad(true);
    torch::nn::functional::cross_entropy(net->forward(images), labels).backward();
  });
}

}  // namespace rival
#endif

const bool registered = [] {
  for (const contestant& c : contestants) {
    benchmark::RegisterBenchmark((std::string("polder/") + c.name).c_str(), [&c](benchmark::State& state) {
      train_polder(state, c);
    })->Unit(benchmark::kMicrosecond);
#if defined(POLDER_HAVE_LIBTORCH)
    if (std::string(c.name).find("evonorm") != std::string::npos) continue;  // LibTorch has no EvoNorm
    benchmark::RegisterBenchmark((std::string("libtorch/") + c.name).c_str(), [&c](benchmark::State& state) {
      rival::train(state, c);
    })->Unit(benchmark::kMicrosecond);
#endif
  }
  return true;
}();

}  // namespace

int main(int argc, char** argv) {
#if defined(POLDER_HAVE_LIBTORCH)
  // LibTorch's BLAS starts its own threads, whatever LibTorch is told; it reads this when the program is loaded.
  if (std::getenv("OPENBLAS_NUM_THREADS") == nullptr) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    execv("/proc/self/exe", argv);
  }
#endif
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
