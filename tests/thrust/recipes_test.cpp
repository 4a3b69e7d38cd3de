// Every recipe that needs no host memory, on Thrust's default system and on the reference backend: one worker, the same
// numbers. Several workers are in workers_test.cpp.
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

namespace thrust_recipes {

constexpr std::size_t n = bowls::two_tensors_size;
constexpr std::uint64_t steps = 12;

template <class Backend, class Algorithm>
std::vector<float> trained(const Algorithm& parts) {
  const Backend backend;
  self<typename Backend::space> alone;
  const auto nobody_else = topology::mixing_matrix::usual(topology::ring(1));
  bowls::bowl<Backend> f(backend, bowls::waves(n, 0.0f), bowls::two_tensors());
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = std::sin(0.3f * static_cast<float>(i));
  worker one(parts, backend, alone, nobody_else, f, std::span<const float>(x),
             {.lr = {.base = 0.1, .kind = learning_rate::shape::cosine}, .total_steps = steps});
  while (one.steps() < steps) one.step();
  backend.to_host(one.model(), std::span<float>(x));
  return x;
}

/// The greatest difference; the start is more than 0.1 from where any of the recipes ends.
template <class Algorithm>
double difference(const Algorithm& parts) {
  const std::vector<float> expected = trained<reference_backend>(parts);
  const std::vector<float> found = trained<thrust_backend<>>(parts);
  double most = 0.0, moved = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    most = std::max(most, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
    moved = std::max(moved, std::abs(static_cast<double>(found[i]) - std::sin(0.3 * static_cast<double>(i))));
  }
  return moved > 0.1 ? most : INFINITY;
}

constexpr double rounding = 1e-5;

TEST_CASE("recipes of a graph train on Thrust's default system as on the reference backend", "[thrust]") {
  CHECK(difference(recipes::d_psgd()) < rounding);
  CHECK(difference(recipes::dsgdm_n({.weight_decay = 1e-3})) < rounding);
  CHECK(difference(recipes::qgm()) < rounding);
  CHECK(difference(recipes::q_saddle({.clip_norm = 10.0})) < rounding);
  CHECK(difference(recipes::ngm()) < rounding);
  CHECK(difference(recipes::n_saddle()) < rounding);
}

TEST_CASE("recipes of local steps train on Thrust's default system as on the reference backend", "[thrust]") {
  CHECK(difference(recipes::local_sgd()) < rounding);
  CHECK(difference(recipes::local_sam()) < rounding);
  CHECK(difference(recipes::post_local_sgd({.start = 3, .tau = 2})) < rounding);
  CHECK(difference(recipes::qsr({.alpha = 0.2, .tau = 2})) < rounding);
  CHECK(difference(recipes::local_sgd({}, drift_triggered{0.1})) < rounding);
  CHECK(difference(recipes::swa({.start = 4, .interval = 2})) < rounding);
  CHECK(difference(recipes::swap({.start = 3})) < rounding);
  CHECK(difference(recipes::ema({.decay = 0.5})) < rounding);
  CHECK(difference(recipes::lookahead()) < rounding);
  CHECK(difference(recipes::slow_mo({.tau = 2, .averages = 2})) < rounding);
  CHECK(difference(recipes::diloco({.tau = 3})) < rounding);
}

TEST_CASE("pulls of any kind train on Thrust's default system as on the reference backend", "[thrust]") {
  CHECK(difference(recipes::dppf()) < rounding);
  CHECK(difference(recipes::dppf({.exact_push = true, .per_tensor = true})) < rounding);
  CHECK(difference(recipes::dppf({}, leader{.proximal = 0.1})) < rounding);
  CHECK(difference(recipes::dppf({.from = push_reference::target}, elastic_center{})) < rounding);
  CHECK(difference(recipes::easgd()) < rounding);
  CHECK(difference(recipes::lsgd()) < rounding);
  CHECK(difference(recipes::mgrawa({.tau = 3})) < rounding);
  CHECK(difference(recipes::lgrawa({.tau = 3})) < rounding);
}

TEST_CASE("synchronous recipes train on Thrust's default system as on the reference backend", "[thrust]") {
  CHECK(difference(recipes::all_reduce()) < rounding);
  CHECK(difference(recipes::ddp_sgd()) < rounding);
  CHECK(difference(recipes::ddp_sam({.scope = sam_scope::all_workers})) < rounding);
}

}  // namespace thrust_recipes
