// 070 - Cross-gradients: two workers that see different classes.
//
// Points of four kinds lie around the corners of a square. Worker 0 has only kinds A and B, worker 1 only C and D. In a
// step each goes a hundredth of the way to the mean of their models (gamma = 0.01), as if far apart in a large graph.
// Plain gossip loses to the data: between rounds each model drifts to a world of its own two kinds.
//
// With cross-gradients a worker also takes the gradient of its points at the other's model and sends it there: each
// model steps as if it had seen all four kinds, and no point leaves its worker. NGM does so with plain gradients,
// N-SADDLe with sharpness-aware ones.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <span>
#include <vector>

#include "polder/polder.hpp"

constexpr std::size_t kinds = 4;
constexpr std::size_t size = 3 * kinds;  // parameters: (u, v, w) for each kind; score = u a + v b + w
struct point {
  double a, b;
  std::size_t kind;
};
// `count` points of each kind from `first` on, before `last`.
std::vector<point> points_of(std::size_t first, std::size_t last, std::size_t count, unsigned owner) {
  std::vector<point> points;
  for (std::size_t kind = first; kind < last; ++kind) {
    polder::random_stream random({.seed = 70 + kind, .purpose = polder::purpose::test, .worker = owner});
    for (std::size_t i = 0; i < count; ++i) {
      const double a = (kind % 2 == 0 ? -1.0 : 1.0) + 0.6 * random.normal();
      points.push_back({a, (kind < 2 ? -1.0 : 1.0) + 0.6 * random.normal(), kind});
    }
  }
  return points;
}

// Multinomial logistic regression: loss = mean of -log softmax(scores)[kind]
struct classifier {
  std::vector<point> samples;
  static std::array<double, kinds> scores(std::span<const float> x, const point& p) {
    std::array<double, kinds> s{};
    for (std::size_t k = 0; k < kinds; ++k) s[k] = x[3 * k] * p.a + x[3 * k + 1] * p.b + x[3 * k + 2];
    return s;
  }
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    std::array<double, size> sum{};
    double loss = 0.0;
    for (const point& p : samples) {
      const auto s = scores(x, p);
      const double total = std::exp(s[0]) + std::exp(s[1]) + std::exp(s[2]) + std::exp(s[3]);
      loss += std::log(total) - s[p.kind];
      for (std::size_t k = 0; k < kinds; ++k) {
        const double slope = std::exp(s[k]) / total - (k == p.kind ? 1.0 : 0.0);
        sum[3 * k] += slope * p.a;
        sum[3 * k + 1] += slope * p.b;
        sum[3 * k + 2] += slope;
      }
    }
    const double share = 1.0 / static_cast<double>(samples.size());
    for (std::size_t i = 0; i < size; ++i) g[i] = static_cast<float>(share * sum[i]);
    return share * loss;
  }
};

void train(const char* name, const char* cost, const auto& sentence) {
  const auto pair = polder::topology::mixing_matrix::usual(polder::topology::complete(2));
  polder::run_workers(2, [&](auto& comm) {
    const polder::reference_backend backend;
    std::vector<float> x(size);  // zeros at the start, for both
    classifier f{comm.rank() == 0 ? points_of(0, 2, 100, 0) : points_of(2, 4, 100, 0)};
    polder::worker worker(sentence, backend, comm, pair, f, std::span<const float>(x), {.lr = {.base = 0.1}});
    for (int step = 0; step < 300; ++step) worker.step();

    backend.to_host(worker.x(), std::span(x));
    std::array<int, kinds> mine{};  // how many of 1000 new points of each kind it recognizes
    for (const point& p : points_of(0, kinds, 1000, 1)) {
      const auto s = classifier::scores(x, p);
      mine[p.kind] += std::max_element(s.begin(), s.end()) == &s[p.kind];
    }
    const auto all = polder::gather(comm, mine);
    if (comm.rank() != 0) return;
    std::printf("%-9s", name);
    for (const auto& row : all) std::printf("%7d %5d %5d %5d   ", row[0], row[1], row[2], row[3]);
    std::printf("%s\n", cost);
  });
}

int main() {
  const double gamma = 0.01;
  std::printf("of 1000   worker 0 saw A, B          worker 1 saw C, D          a step\n");
  std::printf("points        A     B     C     D         A     B     C     D   gradients, vectors sent\n");
  train("alone", "1, 0", polder::algorithm{polder::plain{}, polder::nesterov{}, polder::none{}});
  train("DSGDm-N", "1, 1", polder::recipes::dsgdm_n({.gamma = gamma}));
  train("NGM", "2, 2", polder::recipes::ngm({.gamma = gamma}));
  train("N-SADDLe", "4, 2", polder::recipes::n_saddle({.rho = 0.2, .gamma = gamma}));
  // This loss is convex: it has one minimum, and no sharper ones that N-SADDLe could avoid.
}
