// CHOCO before the step: copies that are the same everywhere, a mean that stays, and what is refused.
#include "polder/mixing/choco_before_step.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/backend/counting.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/gradient/cross_gradients.hpp"
#include "polder/mixing/every.hpp"
#include "polder/recipes/comp_ngm.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/chain.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

constexpr int team = 6;
constexpr std::size_t n = 37;

/// Degrees 1 to 4.
mixing_matrix irregular_six() {
  return mixing_matrix::metropolis(
      topology::from_edges(team, std::vector<topology::edge>{{0, 1}, {0, 2}, {0, 3}, {0, 4}, {1, 2}, {4, 5}}));
}

template <class T>
stacked<T> apart() {
  stacked<T> x;
  random_stream random({23, purpose::test});
  for (int i = 0; i < team; ++i) {
    x.emplace_back();
    for (std::size_t k = 0; k < n; ++k) x.back().push_back(static_cast<T>(random.normal()));
  }
  return x;
}
template <class T>
double mean_at(const stacked<T>& x, std::size_t k) {
  double mean = 0.0;
  for (const auto& row : x) mean += static_cast<double>(row[k]) / static_cast<double>(x.size());
  return mean;
}

/// What every worker has kept of every worker it knows, after `steps` steps.
template <class Mixing>
std::map<int, std::vector<std::vector<float>>> copies_after(const Mixing& mixing, std::uint64_t steps) {
  const quadratics q(team, n, 3);
  std::vector<std::map<int, std::vector<float>>> kept(team);
  (void)train_team(
      eigen_backend{}, algorithm{cross_gradients{}, chain<>{}, mixing}, irregular_six(), apart<float>(),
      [&](int i) { return q.of(i); }, steps, {.lr = {.base = 0.05}},
      [&](auto& one, std::uint64_t t) {
        if (t + 1 < steps) return;
        one.visit([&](const std::string& name, auto values) {
          if constexpr (requires { values.data; }) {
            const std::string prefix = "mixing.choco.copy_of.";
            if (!name.starts_with(prefix)) return;
            const std::span<const float> numbers(reinterpret_cast<const float*>(values.data), values.size);
            kept[static_cast<std::size_t>(one.rank())][std::stoi(name.substr(prefix.size()))] = {numbers.begin(),
                                                                                                 numbers.end()};
          }
        });
      });
  std::map<int, std::vector<std::vector<float>>> by_owner;
  for (const auto& of_one : kept) {
    for (const auto& [owner, copy] : of_one) by_owner[owner].push_back(copy);
  }
  return by_owner;
}

TEST_CASE("a copy has the same bits on its worker and on all its neighbors, whatever was rounded") {
  const auto same_everywhere = [](const auto& compressor) {
    const auto copies =
        copies_after(choco_before_step{.compressor = compressor, .gamma = 0.2, .copies = public_copies::zero}, 300);
    REQUIRE(copies.size() == team);
    std::size_t kept = 0;
    for (const auto& [owner, held] : copies) {
      CAPTURE(owner);
      kept += held.size();
      for (const auto& copy : held) CHECK(copy == held.front());
    }
    CHECK(kept == team + 2 * 6);  // each worker's own, and both ends' of six edges
  };
  same_everywhere(qsgd{.bits = 3, .scale = scaling::contraction});
  same_everywhere(sign{});
  same_everywhere(top_k{.keep = 0.1});
  same_everywhere(random_k{.keep = 0.2});
}

TEST_CASE("the mean of the workers stays where it is, whatever a compressor loses before the step") {
  const quadratics q(team, n, 3);
  const auto start = apart<double>();
  const auto keeps_mean = [&](const auto& compressor) {
    const choco_before_step mixing{.compressor = compressor, .gamma = 0.2, .copies = public_copies::zero};
    const auto check = [&](const auto& gradient) {
      const auto after = train_team(reference_backend{}, algorithm{gradient, chain<>{}, mixing}, irregular_six(), start,
                                    [&](int i) { return q.of(i); }, 25, {.lr = {.base = 0.0}});
      CHECK(after != start);
      for (std::size_t k = 0; k < n; ++k) CHECK(mean_at(after, k) == within(mean_at(start, k), 1e-13));
    };
    check(plain{});
    check(cross_gradients<plain, error_feedback<sign>>{});
  };
  keeps_mean(sign{});
  keeps_mean(top_k{.keep = 0.1});
  keeps_mean(random_k{.keep = 0.3});
  keeps_mean(qsgd{.bits = 2, .scale = scaling::contraction});
  keeps_mean(half{});
}

TEST_CASE("in float, thousands of messages before the step leave the mean where it is") {
  // Gradients that sum to zero pull the workers apart in every step. x rounds twice a step by at most 2^-24 of its size:
  // 5e-4 after 4000 steps if always in one direction.
  struct pulling {
    float pull;
    double loss_and_gradient(std::span<const float>, std::span<float> g) const {
      for (std::size_t i = 0; i < g.size(); ++i) g[i] = pull * static_cast<float>(1.0 + 0.01 * static_cast<double>(i));
      return 0.0;
    }
  };
  const auto shift = [&](const auto& mixing) {
    const auto x =
        train_team(eigen_backend{}, algorithm{plain{}, chain<>{}, mixing}, mixing_matrix::metropolis(topology::ring(4)),
                   equal_start<float>(4, std::vector<float>(n, 1.0f)),
                   [](int i) { return pulling{i % 2 == 0 ? 1.0f : -1.0f}; }, 4000, {.lr = {.base = 0.01}});
    double worst = 0.0;
    for (std::size_t k = 0; k < n; ++k) worst = std::max(worst, std::abs(mean_at(x, k) - 1.0));
    return worst;
  };
  CHECK(shift(choco_before_step{qsgd{.bits = 8, .scale = scaling::contraction}, 0.5}) < 5e-4);
  CHECK(shift(choco_before_step{sign{}, 0.4}) < 5e-4);
}

TEST_CASE("workers that start apart come together through their copies") {
  const auto start = apart<double>();
  const quadratics q(team, n, 3);
  const auto after = train_team(
      reference_backend{},
      algorithm{plain{}, chain<>{},
                choco_before_step{.compressor = top_k{.keep = 0.3}, .gamma = 0.3, .copies = public_copies::zero}},
      irregular_six(), start, [&](int i) { return q.of(i); }, 600, {.lr = {.base = 0.0}});
  for (const auto& row : after) {
    for (std::size_t k = 0; k < n; ++k) CHECK(row[k] == within(mean_at(start, k), 1e-6));
  }
}

TEST_CASE("over rounds of several steps the copies follow in every step that asks for them") {
  const quadratics q(team, n, 3);
  const auto train = [&](const auto& gradient, const auto& mixing) {
    return train_team(reference_backend{}, algorithm{gradient, chain<>{}, every{3, mixing}}, irregular_six(),
                      equal_start<double>(team, std::vector<double>(n, 1.0)), [&](int i) { return q.of(i); }, 30,
                      {.lr = {.base = 0.05}});
  };
  const auto agree = [&](const auto& gradient) {
    const auto copied = train(gradient, choco_before_step{raw{}, 0.6});
    const auto base = train(gradient, gossip{.gamma = 0.6, .of = mixed::before_step});
    for (std::size_t i = 0; i < base.size(); ++i) {
      for (std::size_t k = 0; k < n; ++k) CHECK(copied[i][k] == within(base[i][k], 1e-12));
    }
  };
  agree(plain{});
  agree(cross_gradients{});
  agree(cross_gradients<plain>{.data_share = 0.0});
}

TEST_CASE("CHOCO before the step moves 12 bytes for the difference and 4 (K + 2) + 12 for the mixing") {
  struct bowl {
    double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
      for (std::size_t i = 0; i < x.size(); ++i) g[i] = 0.1f * x[i];
      return 1.0;
    }
  };
  constexpr std::size_t many = 9600;
  const auto bytes_of = [&](const auto& parts, const topology::graph& on) {
    const counting_backend<eigen_backend> backend;
    const auto workers = static_cast<std::size_t>(on.size());
    (void)train_team(backend, parts, mixing_matrix::metropolis(on),
                     equal_start<float>(workers, std::vector<float>(many, 1.0f)), [](int) { return bowl{}; }, 12,
                     {.lr = {.base = 0.1}});
    auto moved = backend.counts().map;
    moved += backend.counts().combine;
    return static_cast<double>(moved.bytes()) / static_cast<double>(workers * 12 * many);
  };
  for (const auto& [on, k] : {std::pair{topology::ring(8), 2.0}, {topology::torus(3, 3), 4.0}}) {
    CAPTURE(k);
    const double mixing = 12.0 + 4.0 * (k + 2.0) + 12.0;
    CHECK(bytes_of(algorithm{plain{}, chain<>{}, choco_before_step{sign{}}}, on) == 12.0 + mixing);
    // The copies stay, so cross-gradients need no mixture before they talk on.
    CHECK(bytes_of(recipes::comp_ngm(choco_before_step{sign{}}, error_feedback{sign{}}), on) ==
          20.0 + 4.0 * (k + 2.0) + mixing);
  }
}

TEST_CASE("what does not suit CHOCO before the step is refused in a sentence") {
  const quadratics q(team, n, 3);
  const auto train = [&](const auto& mixing, const mixing_matrix& weights) {
    (void)train_team(
        reference_backend{}, algorithm{plain{}, chain<>{}, mixing}, weights,
        stacked<double>(static_cast<std::size_t>(weights.size()), std::vector<double>(n, 1.0)),
        [&](int i) { return q.of(i % team); }, 1);
  };
  CHECK_THROWS_WITH(train(choco_before_step{sign{}, 0.0}, irregular_six()),
                    Catch::Contains("choco_before_step: gamma is 0 but must be in (0, 1]"));
  CHECK_THROWS_WITH(train(choco_before_step{qsgd{}}, irregular_six()),
                    Catch::Contains("choco_before_step: the compressor is unbiased"));
  CHECK_THROWS_WITH(train(choco_before_step{sign{}}, mixing_matrix::usual(topology::one_peer_exponential(8))),
                    Catch::Contains("changes over 3 phases, but what neighbors are known to have is kept in a copy for "
                                    "each of them: take a graph that stays"));
  const std::vector<double> circle{0.5, 0.5, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0, 0.5};
  CHECK_THROWS_WITH(
      train(choco_before_step{sign{}}, mixing_matrix::from_dense(3, circle)),
      Catch::Contains("symmetric weights are needed (compression errors cancel over each edge only then"));
  CHECK_THROWS_WITH((void)train_team(
                        reference_backend{}, algorithm{plain{}, chain<>{}, choco_before_step{sign{}}}, irregular_six(),
                        apart<double>(), [&](int i) { return q.of(i); }, 1),
                    Catch::Contains("choco_before_step: worker 1 starts from other parameters than worker 0") &&
                        Catch::Contains("set copies to public_copies::zero"));
}

}  // namespace
