// 020 - Gossip on five graphs: who talks to whom decides how fast all agree.
//
// Sixteen workers hold a vector of random numbers each and want the mean of all sixteen. Nobody sees everybody: in a
// round, each worker replaces its vector by a weighted average of its own and its neighbors' vectors. The mean of all
// stays the same, and the disagreement shrinks.
//
// How fast is a property of the graph. A round is a multiplication by the mixing matrix W, whose greatest eigenvalue, 1,
// belongs to agreement. All other eigenvalues are smaller; the greatest of them in absolute value, s, is the factor by
// which a round shrinks the disagreement at least. 1 - s is the spectral gap. To shrink it by a million takes at most
// log(1000000) / -log(s) rounds. Nothing has to be tried out: polder knows before the first message.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <span>
#include <vector>

#include "polder/polder.hpp"

constexpr int worker_count = 16;
constexpr std::size_t dimension = 1000;
constexpr double wanted = 1e-6;  // disagreement left, as a share of that at the start

// There is nothing to learn here: a loss that is 0 everywhere.
struct nothing {
  double loss_and_gradient(std::span<const double>, std::span<double> gradient) const {
    for (double& g : gradient) g = 0.0;
    return 0.0;
  }
};

int rounds_to_agree(const polder::topology::mixing_matrix& weights) {
  int rounds = 0;
  // One thread a worker, all in this process. Every worker runs this function with its own communicator.
  polder::run_workers(worker_count, [&](auto& comm) {
    // Random numbers are a function of what they are for, not of who asked first: the same on every run.
    const auto rank = static_cast<std::uint32_t>(comm.rank());
    polder::random_stream random({.seed = 20, .purpose = polder::purpose::test, .worker = rank});
    std::vector<double> start(dimension);
    for (double& x : start) x = random.normal();

    const polder::reference_backend backend;
    nothing f;
    polder::worker worker(polder::algorithm{polder::plain{}, polder::chain{}, polder::gossip{}}, backend, comm, weights,
                          f, std::span<const double>(start), {.equal_start = false});

    // sqrt of the mean squared distance of the workers to their mean: the consensus distance.
    const auto disagreement = [&] {
      return polder::measure(backend, comm, worker.x(), worker.steps(), [](auto) {}).consensus_distance;
    };
    const double at_start = disagreement();
    int mine = 0;
    while (disagreement() > wanted * at_start) {
      worker.step();
      ++mine;
    }
    if (comm.rank() == 0) rounds = mine;  // the same on all of them
  });
  return rounds;
}

int main() {
  using namespace polder::topology;
  std::printf("%d workers, until the disagreement is a millionth\n\n", worker_count);
  std::printf("graph        neighbors   spectral gap   rounds at most   rounds needed\n");
  for (const graph& g :
       {ring(worker_count), torus(4, 4), hypercube(worker_count), exponential(worker_count), complete(worker_count)}) {
    const mixing_matrix weights = mixing_matrix::usual(g);
    const double s = contraction(weights);
    // The complete graph has s = 0 (up to rounding): its first round is already exact.
    const double at_most = s < 1e-7 ? 1.0 : std::ceil(std::log(wanted) / std::log(s));
    std::printf("%-12s %9d %14.3f %16.0f %15d\n", g.name().c_str(), g.max_in_degree(), 1.0 - s, at_most,
                rounds_to_agree(weights));
  }
}
