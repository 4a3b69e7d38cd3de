// The step loop: what it refuses, what it carries, what it hashes.
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/comm/self.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/none.hpp"
#include "polder/recipes/d_psgd.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/recipes/qgm.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/metrics.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

TEST_CASE("workers that start from different parameters are refused and the first odd one is named") {
  const quadratics q(4, 5, 1);
  const auto weights = mixing_matrix::metropolis(topology::ring(4));
  const auto start = [&](int odd) {
    run_workers(4, [&](auto& comm) {
      std::vector<float> x0(5, comm.rank() == odd ? 2.0f : 1.0f);
      auto f = q.of(comm.rank());
      const eigen_backend backend;
      worker one(recipes::d_psgd(), backend, comm, weights, f, std::span<const float>(x0));
    });
  };
  CHECK_NOTHROW(start(-1));
  CHECK_THROWS_WITH(start(2), Catch::Contains("worker 2 starts from other parameters"));
}

TEST_CASE("a learning rate that changes over the run needs the run's length") {
  const quadratics q(2, 5, 1);
  const auto weights = mixing_matrix::metropolis(topology::ring(2));
  const auto start = [&](const worker_options& options) {
    run_workers(2, [&](auto& comm) {
      const std::vector<float> x0(5, 1.0f);
      auto f = q.of(comm.rank());
      worker one(recipes::d_psgd(), eigen_backend{}, comm, weights, f, std::span<const float>(x0), options);
    });
  };
  for (const auto kind : {learning_rate::shape::steps, learning_rate::shape::cosine}) {
    CHECK_THROWS_WITH(start({.lr = {.kind = kind}}), Catch::Contains("set total_steps"));
    CHECK_NOTHROW(start({.lr = {.kind = kind}, .total_steps = 10}));
  }
  CHECK_NOTHROW(start({}));
}

TEST_CASE("a mixing matrix that does not suit gossip is refused before the first step") {
  const quadratics q(4, 5, 1);
  const auto start = [&](const mixing_matrix& weights, int workers) {
    return train_team(
        eigen_backend{}, recipes::d_psgd(), weights,
        equal_start<float>(static_cast<std::size_t>(workers), std::vector<float>(5, 1.0f)),
        [&](int i) { return q.of(i); }, 1);
  };
  CHECK_THROWS_AS(start(mixing_matrix::uniform(topology::star(4)), 4), config_error);
  CHECK_THROWS_AS(start(mixing_matrix::metropolis(topology::from_edges(4, {{0, 1}, {2, 3}})), 4), config_error);
  CHECK_THROWS_WITH(start(mixing_matrix::metropolis(topology::ring(3)), 4),
                    Catch::Contains("3") && Catch::Contains("4"));
  CHECK_NOTHROW(start(mixing_matrix::uniform(topology::one_peer_exponential(4)), 4));
}

TEST_CASE("a run that is cut at any step and carried over by its visit ends with the same bits") {
  const quadratics q(4, 9, 1);
  const auto weights = mixing_matrix::metropolis(topology::ring(4));
  const auto x0 = equal_start<float>(4, std::vector<float>(9, 1.0f));
  const auto carried = [&](const auto& parts, std::uint64_t total) {
    const worker_options options{.lr = {.base = 0.05}, .total_steps = total};
    const auto whole = train_team(
        eigen_backend{}, parts, weights, x0, [&](int i) { return q.of(i); }, total, options);
    for (std::uint64_t cut = 0; cut <= total; ++cut) {
      CAPTURE(cut);
      stacked<float> ended(4);
      run_workers(4, [&](auto& comm) {
        const eigen_backend backend;
        auto f = q.of(comm.rank());
        const auto rank = static_cast<std::size_t>(comm.rank());
        std::map<std::string, std::vector<double>> saved;
        {
          worker first(parts, backend, comm, weights, f, std::span<const float>(x0[rank]), options);
          for (std::uint64_t t = 0; t < cut; ++t) first.step();
          first.visit([&](const auto& name, auto&& value) {
            auto& numbers = saved[std::string(name)];
            if constexpr (requires { value.data; }) {
              numbers.assign(value.data, value.data + value.size);
            } else {
              numbers.assign(1, static_cast<double>(value));
            }
          });
        }
        worker second(parts, backend, comm, weights, f, std::span<const float>(x0[rank]), options);
        second.visit(
            [&](const auto& name, auto&& value) {
              const auto& numbers = saved.at(std::string(name));
              if constexpr (requires { value.data; }) {
                for (std::size_t k = 0; k < numbers.size(); ++k) {
                  value.data[k] = static_cast<std::remove_reference_t<decltype(*value.data)>>(numbers[k]);
                }
              } else {
                value = static_cast<std::remove_cvref_t<decltype(value)>>(numbers[0]);
              }
            },
            true, saved.contains("anchor"));
        for (std::uint64_t t = cut; t < total; ++t) second.step();
        ended[rank].assign(second.x().data, second.x().data + 9);
      });
      CHECK(ended == whole);
    }
  };
  carried(recipes::qgm(), 7);
  carried(recipes::dppf({.tau = 3, .schedule = push_schedule::increasing}), 11);
  carried(algorithm{plain{}, quasi_global_momentum{}, every{3, gossip{}}}, 11);
}

TEST_CASE("the parameter hash changes with a single bit of a single worker and with the order of the workers") {
  const auto hash = [](const stacked<float>& x) {
    std::uint64_t result = 0;
    run_workers(static_cast<int>(x.size()), [&](auto& comm) {
      const auto mine = param_hash(comm, std::span<const float>(x[static_cast<std::size_t>(comm.rank())]));
      if (comm.rank() == 0) result = mine;
    });
    return result;
  };
  const stacked<float> x{{1.0f, 2.0f}, {3.0f, 4.0f}};
  CHECK(hash(x) == hash(x));
  CHECK(hash(x) != hash({{1.0f, 2.0f}, {3.0f, std::nextafter(4.0f, 5.0f)}}));
  CHECK(hash(x) != hash({{3.0f, 4.0f}, {1.0f, 2.0f}}));
}

TEST_CASE("consensus distance and valley width of known vectors") {
  const agreement a = agreement_of(std::vector<double>{9.0, 1.0, 1.0, 1.0});
  CHECK(a.consensus_distance == Approx(std::sqrt(3.0)));
  CHECK(a.valley_width == Approx(1.5));
}

TEST_CASE("schedules: warm-up, steps, cosine") {
  const learning_rate constant{.base = 0.5, .warmup_steps = 4};
  CHECK(constant.at(0, 100) == Approx(0.125));
  CHECK(constant.at(3, 100) == Approx(0.5));
  CHECK(constant.at(50, 100) == 0.5);
  const learning_rate drops{.base = 1.0, .kind = learning_rate::shape::steps};
  CHECK(drops.at(49, 100) == 1.0);
  CHECK(drops.at(50, 100) == Approx(0.1));
  CHECK(drops.at(75, 100) == Approx(0.01));
  const learning_rate cosine{.base = 1.0, .kind = learning_rate::shape::cosine, .warmup_steps = 10, .floor = 0.2};
  CHECK(cosine.at(10, 110) == Approx(1.0));
  CHECK(cosine.at(60, 110) == Approx(0.6));
  CHECK(cosine.at(110, 110) == Approx(0.2));
  CHECK(scheduled_push(push_schedule::increasing, 0.5, 0, 10) == 0.0);
  CHECK(scheduled_push(push_schedule::increasing, 0.5, 10, 10) == Approx(0.5));
  CHECK(scheduled_push(push_schedule::decreasing, 0.5, 0, 10) == Approx(0.5));
  CHECK_THROWS_WITH(scheduled_push(push_schedule::decreasing, 0.5, 0, 0), Catch::Contains("number of rounds"));
}

}  // namespace
