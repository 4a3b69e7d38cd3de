// 090 - How flat is my model? Curvature and valleys of any objective.
//
// u . v = 1 has a whole surface of solutions with loss 0, and they are not alike: at a solution the largest curvature is
// |u|^2 + |v|^2, so those with u and v of one length are the flattest, with 2. Plain descent takes the first solution in
// its way. Sharpness-aware minimization (SAM) goes on along the surface to where it is flat. What is measured here from
// products of the Hessian with random vectors would be measured in the same way of a network with a million parameters.
#include <array>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include "polder/polder.hpp"

constexpr std::size_t half = 10;  // numbers in u and in v

// f = (u . v - 1)^2 / 2 for x = (u, v)
struct product {
  static double error(std::span<const double> x) {
    double dot = -1.0;
    for (std::size_t i = 0; i < half; ++i) dot += x[i] * x[half + i];
    return dot;
  }
  double loss(std::span<const double> x) const { return 0.5 * error(x) * error(x); }
  double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
    for (std::size_t i = 0; i < half; ++i) {
      g[i] = error(x) * x[half + i];
      g[half + i] = error(x) * x[i];
    }
    return loss(x);
  }
};

/// The parameters after 4000 steps of the sentence from a start with a long u and a short v.
std::vector<double> train(const auto& sentence) {
  std::vector<double> x(2 * half);
  polder::random_stream random({.seed = 90, .purpose = polder::purpose::initialization});
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (i < half ? 1.0 : 0.1) * random.normal();
  product f;
  polder::self<> alone;
  const auto nobody_else = polder::topology::mixing_matrix::usual(polder::topology::ring(1));
  polder::worker worker(sentence, polder::reference_backend{}, alone, nobody_else, f, std::span<const double>(x),
                        {.lr = {.base = 0.02}});
  for (int step = 0; step < 4000; ++step) worker.step();
  polder::reference_backend{}.to_host(worker.x(), std::span(x));
  return x;
}

void measure(const char* name, const std::vector<double>& x) {
  namespace sharpness = polder::sharpness;
  const product f;
  double squares = 0.0;
  for (const double number : x) squares += number * number;
  auto hessian = sharpness::hessian_at(f, std::span<const double>(x));
  const auto top = sharpness::largest_eigenvalues(hessian);
  const auto trace = sharpness::hutch_plus_plus(hessian, {.draws = 30});

  // How far a hundred walkers in random directions, in opposite pairs so that x is their mean, get until the loss has risen by 0.1.
  polder::random_stream random({.seed = 90, .purpose = polder::purpose::probe});
  std::vector<std::vector<double>> walkers(100, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t w = 0; w < walkers.size(); w += 2) {
      const double step = 0.1 * random.normal();
      walkers[w][i] += step;
      walkers[w + 1][i] -= step;
    }
  }
  const std::vector<std::span<const double>> models(walkers.begin(), walkers.end());
  const auto valley = sharpness::mean_valley<double>(
      models, [&](std::span<const double> point) { return f.loss(point); }, {.rise = 0.1});
  std::printf("%-8s %8.4f %12.2f %16.2f %12.2f %12.2f\n", name, std::abs(product::error(x)), squares,
              top.largest.front().value, trace.value, valley.mean_valley);
}

int main() {
  std::printf("%-8s %8s %12s %16s %12s %12s\n", "", "|u.v-1|", "|u|^2+|v|^2", "largest curv.", "trace", "mean valley");
  measure("plain", train(polder::algorithm{polder::plain{}, polder::chain{}, polder::none{}}));
  measure("SAM", train(polder::algorithm{polder::sam{.rho = 0.2}, polder::chain{}, polder::none{}}));
}
