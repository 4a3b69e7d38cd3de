// Workers of one process on Thrust's default system: each has a backend of its own, on CUDA a stream, and nothing in a
// step waits, so that only their order among themselves keeps the numbers right. The same numbers as on the reference
// backend.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/backend/thrust.hpp"
#include "polder/polder.hpp"
#include "support/bowl.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace thrust_workers {

constexpr int team = 4;
constexpr std::size_t n = 200'003;
constexpr std::uint64_t steps = 16;

/// Another minimum for each worker. The first worker takes its gradient many times over and is late.
template <class Backend>
class valley : public bowls::bowl<Backend> {
 public:
  using bowl = bowls::bowl<Backend>;
  using space = typename Backend::space;

  valley(const Backend& backend, int rank)
      : bowl(backend, center_of(rank), polder::layout(n)), times_(rank == 0 ? 20 : 1) {}
  double loss_and_gradient(detail::argument<space, const float> x, detail::argument<space, float> g) const {
    double loss = 0.0;
    for (int k = 0; k < times_; ++k) loss = bowl::loss_and_gradient(x, g);
    return loss;
  }

 private:
  static std::vector<float> center_of(int rank) {
    std::vector<float> center(n);
    for (std::size_t i = 0; i < n; ++i) {
      center[i] = static_cast<float>((i * 7 + static_cast<std::size_t>(rank)) % 16) / 16.0f;
    }
    return center;
  }
  int times_;
};

/// The models of all workers, one after the other.
template <class Backend, class Algorithm>
std::vector<float> trained(const Algorithm& parts, const topology::mixing_matrix& weights) {
  std::vector<float> all(team * n);
  in_process_group<typename Backend::space> group(team);
  run_workers(group, [&](auto& comm) {
    const Backend backend;
    valley<Backend> f(backend, comm.rank());
    const std::vector<float> start(n, 1.0f);
    worker one(parts, backend, comm, weights, f, std::span<const float>(start), {.lr = {.base = 0.1}});
    while (one.steps() < steps) one.step();
    backend.to_host(one.model(), std::span<float>(all).subspan(static_cast<std::size_t>(comm.rank()) * n, n));
  });
  return all;
}

/// Whether the numbers are those of the reference backend, and the bits those of a second run.
template <class Algorithm>
bool agrees(const Algorithm& parts, const topology::mixing_matrix& weights) {
  const std::vector<float> expected = trained<reference_backend>(parts, weights);
  const std::vector<float> found = trained<thrust_backend<>>(parts, weights);
  double most = 0.0, moved = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
    moved = std::max(moved, std::abs(static_cast<double>(found[i]) - 1.0));
  }
  // 16 steps of a few roundings each, to 6e-8 of numbers up to 1
  return moved > 0.1 && most < 1e-5 && trained<thrust_backend<>>(parts, weights) == found;
}

TEST_CASE("workers of one process gossip on Thrust's default system as on the reference backend", "[thrust]") {
  std::vector<double> w(team * team, 0.0);  // each listens to the one before it
  for (std::size_t i = 0; i < team; ++i) w[i * team + i] = w[i * team + (i + team - 1) % team] = 0.5;
  CHECK(agrees(recipes::d_psgd(), topology::mixing_matrix::usual(topology::ring(team))));
  CHECK(agrees(recipes::d_psgd(), topology::mixing_matrix::from_dense(team, w, "directed ring")));
  CHECK(agrees(recipes::q_saddle({.rho = 0.1}), topology::mixing_matrix::usual(topology::one_peer_exponential(team))));
}

TEST_CASE("workers of one process average on Thrust's default system as on the reference backend", "[thrust]") {
  const auto complete = topology::mixing_matrix::usual(topology::complete(team));
  CHECK(agrees(recipes::all_reduce(), complete));
  CHECK(agrees(recipes::dppf({.tau = 2}), complete));
}

}  // namespace thrust_workers
