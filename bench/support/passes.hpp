// The fused passes of a training step as benchmarks, for any host backend.
#pragma once

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/random.hpp"
#include "support/memcpy.hpp"

namespace polder::bench {

/// m = beta m + g + decay x; x_half = x - lr m.
struct momentum_step {
  float lr, beta, decay;
  POLDER_HD void operator()(float x, float g, float& m, float& x_half) const {
    m = beta * m + (g + decay * x);
    x_half = x - lr * m;
  }
};
struct square {
  POLDER_HD double operator()(float g) const { return static_cast<double>(g) * static_cast<double>(g); }
};
/// x + rho g / |g|, with |g|^2 left in memory by the pass before.
struct ascent {
  const double* squared_norm = nullptr;
  float rho = 0;
  float scale = 0;
  POLDER_HD ascent resolved() const {
    return {nullptr, rho, static_cast<float>(static_cast<double>(rho) / std::sqrt(*squared_norm))};
  }
  POLDER_HD void operator()(float x, float g, float& point) const { point = x + scale * g; }
};
struct keep {
  POLDER_HD void operator()(float y, float& x_next) const { x_next = y; }
};
/// m = mu m + (1 - mu) (x - y) / lr; x_next = y.
struct quasi_global {
  float mu, inverse_lr;
  POLDER_HD void operator()(float y, float x, float& m, float& x_next) const {
    m = mu * m + (1.0f - mu) * ((x - y) * inverse_lr);
    x_next = y;
  }
};
/// x + alpha (mean - x) - push (mean - x).
struct pull_push {
  float alpha, push;
  POLDER_HD void operator()(float x, float mean, float& x_next) const { x_next = x + (alpha - push) * (mean - x); }
};

/// Vectors of n floats that are neither zero nor all the same.
template <class B>
struct vectors {
  B backend;
  std::vector<buffer_t<B, float>> memory;
  buffer_t<B, double> sums = backend.template zeros<double>(64);

  vectors(std::size_t count, std::size_t n) {
    for (std::size_t k = 0; k < count; ++k) {
      random_stream random({.seed = k, .purpose = purpose::test});
      std::vector<float> x(n);
      for (float& value : x) value = static_cast<float>(random.uniform());
      memory.push_back(backend.template zeros<float>(n));
      backend.from_host(std::span<const float>(x), memory.back().view());
    }
  }
  view_t<B, float> operator[](std::size_t k) { return memory[k].view(); }
  view_t<B, double> sum() { return sums.view().part(0, 1); }
};

template <class B>
void momentum(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  vectors<B> v(4, n);
  run_pass(state, 20 * n, 16 * n, [&] {
    v.backend.map(n, momentum_step{0.1f, 0.9f, 1e-4f}, in(v[0]), in(v[1]), inout(v[2]), out(v[3]));
  });
}

template <class B>
void sam_norm(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  vectors<B> v(1, n);
  run_pass(state, 4 * n, 4 * n, [&] { v.backend.sum(n, square{}, v.sum(), in(v[0])); });
}

template <class B>
void sam_ascent(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  vectors<B> v(3, n);
  v.backend.sum(n, square{}, v.sum(), in(v[1]));
  run_pass(state, 12 * n, 12 * n, [&] {
    v.backend.map(n, ascent{v.sum().data, 0.05f}, in(v[0]), in(v[1]), out(v[2]));
  });
}

template <class B>
std::vector<weighted<typename B::space, float>> self_and_neighbors(vectors<B>& v, std::size_t neighbors) {
  std::vector<weighted<typename B::space, float>> terms;
  for (std::size_t k = 0; k <= neighbors; ++k) terms.push_back({v[k], 1.0 / static_cast<double>(neighbors + 1)});
  return terms;
}

template <class B, std::size_t Neighbors>
void gossip(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  vectors<B> v(Neighbors + 2, n);
  const auto terms = self_and_neighbors(v, Neighbors);
  run_pass(state, 4 * (Neighbors + 2) * n, 4 * (Neighbors + 2) * n, [&] {
    v.backend.combine(std::span<const weighted<typename B::space, float>>(terms), keep{}, out(v[Neighbors + 1]));
  });
}

template <class B, std::size_t Neighbors>
void quasi_global_mix(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  vectors<B> v(Neighbors + 4, n);
  const auto terms = self_and_neighbors(v, Neighbors);
  run_pass(state, 4 * (Neighbors + 5) * n, 4 * (Neighbors + 4) * n, [&] {
    v.backend.combine(std::span<const weighted<typename B::space, float>>(terms), quasi_global{0.9f, 10.0f},
                      in(v[Neighbors + 1]), inout(v[Neighbors + 2]), out(v[Neighbors + 3]));
  });
}

template <class B, std::size_t Workers>
void mean_with_gaps(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  vectors<B> v(Workers + 1, n);
  std::vector<view_t<B, const float>> all;
  for (std::size_t m = 0; m < Workers; ++m) all.push_back(v[m]);
  run_pass(state, 4 * (Workers + 1) * n, 4 * (Workers + 1) * n,
           [&] { v.backend.mean_with_gaps(std::span<const view_t<B, const float>>(all), v[Workers], v.sums.view()); });
}

template <class B>
void pull_and_push(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  vectors<B> v(3, n);
  run_pass(state, 12 * n, 12 * n, [&] { v.backend.map(n, pull_push{0.5f, 0.1f}, in(v[0]), in(v[1]), out(v[2])); });
}

/// Registers all passes for backend B, at the size of ResNet-20 and at ten million parameters.
template <class B>
bool register_passes(const std::string& backend) {
  const auto add = [&](const std::string& pass, void (*run)(benchmark::State&)) {
    benchmark::RegisterBenchmark((backend + "/" + pass).c_str(), run)
        ->Arg(270000)
        ->Arg(10000000)
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  };
  add("momentum", momentum<B>);
  add("sam_norm", sam_norm<B>);
  add("sam_ascent", sam_ascent<B>);
  add("gossip_2_neighbors", gossip<B, 2>);
  add("gossip_4_neighbors", gossip<B, 4>);
  add("quasi_global_mix_2_neighbors", quasi_global_mix<B, 2>);
  add("quasi_global_mix_4_neighbors", quasi_global_mix<B, 4>);
  add("mean_with_gaps_4_workers", mean_with_gaps<B, 4>);
  add("pull_push", pull_and_push<B>);
  return true;
}

}  // namespace polder::bench
