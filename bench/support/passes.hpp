// The fused passes of a training step, to be timed on any backend. Each calls run(backend, bytes, memory, pass) once: the
// backend that the pass is on, what one pass moves as its streams are tagged (reads and writes), and how much memory its
// vectors take.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/random.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/ascent.hpp"
#include "polder/ops/mixing.hpp"
#include "polder/ops/update.hpp"

namespace polder::bench {

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

/// Weight decay, Nesterov momentum and the step, as the recipes compose them.
template <class B, class Run>
void momentum(std::size_t n, const Run& run) {
  vectors<B> v(4, n);
  using rules = ops::chained<ops::clip<float>, ops::decay<float>, ops::nesterov_ball<float>>;
  const ops::descend<float, rules> step{0.1f, {{}, {{1e-4f}, {{0.9f}, {}}}}};
  run(v.backend, 20 * n, 16 * n, [&] { v.backend.map(n, step, in(v[0]), in(v[1]), out(v[2]), inout(v[3])); });
}

/// The same with quasi-global momentum, whose buffer is only read here.
template <class B, class Run>
void quasi_global_step(std::size_t n, const Run& run) {
  vectors<B> v(4, n);
  using rules = ops::chained<ops::clip<float>, ops::decay<float>, ops::quasi_global<float>>;
  const ops::descend<float, rules> step{0.1f, {{}, {{1e-4f}, {{0.9f, true}, {}}}}};
  run(v.backend, 16 * n, 16 * n, [&] { v.backend.map(n, step, in(v[0]), in(v[1]), out(v[2]), in(v[3])); });
}

/// The two passes of SAM besides the gradients: norm and ascent.
template <class B, class Run>
void sam(std::size_t n, const Run& run) {
  vectors<B> v(3, n);
  run(v.backend, 16 * n, 12 * n, [&] {
    v.backend.sum(n, ops::square{}, v.sum(), in(v[1]));
    v.backend.map(n, ops::ascent{0.05, v.sum().data}, in(v[0]), in(v[1]), out(v[2]));
  });
}

template <class B>
std::vector<weighted<typename B::space, float>> self_and_neighbors(vectors<B>& v, std::size_t neighbors) {
  std::vector<weighted<typename B::space, float>> terms;
  for (std::size_t k = 0; k <= neighbors; ++k) terms.push_back({v[k], 1.0 / static_cast<double>(neighbors + 1)});
  return terms;
}

template <class B, std::size_t Neighbors, class Run>
void gossip(std::size_t n, const Run& run) {
  vectors<B> v(Neighbors + 2, n);
  const auto terms = self_and_neighbors(v, Neighbors);
  run(v.backend, 4 * (Neighbors + 2) * n, 4 * (Neighbors + 2) * n, [&] {
    v.backend.combine(std::span<const weighted<typename B::space, float>>(terms), ops::adopt<ops::no_observer>{},
                      out(v[Neighbors + 1]));
  });
}

template <class B, std::size_t Neighbors, class Run>
void quasi_global_mix(std::size_t n, const Run& run) {
  vectors<B> v(Neighbors + 4, n);
  const auto terms = self_and_neighbors(v, Neighbors);
  run(v.backend, 4 * (Neighbors + 5) * n, 4 * (Neighbors + 4) * n, [&] {
    v.backend.combine(std::span<const weighted<typename B::space, float>>(terms),
                      ops::adopt<ops::quasi_global_refresh<float>>{{0.9f, 1.0f, true}}, out(v[Neighbors + 3]),
                      in(v[Neighbors + 1]), inout(v[Neighbors + 2]));
  });
}

template <class B, std::size_t Workers, class Run>
void mean_with_gaps(std::size_t n, const Run& run) {
  vectors<B> v(Workers + 1, n);
  std::vector<view_t<B, const float>> all;
  for (std::size_t m = 0; m < Workers; ++m) all.push_back(v[m]);
  run(v.backend, 4 * (Workers + 1) * n, 4 * (Workers + 1) * n,
      [&] { v.backend.mean_with_gaps(std::span<const view_t<B, const float>>(all), v[Workers], v.sums.view()); });
}

template <class B, class Run>
void pull_and_push(std::size_t n, const Run& run) {
  vectors<B> v(3, n);
  v.backend.sum(n, ops::square{}, v.sum(), in(v[0]));
  const ops::pull_and_push<ops::no_observer> pass{{0.1, 0.5, 0.0, v.sum().data}, {}};
  run(v.backend, 12 * n, 12 * n, [&] { v.backend.map(n, pass, in(v[0]), in(v[1]), out(v[2])); });
}

/// Calls add(name, benchmark) for all passes; benchmark(n, run) is one of the above at n parameters.
template <class B, class Add>
void for_all_passes(const Add& add) {
  add("momentum", [](std::size_t n, const auto& run) { momentum<B>(n, run); });
  add("quasi_global_step", [](std::size_t n, const auto& run) { quasi_global_step<B>(n, run); });
  add("sam", [](std::size_t n, const auto& run) { sam<B>(n, run); });
  add("gossip_2_neighbors", [](std::size_t n, const auto& run) { gossip<B, 2>(n, run); });
  add("gossip_4_neighbors", [](std::size_t n, const auto& run) { gossip<B, 4>(n, run); });
  add("quasi_global_mix_2_neighbors", [](std::size_t n, const auto& run) { quasi_global_mix<B, 2>(n, run); });
  add("quasi_global_mix_4_neighbors", [](std::size_t n, const auto& run) { quasi_global_mix<B, 4>(n, run); });
  add("mean_with_gaps_4_workers", [](std::size_t n, const auto& run) { mean_with_gaps<B, 4>(n, run); });
  add("pull_push", [](std::size_t n, const auto& run) { pull_and_push<B>(n, run); });
}

}  // namespace polder::bench
