#include "polder/backend/counting.hpp"

#include <cmath>
#include <thread>
#include <vector>

#include "contract/backend_suite.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace {

/// Claims to write x but reads it first.
struct wrong_tag {
  void operator()(float g, float& x) const { x = x - g; }
};

}  // namespace

TEST_CASE("every pass is counted by the tags of its streams", "[counting]") {
  const counting_backend<eigen_backend> b;
  const std::size_t n = 1000;
  auto x = b.zeros<float>(n), g = b.zeros<float>(n), m = b.zeros<float>(n), y = b.zeros<float>(n);
  auto results = b.zeros<double>(3);
  CHECK(b.counts().allocations == 5);
  CHECK(b.counts().bytes_allocated == 4 * n * sizeof(float) + 3 * sizeof(double));
  CHECK(b.counts().total() == traffic{});

  b.map(n, contract::momentum_step<float>{0.1f, 0.9f}, in(x.view()), in(g.view()), inout(m.view()), out(y.view()));
  CHECK(b.counts().map == traffic{1, 12 * n, 8 * n});
  CHECK(b.counts().map.bytes() == 20 * n);

  const std::vector<weighted<host_space, float>> terms{{x.view(), 0.5}, {g.view(), 0.25}, {m.view(), 0.25}};
  b.combine(std::span<const weighted<host_space, float>>(terms), contract::assign{}, out(y.view()));
  CHECK(b.counts().combine == traffic{1, 12 * n, 4 * n});

  b.sum(n, contract::product{}, results.view().part(0, 1), in(x.view()), in(g.view()));
  CHECK(b.counts().sum == traffic{1, 8 * n, 0});

  const std::vector<host_view<const float>> vectors{x.view(), g.view(), m.view()};
  b.mean_with_gaps(std::span<const host_view<const float>>(vectors), y.view(), results.view());
  CHECK(b.counts().mean_with_gaps == traffic{1, 12 * n, 4 * n});

  b.copy(x.view(), y.view());
  CHECK(b.counts().copy == traffic{1, 4 * n, 4 * n});
  CHECK(b.counts().total() == traffic{5, 48 * n, 20 * n});

  auto products = b.zeros<double>(6);
  b.gram(std::span<const host_view<const float>>(vectors), products.view());
  CHECK(b.counts().gram == traffic{1, 12 * n, 0});

  std::vector<float> host(n);
  b.to_host(x.view(), std::span<float>(host));
  b.from_host(std::span<const float>(host), x.view());
  CHECK(b.counts().to_host == traffic{1, 4 * n, 0});
  CHECK(b.counts().from_host == traffic{1, 0, 4 * n});
  CHECK(b.counts().total() == traffic{6, 60 * n, 20 * n});

  b.reset();
  CHECK(b.counts().total() == traffic{});
  CHECK(b.counts().allocations == 0);
}

TEST_CASE("doubles count twice as much as floats", "[counting]") {
  const counting_backend<reference_backend> b;
  auto x = b.zeros<double>(10);
  b.map(10, contract::double_in_place{}, inout(x.view()));
  CHECK(b.counts().map == traffic{1, 80, 80});
}

TEST_CASE("an element that reads a stream tagged out spoils its result", "[counting]") {
  const counting_backend<eigen_backend> b;
  auto g = b.zeros<float>(5), x = b.zeros<float>(5);
  b.map(5, wrong_tag{}, in(g.view()), inout(x.view()));
  for (std::size_t i = 0; i < 5; ++i) CHECK(x.data()[i] == 0.0f);
  b.map(5, wrong_tag{}, in(g.view()), out(x.view()));
  for (std::size_t i = 0; i < 5; ++i) CHECK(std::isnan(x.data()[i]));
}

TEST_CASE("copies of a counting backend count together, from any thread", "[counting]") {
  const counting_backend<eigen_backend> b;
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([copy = b] {
      auto x = copy.zeros<float>(8);
      for (int step = 0; step < 100; ++step) copy.map(8, contract::double_in_place{}, inout(x.view()));
    });
  }
  for (auto& worker : workers) worker.join();
  CHECK(b.counts().map == traffic{400, 400 * 32, 400 * 32});
  CHECK(b.counts().allocations == 4);
}
