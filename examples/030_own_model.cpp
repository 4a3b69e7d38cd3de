// 030 - Your own model: eight workers learn what none of them could learn alone.
//
// On which of two interleaved half moons does a point lie? Workers 0 to 3 hold points of one moon, workers 4 to 7 of the
// other: alone, each learns to answer "mine" to everything. On a ring, where each sends its parameters to two neighbors
// (and never a point), they learn both. The network is written by hand to show that polder does not care what it is: an
// objective turns one contiguous array of parameters into a loss and its gradient.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <span>
#include <vector>

#include "polder/polder.hpp"

constexpr int worker_count = 8;
constexpr std::size_t hidden = 12;
constexpr std::size_t size = 4 * hidden + 1;  // parameters, in this order: u, v, w, out (hidden numbers each), bias
struct sample {
  double a, b, label;  // where the point is, and on which moon: +1 or -1
};
std::vector<sample> moon(double label, std::size_t count, std::uint32_t owner) {
  polder::random_stream random({.seed = 30, .purpose = polder::purpose::test, .worker = owner});
  std::vector<sample> points(count);
  for (sample& p : points) {
    const double angle = std::numbers::pi * random.uniform();
    const double radius = 1.0 + 0.05 * random.normal();
    p = {radius * std::cos(angle), radius * std::sin(angle) - 0.25, label};
    if (label < 0.0) p = {1.0 - p.a, -p.b, label};
  }
  return points;
}

// score(a, b) = sum_h out_h tanh(u_h a + v_h b + w_h) + bias,    loss = mean of log(1 + exp(-label score))
struct network {
  std::vector<sample> samples;
  static double score(std::span<const float> x, const sample& s, std::span<double, hidden> t) {
    double total = x[4 * hidden];
    for (std::size_t h = 0; h < hidden; ++h) {
      t[h] = std::tanh(x[h] * s.a + x[hidden + h] * s.b + x[2 * hidden + h]);
      total += x[3 * hidden + h] * t[h];
    }
    return total;
  }
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    std::array<double, size> sum{};
    std::array<double, hidden> t{};
    double loss = 0.0;
    for (const sample& s : samples) {
      const double e = std::exp(-s.label * score(x, s, t));
      loss += std::log1p(e);
      const double slope = -s.label * e / (1.0 + e);  // d loss / d score
      for (std::size_t h = 0; h < hidden; ++h) {
        const double inner = slope * x[3 * hidden + h] * (1.0 - t[h] * t[h]);
        sum[h] += inner * s.a;
        sum[hidden + h] += inner * s.b;
        sum[2 * hidden + h] += inner;
        sum[3 * hidden + h] += slope * t[h];
      }
      sum[4 * hidden] += slope;
    }
    const double share = 1.0 / static_cast<double>(samples.size());
    for (std::size_t i = 0; i < size; ++i) g[i] = static_cast<float>(share * sum[i]);
    return share * loss;
  }
};

void train(const char* name, const auto& sentence) {
  const auto ring = polder::topology::mixing_matrix::usual(polder::topology::ring(worker_count));
  std::vector<float> start(size);  // for all the same random numbers
  polder::random_stream random({.seed = 30, .purpose = polder::purpose::initialization});
  for (float& x : start) x = static_cast<float>(0.5 * random.normal());
  polder::run_workers(worker_count, [&](auto& comm) {
    const auto rank = static_cast<std::uint32_t>(comm.rank());
    const polder::reference_backend backend;
    network f{moon(rank < worker_count / 2 ? +1.0 : -1.0, 50, rank)};
    polder::worker worker(sentence, backend, comm, ring, f, std::span<const float>(start), {.lr = {.base = 0.1}});
    for (int step = 0; step < 500; ++step) worker.step();

    std::vector<float> x(size);
    backend.to_host(worker.x(), std::span(x));
    std::array<double, hidden> t{};
    int correct = 0;  // of 1000 points that nobody trained on
    for (const double label : {+1.0, -1.0}) {
      for (const sample& s : moon(label, 500, worker_count)) correct += label * network::score(x, s, t) > 0.0;
    }
    const std::vector<int> all = polder::gather(comm, correct);
    if (rank == 0) std::printf("%-10s %5.0f %%\n", name, *std::min_element(all.begin(), all.end()) / 10.0);
  });
}

int main() {
  std::printf("the worst of %d workers answers correctly\n", worker_count);
  train("alone", polder::algorithm{polder::plain{}, polder::nesterov{}, polder::none{}});
  train("DSGDm-N", polder::recipes::dsgdm_n());
  train("QGM", polder::recipes::qgm());
  train("Q-SADDLe", polder::recipes::q_saddle({.rho = 0.2}));
}
