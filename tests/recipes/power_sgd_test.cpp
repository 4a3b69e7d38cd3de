// PowerSGD against a stacked reference written from its formulas, its identities, and its bytes.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/comm/counted.hpp"
#include "polder/recipes/all_reduce.hpp"
#include "polder/recipes/power_sgd.hpp"
#include "polder/topology/graphs.hpp"
#include "recipes/stacked_power_sgd.hpp"
#include "recipes/stacked_reference.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;

topology::mixing_matrix everybody(std::size_t workers = team) {
  return topology::mixing_matrix::metropolis(topology::complete(static_cast<int>(workers)));
}

/// An objective of those tensors, from a function that gives worker and step a gradient.
struct tensor_objective {
  std::function<std::vector<double>(std::size_t step, std::span<const double> x)> gradient;
  mutable std::size_t step = 0;

  [[nodiscard]] polder::layout layout() const { return tensors(); }
  template <class T>
  double loss_and_gradient(std::span<const T> x, std::span<T> g) const {
    const std::vector<double> wide(x.begin(), x.end());
    const std::vector<double> slope = gradient(step++, wide);
    for (std::size_t i = 0; i < g.size(); ++i) g[i] = static_cast<T>(slope[i]);
    return 1.0;
  }
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    return loss_and_gradient<float>(x, g);
  }
  double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
    return loss_and_gradient<double>(x, g);
  }
};

template <class T, class Backend, class Algorithm, class MakeObjective>
stacked<T> train(const Backend& backend, const Algorithm& parts, const MakeObjective& make, std::uint64_t steps) {
  const std::vector<double> x0 = normals(numbers, 5);
  return train_team(backend, parts, everybody(), equal_start<T>(team, std::vector<T>(x0.begin(), x0.end())), make,
                    steps, {.lr = {.base = rate}});
}

tensor_objective bowl_of(int worker) {
  return {[worker](std::size_t, std::span<const double> x) {
    return bowls().gradient(static_cast<std::size_t>(worker), {x.begin(), x.end()});
  }};
}

double largest(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k) worst = std::max(worst, std::abs(a[k] - b[k]));
  return worst;
}
template <class T>
std::vector<double> wide(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}

TEST_CASE("PowerSGD follows its formulas") {
  for (const std::size_t rank : {1u, 2u, 3u}) {
    CAPTURE(rank);
    const std::vector<double> expected = stacked_power_sgd{rank, 0.8, 0.01}.run(40);
    const auto parts = recipes::power_sgd({.rank = rank, .beta = 0.8, .weight_decay = 0.01});
    CHECK(largest(wide(train<double>(reference_backend{}, parts, bowl_of, 40)[2]), expected) < 1e-10);
    CHECK(largest(wide(train<double>(eigen_backend{}, parts, bowl_of, 40)[1]), expected) < 1e-10);
    CHECK(largest(wide(train<float>(eigen_backend{}, parts, bowl_of, 40)[3]), expected) < 1e-3);
  }
}

TEST_CASE("all workers have the same parameters in every step, bit for bit") {
  const auto check = [](auto number) {
    using T = decltype(number);
    std::vector<stacked<T>> seen(team);
    const std::vector<double> x0 = normals(numbers, 5);
    (void)train_team(eigen_backend{}, recipes::power_sgd(), everybody(),
                     equal_start<T>(team, std::vector<T>(x0.begin(), x0.end())), bowl_of, 20, {.lr = {.base = rate}},
                     [&](auto& one, std::uint64_t) {
                       seen[static_cast<std::size_t>(one.rank())].emplace_back(one.x().data, one.x().data + numbers);
                     });
    for (std::size_t m = 1; m < team; ++m) CHECK(seen[m] == seen[0]);
    CHECK(seen[0][5] != seen[0][6]);
  };
  check(0.0f);
  check(0.0);
}

TEST_CASE("gradients of the factors' rank pass as they are, though each worker has its own") {
  // g_m = A_m B^T with the same B for all, as in the first layer for one batch of inputs.
  const auto low_rank = [](int worker) {
    return tensor_objective{[worker](std::size_t step, std::span<const double>) {
      std::vector<double> g = normals(numbers, 77 + static_cast<std::uint64_t>(worker));
      for (const block& b : blocks_of(1)) {
        const auto a = normals(b.rows * 2, 100 * step + static_cast<std::uint64_t>(worker)),
                   common = normals(b.columns * 2, 9);
        for (std::size_t i = 0; i < b.rows; ++i) {
          for (std::size_t c = 0; c < b.columns; ++c) {
            g[b.offset + i * b.columns + c] = a[2 * i] * common[2 * c] + a[2 * i + 1] * common[2 * c + 1];
          }
        }
      }
      return g;
    }};
  };
  const auto exact = train<double>(eigen_backend{}, recipes::all_reduce({.weight_decay = 0.1}), low_rank, 12);
  const auto apart = [&](std::size_t rank) {
    const auto x =
        train<double>(eigen_backend{}, recipes::power_sgd({.rank = rank, .weight_decay = 0.1}), low_rank, 12);
    return largest(x[0], exact[0]);
  };
  CHECK(apart(2) < 1e-11);
  CHECK(apart(3) < 1e-11);  // a third column has nothing to do
  CHECK(apart(1) > 1e-2);
}

TEST_CASE("where the rank is as large as a matrix all is averaged exactly") {
  const auto exact = train<double>(eigen_backend{}, recipes::all_reduce(), bowl_of, 30);
  CHECK(largest(train<double>(eigen_backend{}, recipes::power_sgd({.rank = 8}), bowl_of, 30)[0], exact[0]) < 1e-12);
  CHECK(largest(train<double>(eigen_backend{}, recipes::power_sgd({.rank = 1000}), bowl_of, 30)[0], exact[0]) < 1e-12);
}

/// The memory e of a worker.
template <class Worker>
std::vector<double> memory_of(Worker& worker) {
  std::vector<double> e;
  worker.visit([&](const auto& name, auto&& what) {
    if constexpr (requires { what.data; }) {
      if (std::string_view(name).find("power_sgd.residual") != std::string_view::npos) {
        for (std::size_t k = 0; k < what.size; ++k) e.push_back(static_cast<double>(what.data[k]));
      }
    }
  });
  return e;
}

TEST_CASE("the sum of all steps and the mean memory is the sum of the mean gradients") {
  // Gradients that do not depend on x, descent without momentum: the sum of u is (x0 - x) / lr.
  const auto drawn = [](std::size_t worker, std::size_t step) { return normals(numbers, 1000 * worker + step); };
  constexpr std::size_t steps = 25;
  rows memories(team), x(team);
  (void)train_team(
      eigen_backend{}, algorithm{plain{}, chain{polder::power_sgd{.rank = 1}}, none{}}, everybody(),
      equal_start<double>(team, std::vector<double>(numbers, 0.0)),
      [&](int worker) {
        return tensor_objective{[&drawn, worker](std::size_t step, std::span<const double>) {
          return drawn(static_cast<std::size_t>(worker), step);
        }};
      },
      steps, {.lr = {.base = rate}},
      [&](auto& one, std::uint64_t t) {
        if (t + 1 < steps) return;
        const auto m = static_cast<std::size_t>(one.rank());
        memories[m] = memory_of(one);
        x[m].assign(one.x().data, one.x().data + numbers);
      });
  std::vector<double> expected(numbers, 0.0);
  for (std::size_t m = 0; m < team; ++m) {
    REQUIRE(memories[m].size() == numbers);
    for (std::size_t t = 0; t < steps; ++t) {
      const auto g = drawn(m, t);
      for (std::size_t k = 0; k < numbers; ++k) expected[k] += g[k] / team;
    }
  }
  const std::vector<double> left = mean_of(memories);
  double size = 0.0;
  for (std::size_t k = 0; k < numbers; ++k) {
    CHECK(std::abs(-x[0][k] / rate + left[k] - expected[k]) < 1e-11);
    size = std::max(size, std::abs(left[k]));
  }
  CHECK(size > 0.1);
  CHECK(left[109] == 0.0);  // a bias keeps nothing
}

TEST_CASE("a matrix without gradient for some steps is followed again when it has one") {
  // One direction per matrix; nothing at all in the steps 0 to 2 and 6 to 8.
  const auto now_and_then = [](int worker) {
    return tensor_objective{[worker](std::size_t step, std::span<const double>) {
      std::vector<double> g(numbers, 0.0);
      if (step / 3 % 2 == 0) return g;
      for (const block& b : blocks_of(1)) {
        const auto a = normals(b.rows, 3 + static_cast<std::uint64_t>(worker)), c = normals(b.columns, step);
        for (std::size_t k = 0; k < b.rows * b.columns; ++k) g[b.offset + k] = a[k / b.columns] * c[k % b.columns];
      }
      return g;
    }};
  };
  const auto exact = train<double>(eigen_backend{}, recipes::all_reduce({.beta = 0.0}), now_and_then, 12);
  const auto low = train<double>(eigen_backend{}, recipes::power_sgd({.rank = 1, .beta = 0.0}), now_and_then, 12);
  CHECK(largest(low[0], exact[0]) < 1e-12);
}

TEST_CASE("the bytes on the wire are two all-reduces: rank numbers a row and the rest, rank numbers a column") {
  for (const std::size_t rank : {1u, 2u, 3u}) {
    std::vector<double> sent(team);
    run_workers(static_cast<int>(team), [&](auto& comm) {
      counted counting(comm);
      auto f = bowl_of(comm.rank());
      const std::vector<float> x0(numbers, 1.0f);
      const auto weights = everybody();
      worker one(recipes::power_sgd({.rank = rank}), eigen_backend{}, counting, weights, f, std::span<const float>(x0),
                 {});
      const auto before = counting.bytes_sent();
      for (int t = 0; t < 3; ++t) one.step();
      sent[static_cast<std::size_t>(comm.rank())] = static_cast<double>(counting.bytes_sent() - before) / 3.0;
    });
    // An all-reduce of n numbers sends each but the own part to its owner and the own part's mean to all others; who owns
    // some also sends the others its share of the 4 gaps.
    const auto all_reduce = [](std::size_t n, int m) {
      const std::size_t own = slice_of(n, static_cast<int>(team), m).size;
      return 4.0 * static_cast<double>(n - own + (team - 1) * own) + (own > 0 ? 8.0 * team * (team - 1) : 0.0);
    };
    const bool small_too = rank == 1;  // factors of 2 x 3 gain only then
    const std::size_t first = rank * (4 + 9 + (small_too ? 2 : 0)) + 4 + (small_too ? 0 : 6);
    const std::size_t second = rank * (27 + 8 + (small_too ? 3 : 0));
    for (int m = 0; m < static_cast<int>(team); ++m) {
      CAPTURE(rank, m);
      CHECK(sent[static_cast<std::size_t>(m)] == all_reduce(first, m) + all_reduce(second, m));
    }
  }
}

TEST_CASE("clipping behind PowerSGD clips the average") {
  const auto parts = algorithm{plain{}, chain{polder::power_sgd{.rank = 2}, clip_norm{0.5}}, none{}};
  const auto x = train<double>(eigen_backend{}, parts, bowl_of, 1);
  const std::vector<double> x0 = normals(numbers, 5);
  rows g;
  for (std::size_t m = 0; m < team; ++m) g.push_back(bowls().gradient(m, x0));
  const std::vector<double> u = stacked_power_sgd{2, 0.0, 0.0}.aggregate(g);
  REQUIRE(norm_of(u) > 0.5);
  for (std::size_t k = 0; k < numbers; ++k) CHECK(x[0][k] == within(x0[k] - rate * 0.5 / norm_of(u) * u[k], 1e-12));
}

TEST_CASE("what PowerSGD cannot do is refused") {
  CHECK_THROWS_WITH(train<double>(eigen_backend{}, recipes::power_sgd({.rank = 0}), bowl_of, 1),
                    Catch::Contains("power_sgd: rank is 0 but must be at least 1"));
  stacked<double> start = equal_start<double>(team, normals(numbers, 5));
  start[2][7] += 1e-12;
  CHECK_THROWS_WITH(
      train_team(eigen_backend{}, recipes::power_sgd(), everybody(), start, bowl_of, 1, {.lr = {.base = rate}}),
      Catch::Contains("power_sgd: worker 2 starts from other parameters than worker 0"));
  const auto broken = [](int worker) {
    return tensor_objective{[worker](std::size_t step, std::span<const double> x) {
      auto g = bowls().gradient(0, {x.begin(), x.end()});
      if (step == 2 && worker == 1) g[115] = std::numeric_limits<double>::quiet_NaN();
      return g;
    }};
  };
  CHECK_THROWS_WITH(train<double>(eigen_backend{}, recipes::power_sgd(), broken, 5),
                    Catch::Contains("step 2: the averaged gradient of tensor \"dense.weight\" is not finite"));
}

}  // namespace
