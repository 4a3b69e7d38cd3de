#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "claims/dppf/run.hpp"
#include "polder/backend/reference.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/core/random.hpp"
#include "polder/objective/quadratic.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/topology/from_name.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/train/metrics.hpp"
#include "polder/train/worker.hpp"

namespace polder_claims::dppf {

double width_on_quadratic(const job& j) {
  constexpr std::size_t dimension = 50;
  constexpr std::uint64_t rounds = 600;  // a pull of 0.1 on flat ground leaves 0.9^600 of the start
  const int workers = std::stoi(j.workers);
  const polder::recipes::dppf_options how{.tau = std::stoull(j.period),
                                          .alpha = std::stod(j.alpha),
                                          .lambda = std::stod(j.lambda),
                                          .beta = std::stod(j.momentum)};
  const auto everyone = polder::topology::mixing_matrix::usual(polder::topology::from_name("complete", workers));
  double width = 0.0;
  polder::run_workers(workers, [&](auto& comm) {
    const polder::reference_backend backend;
    auto f = polder::quadratic::diagonal(std::vector<double>(dimension, std::stod(j.curvature)));
    // The workers start apart: equal ones have no direction to be pushed in.
    polder::random_stream random({.seed = std::stoull(j.seed),
                                  .purpose = polder::purpose::initialization,
                                  .worker = static_cast<std::uint32_t>(comm.rank())});
    std::vector<double> start(dimension);
    for (double& x : start) x = 0.1 * random.normal();
    polder::worker worker(polder::recipes::dppf(how), backend, comm, everyone, f, std::span<const double>(start),
                          {.lr = {.base = std::stod(j.rate)}, .total_steps = rounds * how.tau, .equal_start = false});
    while (worker.rounds() < rounds) worker.step();
    const double found = polder::measure(backend, comm, worker.x(), worker.steps(), [](auto) {}).valley_width;
    if (comm.rank() == 0) width = found;
  });
  return width;
}

}  // namespace polder_claims::dppf
