#include "polder/comm/self.hpp"

#include "contract/communicator_suite.hpp"
#include "polder/comm/counted.hpp"
#include "polder/comm/recorded.hpp"

namespace {

struct alone {
  [[nodiscard]] static int workers() { return 1; }
  template <class Body>
  void operator()(const Body& body) const {
    polder::self<> comm;
    body(comm);
  }
};

struct alone_and_watched {
  [[nodiscard]] static int workers() { return 1; }
  template <class Body>
  void operator()(const Body& body) const {
    polder::self<> inner;
    polder::counted counted(inner);
    polder::recorded comm(counted);
    body(comm);
    CHECK(counted.sent() == polder::wire_traffic{});
  }
};

}  // namespace

TEST_CASE("self meets the communicator contract") { contract::communicator_suite(alone{}); }
TEST_CASE("self, counted and recorded, meets the communicator contract") {
  contract::communicator_suite(alone_and_watched{});
}

TEST_CASE("the mean of a single worker is its own vector, and its gap is 0") {
  polder::self<> comm;
  std::vector<double> x{1.0, 2.5};
  const auto [mean, gaps] = comm.all_reduce_mean(polder::reference_backend{}, contract::whole(x));
  CHECK(mean.data == x.data());
  CHECK(mean.size == 2);
  REQUIRE(gaps.size == 1);
  CHECK(gaps.data[0] == 0.0);
}

TEST_CASE("a single worker has no peers") {
  polder::self<> comm;
  const polder::outgoing send{1, nullptr, 0};
  CHECK_THROWS_WITH(comm.post({{&send, 1}, {}, 0}),
                    "post: a single worker has no peers: give an empty plan or more workers");
}
