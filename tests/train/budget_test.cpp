// Bytes moved and passes made per parameter and step: what the documentation promises, counted.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/backend/counting.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/compress/sign.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/deep_squeeze.hpp"
#include "polder/mixing/elastic_center.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/mixing/none.hpp"
#include "polder/recipes/all_reduce.hpp"
#include "polder/recipes/cga.hpp"
#include "polder/recipes/d_psgd.hpp"
#include "polder/recipes/ddp_sam.hpp"
#include "polder/recipes/ddp_sgd.hpp"
#include "polder/recipes/diloco.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/recipes/dsgdm_n.hpp"
#include "polder/recipes/easgd.hpp"
#include "polder/recipes/grawa.hpp"
#include "polder/recipes/local_sgd.hpp"
#include "polder/recipes/lookahead.hpp"
#include "polder/recipes/lsgd.hpp"
#include "polder/recipes/n_saddle.hpp"
#include "polder/recipes/ngm.hpp"
#include "polder/recipes/power_sgd.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/recipes/qgm.hpp"
#include "polder/recipes/slow_mo.hpp"
#include "polder/recipes/swa.hpp"
#include "polder/topology/graphs.hpp"
#include "support/catch.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;

constexpr std::size_t n = 9600;  // divides into equal slices for 2 to 10 workers, whole cache lines each
constexpr std::uint64_t steps = 12;

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    for (std::size_t i = 0; i < x.size(); ++i) g[i] = 0.1f * x[i];
    return 1.0;
  }
};

struct cost {
  double bytes;   ///< per parameter, worker and step
  double passes;  ///< per worker and step
};

/// What a step costs, the initial copies and the few doubles of the gaps left out.
template <class Algorithm>
cost cost_of(const Algorithm& parts, const topology::graph& on) {
  const auto workers = static_cast<std::size_t>(on.size());
  const counting_backend<eigen_backend> backend;
  (void)train_team(backend, parts, topology::mixing_matrix::metropolis(on),
                   equal_start<float>(workers, std::vector<float>(n, 1.0f)), [](int) { return bowl{}; }, steps,
                   {.lr = {.base = 0.1}});
  const auto counts = backend.counts();
  auto moved = counts.map;
  moved += counts.combine;
  moved += counts.sum;
  moved += counts.mean_with_gaps;
  moved += counts.gram;
  const double worker_steps = static_cast<double>(workers * steps);
  return {static_cast<double>(moved.bytes()) / (worker_steps * n), static_cast<double>(moved.passes) / worker_steps};
}

TEST_CASE("SGD with momentum and decay moves 20 bytes per float32 parameter in one pass") {
  const auto plain_step = cost_of(algorithm{plain{}, chain{weight_decay{}, momentum{}}, none{}}, topology::ring(1));
  CHECK(plain_step.bytes == 20.0);
  CHECK(plain_step.passes == 1.0);
}

TEST_CASE("SAM adds 4 bytes for the norm and 12 for the ascent, without clone or restore") {
  const auto step = cost_of(algorithm{sam{}, chain{weight_decay{}, momentum{}}, none{}}, topology::ring(1));
  CHECK(step.bytes == 20.0 + 4.0 + 12.0);
  CHECK(step.passes == 3.0);
}

TEST_CASE("gossip with K neighbors moves 4 (K + 2) bytes") {
  CHECK(cost_of(recipes::d_psgd(), topology::ring(8)).bytes == 12.0 + 4.0 * (2 + 2));
  CHECK(cost_of(recipes::d_psgd(), topology::torus(3, 3)).bytes == 12.0 + 4.0 * (4 + 2));
  CHECK(cost_of(recipes::dsgdm_n(), topology::ring(8)).bytes == 20.0 + 4.0 * (2 + 2));
  CHECK(cost_of(recipes::dsgdm_n(), topology::ring(8)).passes == 2.0);
}

TEST_CASE("quasi-global momentum moves 16 + 4 (K + 5) bytes in two passes") {
  for (const auto& [on, k] : {std::pair{topology::ring(8), 2.0}, {topology::torus(3, 3), 4.0}}) {
    const auto step = cost_of(recipes::qgm(), on);
    CHECK(step.bytes == 16.0 + 4.0 * (k + 5.0));
    CHECK(step.passes == 2.0);
    CHECK(cost_of(recipes::q_saddle(), on).bytes == 16.0 + 4.0 * (k + 5.0) + 16.0);
  }
}

TEST_CASE("the mean with its gaps costs 4 + 4/M bytes, pull and push 12 more, hard averaging 8") {
  for (const int m : {2, 4, 8}) {
    CAPTURE(m);
    const double reduction = 4.0 + 4.0 / m;
    const auto on = topology::complete(m);
    CHECK(cost_of(recipes::all_reduce(), on).bytes == Approx(20.0 + reduction + 8.0).epsilon(1e-12));
    CHECK(cost_of(recipes::local_sgd({.tau = 4}), on).bytes == Approx(20.0 + (reduction + 8.0) / 4).epsilon(1e-12));
    CHECK(cost_of(recipes::dppf({.tau = 4}), on).bytes == Approx(20.0 + (reduction + 12.0) / 4).epsilon(1e-12));
    CHECK(cost_of(recipes::dppf({.tau = 4, .exact_push = true}), on).bytes ==
          Approx(20.0 + (2 * reduction + 16.0 + 12.0) / 4).epsilon(1e-12));
    // One vector has no factors; the clipping behind it cuts the chain where there is nothing to bring into memory.
    CHECK(cost_of(recipes::power_sgd(), on).bytes == Approx(20.0 + reduction).epsilon(1e-12));
  }
}

TEST_CASE(
    "other pulls: elastic 20 bytes, leader 12, weighted average 24 and a reduction; a push from the average 16 more") {
  const int m = 4;
  const double reduction = 4.0 + 4.0 / m;
  const auto on = topology::complete(m);
  const auto round = [&](const auto& parts) { return (cost_of(parts, on).bytes - 20.0) * 4; };
  // The center begins at the mean of the starts: one reduction in all.
  const double start = reduction * 4 / steps;
  CHECK(round(recipes::easgd()) == Approx(start + reduction + 20.0).epsilon(1e-12));
  CHECK(round(recipes::easgd({.of = mixed::before_step})) == Approx(start + reduction + 24.0).epsilon(1e-12));
  CHECK(round(recipes::dppf({}, elastic_center{})) == Approx(start + reduction + 20.0).epsilon(1e-12));
  CHECK(round(recipes::lsgd({.proximal = 0.0})) == Approx(12.0).epsilon(1e-12));
  // In 12 steps the local pull has a leader for the last 8, two rounds of the three.
  CHECK(round(recipes::lsgd()) == Approx(12.0 + 16.0 * 2 / 3).epsilon(1e-12));
  CHECK(round(recipes::dppf({}, leader{})) == Approx(reduction + 12.0 + 16.0).epsilon(1e-12));
  const double weighted = 4.0 + 8.0 + reduction;
  CHECK(round(recipes::mgrawa({.tau = 4, .proximal = 0.0})) == Approx(weighted + 12.0).epsilon(1e-12));
  CHECK(round(recipes::dppf({}, gradient_weighted{})) == Approx(reduction + 12.0 + weighted + 16.0).epsilon(1e-12));
  CHECK(round(recipes::dppf({.per_tensor = true})) == Approx(reduction + 8.0 + 12.0).epsilon(1e-12));
}

TEST_CASE("outer steps take 24 bytes, 16 without memory; synchronous gradients the reduction; a sample in time 12") {
  const int m = 4;
  const double reduction = 4.0 + 4.0 / m;
  const double start = reduction * 4 / steps;  // the outer point begins at the mean of the starts
  const auto on = topology::complete(m);
  const auto round = [&](const auto& parts) { return (cost_of(parts, on).bytes - 20.0) * 4; };
  CHECK(round(recipes::lookahead({.tau = 4})) == Approx(start + reduction + 16.0).epsilon(1e-12));
  CHECK(round(recipes::diloco({.tau = 4})) == Approx(start + reduction + 24.0).epsilon(1e-12));
  CHECK(round(recipes::slow_mo({.tau = 4, .averages = 3})) ==
        Approx(start + reduction + (8.0 + 8.0 + 24.0) / 3).epsilon(1e-12));
  CHECK(cost_of(recipes::ddp_sgd(), on).bytes == 20.0 + reduction);
  CHECK(cost_of(recipes::ddp_sgd({.clip_norm = 1.0}), on).bytes == 20.0 + reduction + 4.0);
  CHECK(cost_of(recipes::ddp_sam(), on).bytes == 20.0 + reduction + 16.0);
  CHECK(cost_of(recipes::ddp_sam({.scope = sam_scope::all_workers}), on).bytes == 20.0 + 2 * reduction + 16.0);
  CHECK(round(recipes::swa({.start = 4, .interval = 4, .tau = 4})) == Approx(reduction + 8.0 + 12.0).epsilon(1e-12));
  // Looks after all steps but the last, 1 round.
  CHECK(cost_of(recipes::local_sgd({}, drift_triggered{1e6}), on).bytes ==
        Approx(20.0 + (8.0 * 11 + reduction + 8.0) / 12).epsilon(1e-12));
}

TEST_CASE("cross-gradients add a pass over self and neighbors; sending back makes gossip two passes") {
  for (const auto& [on, k] : {std::pair{topology::ring(8), 2.0}, {topology::torus(3, 3), 4.0}}) {
    CAPTURE(k);
    const double gather = 4.0 * (k + 2.0), gossip_before_step = 4.0 * (k + 2.0) + 8.0, mixture = 8.0;
    const auto data = cost_of(recipes::ngm(), on), model = cost_of(recipes::ngm({.data_share = 0.0}), on);
    CHECK(model.bytes == 20.0 + gather + gossip_before_step);
    CHECK(model.passes == 3.0);
    CHECK(data.bytes == 20.0 + gather + gossip_before_step + mixture);
    CHECK(data.passes == 4.0);
    CHECK(cost_of(recipes::ngm({.data_share = 0.5}), on).bytes == data.bytes + 4.0 * k);
    CHECK(cost_of(recipes::cga(), on).bytes == data.bytes + 4.0 * (k + 1.0));
    CHECK(cost_of(recipes::n_saddle(), on).bytes == data.bytes + 16.0 * (k + 1.0));
  }
}

TEST_CASE("compressed gossip adds 20 bytes for each neighbor's message besides the compressor's own") {
  for (const auto& [on, k] : {std::pair{topology::ring(8), 2.0}, {topology::torus(3, 3), 4.0}}) {
    CAPTURE(k);
    // Both public copies are made from the start once: 20 bytes in all.
    CHECK(cost_of(algorithm{plain{}, chain<>{}, choco{sign{}}}, on).bytes ==
          Approx(12.0 + 24.0 + 16.0 + 20.0 * k + 36.0 + 20.0 / steps).epsilon(1e-12));
    CHECK(cost_of(algorithm{plain{}, chain<>{}, deep_squeeze{sign{}, 0.5}}, on).bytes == 12.0 + 16.0 + 12.0 + 20.0 * k);
  }
}

TEST_CASE("clipping in front costs the 4 bytes of its norm; behind another rule 12 more for the cut") {
  CHECK(cost_of(algorithm{plain{}, chain{clip_norm{1.0}, momentum{}}, none{}}, topology::ring(1)).bytes == 24.0);
  CHECK(
      cost_of(algorithm{plain{}, chain{weight_decay{}, clip_norm{1.0}, momentum{}}, none{}}, topology::ring(1)).bytes ==
      24.0 + 12.0);
}

TEST_CASE("parameters take three buffers at most, four only in rounds that an update rule watches") {
  const auto buffers = [](const auto& parts, int workers) {
    const counting_backend<eigen_backend> backend;
    (void)train_team(backend, parts, topology::mixing_matrix::metropolis(topology::ring(workers)),
                     equal_start<float>(static_cast<std::size_t>(workers), std::vector<float>(n, 1.0f)),
                     [](int) { return bowl{}; }, steps, {.lr = {.base = 0.1}});
    return static_cast<double>(backend.counts().bytes_allocated / static_cast<std::uint64_t>(workers)) / (4.0 * n);
  };
  // x, half, gradient, momentum (and a handful of doubles)
  CHECK(buffers(algorithm{plain{}, momentum{}, none{}}, 1) == within(4.0, 0.01));
  // x, half, next, gradient, momentum
  CHECK(buffers(recipes::qgm(), 8) == within(5.0, 0.01));
  CHECK(buffers(recipes::q_saddle(), 8) == within(5.0, 0.01));
  // the same, the own gradient and one for each neighbor
  CHECK(buffers(recipes::ngm(), 8) == within(5.0 + 3.0, 0.01));
  CHECK(buffers(recipes::n_saddle(), 8) == within(5.0 + 3.0, 0.01));
  // the anchor of a long round
  CHECK(buffers(algorithm{plain{}, quasi_global_momentum{}, every{4, gossip{}}}, 8) == within(6.0, 0.01));
}

}  // namespace
