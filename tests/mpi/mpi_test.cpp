// The communicator contract over MPI: mpirun -n RANKS this-program. Every rank runs the same tests; rank 0 reports,
// the others only when they fail.
#include "polder/comm/mpi.hpp"

#include <atomic>
#include <iostream>
#include <sstream>

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#endif
#include "contract/communicator_suite.hpp"
#include "mpi/wire_counter.hpp"
#include "polder/comm/counted.hpp"
#include "polder/comm/recorded.hpp"
#include "polder/comm/run_workers.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using polder::counted;
using polder::mpi_communicator;

namespace {

int world_size() {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

struct ranks {
  [[nodiscard]] static int workers() { return world_size(); }
  template <class Body>
  void operator()(const Body& body) const {
    mpi_communicator<> comm;
    comm.deadline(20s);
    body(comm);
  }
};

struct watched_ranks {
  [[nodiscard]] static int workers() { return world_size(); }
  template <class Body>
  void operator()(const Body& body) const {
    mpi_communicator<> inner;
    inner.deadline(20s);
    counted counted(inner);
    polder::recorded comm(counted);
    body(comm);
  }
};

/// What `body` makes this rank send by its own count, against what went to MPI.
template <class Body>
void check_count(const Body& body) {
  mpi_communicator<> inner;
  inner.deadline(20s);
  counted comm(inner);
  const wire::totals before = wire::sent;
  body(comm);
  CHECK(comm.messages_sent() == wire::sent.messages - before.messages);
  CHECK(comm.bytes_sent() == wire::sent.bytes - before.bytes);
  CHECK((comm.bytes_sent() > 0 || comm.size() == 1));
}

}  // namespace

TEST_CASE("mpi meets the communicator contract") { contract::communicator_suite(ranks{}); }
TEST_CASE("mpi, counted and recorded, meets the communicator contract") {
  contract::communicator_suite(watched_ranks{});
}

TEST_CASE("the counted bytes are the bytes that MPI was given") {
  check_count(contract::ring_exchange{});
  check_count(contract::slow_reader{});
  check_count(contract::variable_sizes{});
  check_count([](auto& comm) { contract::expect_mean<float>(comm, 6400, 1); });
  check_count(contract::means{});
}

TEST_CASE("mpi and in_process give the same bits") {
  std::uint64_t over_mpi = 0;
  ranks{}([&](auto& comm) { over_mpi = contract::short_run{}(comm); });
  std::atomic<std::uint64_t> in_process = 0;
  polder::run_workers(world_size(), [&](auto& comm) { in_process = contract::short_run{}(comm); });
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == 0) std::printf("hash of a short run: mpi %016lx, in_process %016lx\n", over_mpi, in_process.load());
  CHECK(over_mpi == in_process.load());
}

TEST_CASE("many addresses, each sent once, are sent all the same") {
  ranks{}([](auto& comm) {
    if (comm.size() == 1) return;
    std::vector<float> x(6000);
    const polder::publication_guard guard(comm);
    contract::fill(x, comm.rank(), 1);
    const int next = (comm.rank() + 1) % comm.size(), previous = (comm.rank() + comm.size() - 1) % comm.size();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const polder::outgoing send = polder::send_to(next, contract::whole(x).part(i, 1));
      const polder::incoming receive{previous, sizeof(float)};
      comm.post({{&send, 1}, {&receive, 1}, i});
      const float got = *polder::as_vector<polder::host_space, const float>(comm.wait()[0]).data;
      contract::expect(got == contract::number(previous, 1, i), "element ", i, " is ", got);
      comm.release();
    }
  });
}

TEST_CASE("messages that do not fit the receiver's plan are refused by mpi") {
  if (world_size() == 1) return;
  const auto words = [](std::size_t sent, std::size_t expected, bool fixed_size) {
    std::string result;
    ranks{}([&](auto& comm) {
      std::vector<float> x(100);
      const polder::publication_guard guard(comm);
      const polder::outgoing send{1, reinterpret_cast<const std::byte*>(x.data()), sent};
      const polder::incoming receive{0, expected};
      if (comm.rank() == 0) comm.post({{&send, 1}, {}, 2, fixed_size});
      if (comm.rank() == 1) {
        comm.post({{}, {&receive, 1}, 2, fixed_size});
        result = contract::message_of<polder::comm_error>([&] { (void)comm.wait(); });
      }
      (void)contract::gather(comm, 0);
    });
    return result;
  };
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const std::string too_short = words(40, 44, true), too_long = words(48, 44, true), variable = words(48, 44, false);
  if (rank != 1) return;
  CHECK_THAT(too_short, Contains("sent 40 bytes where worker 1 expects 44 at step 2 (edge 0 -> 1)"));
  // Open MPI reports the truncation for some transports and delivers the length for others.
  CHECK_THAT(too_long, Contains("worker 1: a transfer with worker 0 failed: MPI_ERR_TRUNCATE") ||
                           Contains("sent 48 bytes where worker 1 expects 44 at step 2 (edge 0 -> 1)"));
  CHECK_THAT(variable, Contains("sent 48 bytes where worker 1 expects at most 44 at step 2 (edge 0 -> 1)"));
}

TEST_CASE("messages longer than MPI counts are refused") {
  if (world_size() == 1) return;
  ranks{}([](auto& comm) {
    const std::byte one{};
    const polder::outgoing send{(comm.rank() + 1) % comm.size(), &one, std::size_t{1} << 31};
    contract::expect_part(contract::message_of<polder::config_error>([&] {
                            comm.post({{&send, 1}, {}, 0});
                          }),
                          "2147483648 bytes");
    (void)contract::gather(comm, 0);
  });
}

TEST_CASE("errors of MPI say the operation, the rank, the peer and MPI's words") {
  const auto words =
      contract::message_of<polder::comm_error>([] { polder::detail::check_mpi(MPI_ERR_RANK, "MPI_Isend", 3, 9); });
  CHECK_THAT(words, Contains("worker 3: MPI_Isend with worker 9 failed: MPI_ERR_RANK"));
}

int main(int argc, char** argv) {
  const polder::mpi_session mpi;
  std::ostringstream report;
  std::streambuf* const terminal = std::cout.rdbuf();
  if (mpi.rank() != 0) std::cout.rdbuf(report.rdbuf());
  int failed = Catch::Session().run(argc, argv);
  std::cout.rdbuf(terminal);
  if (mpi.rank() != 0 && failed != 0) {
    std::cerr << "rank " << mpi.rank() << " of " << mpi.size() << ":\n" << report.str();
  }
  int any = 0;
  MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  return any == 0 ? 0 : 1;
}
