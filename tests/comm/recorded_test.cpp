#include "polder/comm/recorded.hpp"

#include "contract/communicator_suite.hpp"
#include "polder/comm/counted.hpp"
#include "polder/comm/run_workers.hpp"

using Catch::Matchers::Contains;
using polder::call_kind;
using polder::disagreement;
using polder::recorded;
using polder::recorded_call;
using polder::run_workers;

namespace {

using call_log = std::vector<recorded_call>;

template <class Body>
std::vector<call_log> logs_of(int workers, const Body& body) {
  std::vector<call_log> logs(static_cast<std::size_t>(workers));
  run_workers(
      workers,
      [&](auto& inner) {
        recorded comm(inner);
        body(comm);
        logs[static_cast<std::size_t>(comm.rank())] = comm.calls();
      },
      std::chrono::seconds(20));
  return logs;
}

struct recorded_threads {
  int count;
  [[nodiscard]] int workers() const { return count; }
  template <class Body>
  void operator()(const Body& body) const {
    run_workers(
        count,
        [&](auto& inner) {
          polder::counted counted(inner);
          recorded comm(counted);
          body(comm);
        },
        std::chrono::seconds(20));
  }
};

}  // namespace

TEST_CASE("recorded in_process meets the communicator contract") {
  const int workers = GENERATE(1, 2, 4, 7);
  contract::communicator_suite(recorded_threads{workers});
}

TEST_CASE("the record of a worker is the sequence of its calls") {
  const auto logs = logs_of(2, [](auto& comm) {
    std::vector<float> x(10);
    const polder::publication_guard guard(comm);
    const int peer = 1 - comm.rank();
    const polder::outgoing send = polder::send_to(peer, contract::whole(x));
    const polder::incoming receive{peer, 40};
    comm.reclaim(x.data());
    comm.post({{&send, 1}, {&receive, 1}, 7});
    (void)comm.wait();
    comm.release();
    (void)comm.all_reduce_mean(polder::reference_backend{}, contract::whole(x), 8);
    comm.release();
    (void)contract::gather(comm, 1.0);
  });
  const call_log& calls = logs[1];
  REQUIRE(calls.size() == 7);
  const call_kind kinds[] = {call_kind::reclaim,         call_kind::post,    call_kind::wait,      call_kind::release,
                             call_kind::all_reduce_mean, call_kind::release, call_kind::all_gather};
  for (std::size_t i = 0; i < 7; ++i) CHECK(polder::name_of(calls[i].kind) == std::string(polder::name_of(kinds[i])));
  CHECK(calls[1].step == 7);
  CHECK(calls[1].sends == std::vector<recorded_call::part>{{0, 40}});
  CHECK(calls[1].receives == std::vector<recorded_call::part>{{0, 40}});
  CHECK(calls[4].step == 8);
  CHECK(calls[4].bytes == 40);
  CHECK(calls[6].bytes == 8);
  CHECK(disagreement(logs).empty());
}

TEST_CASE("the calls of runs that fit together agree") {
  CHECK(disagreement(logs_of(7, [](auto& comm) { (void)contract::short_run{}(comm); })).empty());
  CHECK(disagreement(logs_of(4, contract::variable_sizes{})).empty());
  CHECK(disagreement(logs_of(4, contract::slow_reader{})).empty());
  CHECK(disagreement({}).empty());
}

TEST_CASE("calls that do not fit together are named") {
  const auto good = logs_of(4, [](auto& comm) { (void)contract::short_run{}(comm); });
  const auto first_post = [](call_log& calls) -> recorded_call& {
    return *std::find_if(calls.begin(), calls.end(), [](const auto& c) { return c.kind == call_kind::post; });
  };
  auto bad = good;
  first_post(bad[2]).sends[0].bytes = 12;
  CHECK_THAT(disagreement(bad),
             Contains("worker 2 sends 12 bytes to worker 1, which expects 4936 at step 0 (edge 2 -> 1)"));
  bad = good;
  first_post(bad[3]).receives.clear();
  CHECK_THAT(disagreement(bad), Contains("worker 0 sends 1 messages to worker 3, which expects 0"));
  bad = good;
  first_post(bad[1]).step = 5;
  CHECK_THAT(disagreement(bad),
             Contains("worker 1 makes post of 0 bytes at step 5, worker 0 post of 0 bytes at step 0"));
  bad = good;
  bad[3].pop_back();
  while (bad[3].back().kind != call_kind::all_reduce_mean) bad[3].pop_back();
  CHECK_THAT(disagreement(bad), Contains("worker 3 makes"));
}
