// 040 - Pull and push: watch the workers settle at a distance that you chose.
//
// Averaging pulls the workers of a run to one point. DPPF adds a push of constant length away from that point:
//
//     x <- x - alpha (x - mean) + lambda (x - mean) / |x - mean|
//
// Far out the pull wins, for it grows with the distance; close in the push wins. They balance where
// alpha |x - mean| = lambda, so the valley width, the mean distance of the workers to their mean, tends to
// lambda / alpha. The workers then feel out the ground at that distance and can rest together only where it is flat.
//
//     example_040_pull_push_width [FILE.svg]      also draws how the width comes about
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <span>
#include <vector>

#include "polder/polder.hpp"

constexpr int worker_count = 4;
constexpr std::size_t dimension = 6;
constexpr double alpha = 0.1;
constexpr double lambda = 0.5;
constexpr double lr = 0.1;
constexpr std::uint64_t tau = 4;  // local steps between two communications

// The valley width after each of `rounds` rounds, on a round bowl of curvature h (0: flat ground, no gradient at all).
std::vector<double> widths(double h, std::uint64_t rounds) {
  std::vector<double> result;
  polder::run_workers(worker_count, [&](auto& comm) {
    const polder::reference_backend backend;
    const auto everyone = polder::topology::mixing_matrix::usual(polder::topology::complete(worker_count));
    auto f = polder::quadratic::diagonal(std::vector<double>(dimension, h));

    // The workers start apart, at random points around the minimum, because equal workers have no direction to be pushed in.
    const auto rank = static_cast<std::uint32_t>(comm.rank());
    polder::random_stream random({.seed = 40, .purpose = polder::purpose::test, .worker = rank});
    std::vector<double> start(dimension);
    for (double& x : start) x = 0.1 * random.normal();

    const polder::algorithm sentence{polder::plain{}, polder::chain{},
                                     polder::every{tau, polder::pull_push{.alpha = alpha, .lambda = lambda}}};
    polder::worker worker(sentence, backend, comm, everyone, f, std::span<const double>(start),
                          {.lr = {.base = lr}, .total_steps = rounds * tau, .equal_start = false});
    while (worker.rounds() < rounds) {
      const auto before = worker.rounds();
      worker.step();
      if (worker.rounds() == before) continue;
      const double width = polder::measure(backend, comm, worker.x(), worker.steps(), [](auto) {}).valley_width;
      if (comm.rank() == 0) result.push_back(width);
    }
  });
  return result;
}

int main(int argc, char** argv) {
  std::printf("flat ground: lambda / alpha = %.3f\n\n   round   width\n", lambda / alpha);
  const std::vector<double> flat = widths(0.0, 200);
  for (const std::size_t round : {1u, 5u, 10u, 20u, 50u, 100u, 200u}) {
    std::printf("%8zu %7.3f\n", round, flat[round - 1]);
  }

  // On a bowl, the tau local steps of a round shrink every distance by rho = (1 - lr h)^tau. A distance r that repeats
  // itself from round to round solves r = (1 - alpha) rho r + lambda: the steeper the bowl, the narrower the valley.
  std::printf("\na bowl of curvature h: lambda / (1 - (1 - alpha) rho)\n\n       h   width   predicted\n");
  polder::io::plot plot{.title = "The width on bowls of curvature h", .x_label = "round", .y_label = "valley width"};
  for (const double h : {0.0, 0.1, 0.3, 1.0, 3.0}) {
    const double rho = std::pow(1.0 - lr * h, static_cast<double>(tau));
    const std::vector<double> found = widths(h, 400);
    std::printf("%8.1f %7.3f %11.3f\n", h, found.back(), lambda / (1.0 - (1.0 - alpha) * rho));

    std::vector<double> rounds(60);  // after which nothing happens any more
    std::iota(rounds.begin(), rounds.end(), 1.0);
    plot.series.push_back(
        {.name = "h = " + polder::io::fixed(h, 1), .x = rounds, .y = {found.begin(), found.begin() + 60}});
  }
  if (argc > 1) polder::io::write_file(argv[1], polder::io::as_bytes(polder::io::svg(plot)));
}
