// What each local-gradient method costs, counted: the vectors and numbers that a worker puts into a step's
// communication, and its evaluations of loss and gradient.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/comm/counted.hpp"
#include "polder/comm/recorded.hpp"
#include "polder/mixing/elastic_center.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/recipes/ddp_sam.hpp"
#include "polder/recipes/ddp_sgd.hpp"
#include "polder/recipes/diloco.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/recipes/easgd.hpp"
#include "polder/recipes/ema.hpp"
#include "polder/recipes/grawa.hpp"
#include "polder/recipes/local_sam.hpp"
#include "polder/recipes/local_sgd.hpp"
#include "polder/recipes/lsgd.hpp"
#include "polder/recipes/post_local_sgd.hpp"
#include "polder/recipes/qsr.hpp"
#include "polder/recipes/slow_mo.hpp"
#include "polder/recipes/swa.hpp"
#include "polder/topology/graphs.hpp"
#include "support/catch.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;

constexpr std::size_t P = 960;  // divides into equal slices
constexpr std::size_t L = 3;
constexpr int M = 4;
constexpr std::uint64_t T = 48;

/// Worker 0 has the lowest loss. Counts how often it is evaluated.
struct bowl {
  int worker = 0;
  mutable std::size_t evaluations = 0;
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    ++evaluations;
    for (std::size_t i = 0; i < x.size(); ++i) g[i] = 0.1f * x[i];
    return 1.0 + worker;
  }
  [[nodiscard]] polder::layout layout() const {
    polder::layout tensors;
    for (std::size_t k = 0; k < L; ++k) tensors.add(text("t", k), {P / L});
    return tensors;
  }
};

struct payload {
  std::size_t vectors = 0;      ///< numbers of float32 vectors that a worker gives to a reduction, sends or receives
  std::size_t gathered = 0;     ///< numbers that it lets everybody know
  std::size_t evaluations = T;  ///< of loss and gradient
  friend bool operator==(const payload&, const payload&) = default;
};

/// Of worker 3, who is neither server nor leader; and a look whether all workers make fitting calls.
template <class Algorithm>
payload payload_of(const Algorithm& parts) {
  std::vector<std::vector<recorded_call>> logs(M);
  std::vector<std::size_t> evaluations(M);
  const auto weights = topology::mixing_matrix::metropolis(topology::complete(M));
  run_workers(M, [&](auto& comm) {
    recorded log(comm);
    bowl f{comm.rank()};
    const std::vector<float> x0(P, 1.0f);
    worker one(parts, reference_backend{}, log, weights, f, std::span<const float>(x0),
               {.lr = {.base = 0.1}, .total_steps = T});
    const std::size_t before = log.calls().size();
    for (std::uint64_t t = 0; t < T; ++t) one.step();
    const auto rank = static_cast<std::size_t>(comm.rank());
    logs[rank].assign(log.calls().begin() + static_cast<std::ptrdiff_t>(before), log.calls().end());
    evaluations[rank] = f.evaluations;
  });
  CHECK(disagreement(logs) == "");
  CHECK(evaluations == std::vector<std::size_t>(M, evaluations.back()));
  payload sum{.evaluations = evaluations.back()};
  for (const recorded_call& call : logs[M - 1]) {
    if (call.kind == call_kind::all_reduce_mean) sum.vectors += call.bytes / sizeof(float);
    if (call.kind == call_kind::all_gather) sum.gathered += call.bytes / sizeof(double);
    for (const auto& part : call.sends) sum.vectors += part.bytes / sizeof(float);
    for (const auto& part : call.receives) sum.vectors += part.bytes / sizeof(float);
  }
  return sum;
}

constexpr std::size_t tau = 4, rounds = T / tau;
const recipes::grawa_options grawa_every_4{.tau = tau};

TEST_CASE("averaging methods send P a round, the exact push 2 P") {
  CHECK(payload_of(recipes::local_sgd()) == payload{P * rounds, 0});
  CHECK(payload_of(recipes::local_sgd({.alpha = 0.5})) == payload{P * rounds, 0});
  CHECK(payload_of(recipes::local_sam()) == payload{P * rounds, 0, 2 * T});
  CHECK(payload_of(recipes::dppf()) == payload{P * rounds, 0});
  CHECK(payload_of(recipes::dppf({.exact_push = true})) == payload{2 * P * rounds, 0});
  CHECK(payload_of(recipes::dppf({.per_tensor = true})) == payload{P * rounds, 0});
}

TEST_CASE("an elastic center costs P a round on every worker, 2 P on a server") {
  CHECK(payload_of(recipes::easgd()) == payload{P * rounds, 0});
  CHECK(payload_of(recipes::dppf({}, elastic_center{})) == payload{P * rounds, 0});
  CHECK(payload_of(recipes::easgd({.server = true})) == payload{2 * P * rounds, 0});
  CHECK(payload_of(recipes::dppf({.from = push_reference::target}, elastic_center{.server = true})) ==
        payload{2 * P * rounds, 0});
}

TEST_CASE("leader and weighted average cost P and a few numbers a round, with a push from the average 2 P") {
  // Gradient norms cost an evaluation a round.
  CHECK(payload_of(recipes::lsgd()) == payload{P * rounds, rounds});
  CHECK(payload_of(recipes::dppf({}, leader{})) == payload{2 * P * rounds, rounds});
  CHECK(payload_of(recipes::dppf({.from = push_reference::target}, leader{})) == payload{P * rounds, rounds});
  CHECK(payload_of(recipes::mgrawa(grawa_every_4)) == payload{P * rounds, rounds, T + rounds});
  CHECK(payload_of(recipes::dppf({}, gradient_weighted{})) == payload{2 * P * rounds, rounds, T + rounds});
  CHECK(payload_of(recipes::lgrawa(grawa_every_4)) == payload{P * rounds, L * rounds, T + rounds});
}

TEST_CASE("synchronization rules and outer optimizers send P at each average") {
  CHECK(payload_of(recipes::post_local_sgd({.start = 16, .tau = 8})) == payload{P * (16 + 4), 0});
  CHECK(payload_of(recipes::swap({.start = 16})) == payload{P * (16 + 1), 0});
  // (0.31 / 0.1)^2: 9 steps a round, the last round 3.
  CHECK(payload_of(recipes::qsr({.alpha = 0.31})) == payload{P * 6, 0});
  CHECK(payload_of(recipes::local_sgd({}, loss_adaptive{4})) == payload{P * rounds, rounds});
  // Every step is looked at but the last, which ends the run's only round.
  CHECK(payload_of(recipes::local_sgd({}, drift_triggered{1e6})) == payload{P, T - 1});
  CHECK(payload_of(recipes::slow_mo({.tau = 3, .averages = 4})) == payload{P * 16, 0});
  CHECK(payload_of(recipes::diloco({.tau = 12})) == payload{P * 4, 0});
  CHECK(payload_of(recipes::swa({.tau = 4})) == payload{P * rounds, 0});
  CHECK(payload_of(recipes::ema({.tau = 4})) == payload{P * rounds, 0});
}

TEST_CASE("synchronous SGD sends P a step, SAM with the perturbation of all workers 2 P") {
  CHECK(payload_of(recipes::ddp_sgd()) == payload{P * T, 0});
  CHECK(payload_of(recipes::ddp_sam()) == payload{P * T, 0, 2 * T});
  CHECK(payload_of(recipes::ddp_sam({.scope = sam_scope::all_workers})) == payload{2 * P * T, 0, 2 * T});
}

TEST_CASE("what is gathered counts as sent, to each of the others") {
  const auto weights = topology::mixing_matrix::metropolis(topology::complete(M));
  run_workers(M, [&](auto& comm) {
    counted counting(comm);
    bowl f{comm.rank()};
    const std::vector<float> x0(P, 1.0f);
    worker one(recipes::lsgd(), reference_backend{}, counting, weights, f, std::span<const float>(x0),
               {.lr = {.base = 0.1}});
    for (std::uint64_t t = 0; t < tau; ++t) one.step();
    const bool exact = counting.control().bytes == (M - 1) * sizeof(double) &&
                       counting.bytes_sent() == (comm.rank() == 0 ? (M - 1) * P * sizeof(float) : 0);
    require<config_error>(exact, "worker ", comm.rank(), " sent ", counting.bytes_sent(), " bytes");
  });
}

}  // namespace
