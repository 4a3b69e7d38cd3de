#include "polder/comm/counted.hpp"

#include "contract/communicator_suite.hpp"
#include "polder/comm/run_workers.hpp"

using polder::all_reduce_traffic;
using polder::counted;
using polder::run_workers;
using polder::wire_traffic;

namespace {

struct counted_threads {
  int count;
  [[nodiscard]] int workers() const { return count; }
  template <class Body>
  void operator()(const Body& body) const {
    run_workers(
        count,
        [&](auto& inner) {
          counted comm(inner);
          body(comm);
        },
        std::chrono::seconds(20));
  }
};

}  // namespace

TEST_CASE("counted in_process meets the communicator contract") {
  const int workers = GENERATE(1, 2, 4, 7);
  contract::communicator_suite(counted_threads{workers});
}

TEST_CASE("an exchange costs the bytes of its sends") {
  run_workers(4, [](auto& inner) {
    counted comm(inner);
    contract::ring_exchange{}(comm);  // 20 rounds of 2 messages of 1000 floats
    contract::expect(comm.sent() == wire_traffic{40, 160'000}, comm.bytes_sent(), " bytes in ", comm.messages_sent());
    contract::expect(comm.control() == wire_traffic{}, "nothing was gathered");
    comm.reset();
    contract::expect(comm.sent() == wire_traffic{}, "reset must forget");
  });
}

TEST_CASE("an all-reduce of slices of one size costs 2 (M - 1) / M numbers per number, and the gaps") {
  // 4 workers, 6400 floats: 3 slices of 1600 out, the own slice to 3 others, 4 doubles to 3 others.
  for (int rank = 0; rank < 4; ++rank) {
    CHECK(all_reduce_traffic(6400, 4, 4, rank) == wire_traffic{3 + 3 + 3, 3 * 1600 * 4 + 3 * 1600 * 4 + 3 * 4 * 8});
    CHECK(all_reduce_traffic(6400, 4, 4, rank).bytes - 96 == 2 * 3 * 6400 * 4 / 4);
  }
  CHECK(all_reduce_traffic(6400, 4, 1, 0) == wire_traffic{});
}

TEST_CASE("an all-reduce of uneven slices counts what each worker sends") {
  // 3 workers, 40 doubles: slices of 16, 16 and 8.
  CHECK(all_reduce_traffic(40, 8, 3, 0) == wire_traffic{2 + 4, 24 * 8 + 2 * (16 * 8 + 24)});
  CHECK(all_reduce_traffic(40, 8, 3, 2) == wire_traffic{2 + 4, 32 * 8 + 2 * (8 * 8 + 24)});
  // 3 workers, 10 doubles: one slice; the others only send to its owner.
  CHECK(all_reduce_traffic(10, 8, 3, 0) == wire_traffic{4, 2 * (80 + 24)});
  CHECK(all_reduce_traffic(10, 8, 3, 1) == wire_traffic{1, 80});
}

TEST_CASE("control traffic is counted apart, and the uncounted communicator counts nothing") {
  run_workers(3, [](auto& inner) {
    counted comm(inner);
    (void)contract::gather(comm, 1.0);
    contract::expect(comm.control() == wire_traffic{2, 16}, comm.control().bytes, " bytes of control");
    contract::expect(comm.sent() == wire_traffic{}, "a gather is not an exchange");
    const auto before = comm.sent();
    contract::expect_mean<float>(polder::uncounted(comm), 100, 1);
    contract::expect(&polder::uncounted(comm) == &inner, "uncounted is the inner communicator");
    contract::expect(&polder::uncounted(inner) == &inner, "what does not count is its own uncounted communicator");
    contract::expect(comm.sent() == before && comm.control() == wire_traffic{2, 16},
                     "the uncounted communicator counted");
    contract::expect_mean<float>(comm, 100, 1);
    contract::expect(comm.sent() == all_reduce_traffic(100, 4, 3, comm.rank()), "the mean was not counted");
  });
}
