#include "polder/comm/in_process.hpp"

#include <atomic>

#include "contract/communicator_suite.hpp"
#include "polder/comm/run_workers.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using polder::comm_error;
using polder::in_process_group;
using polder::incoming;
using polder::outgoing;
using polder::run_workers;

namespace {

struct threads {
  int count;
  [[nodiscard]] int workers() const { return count; }
  template <class Body>
  void operator()(const Body& body) const {
    run_workers(
        count, [&](auto& comm) { body(comm); }, 20s);
  }
};

struct boom : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class waiting_in { wait, reclaim, all_reduce, all_gather };

/// Worker 1 throws while worker 0 waits for it.
void throw_while(waiting_in where) {
  run_workers(2, [&](auto& comm) {
    std::vector<float> x(100);
    const polder::publication_guard guard(comm);
    const outgoing send = polder::send_to(1, contract::whole(x));
    const incoming receive{1, 400};
    if (comm.rank() == 1) {
      std::this_thread::sleep_for(20ms);
      throw boom("the loss is nan");
    }
    try {
      if (where == waiting_in::wait) {
        comm.post({{}, {&receive, 1}, 3});
        (void)comm.wait();
      } else if (where == waiting_in::reclaim) {
        comm.post({{&send, 1}, {}, 3});
        (void)comm.wait();
        comm.release();
        comm.reclaim(x.data());
      } else if (where == waiting_in::all_reduce) {
        (void)comm.all_reduce_mean(polder::reference_backend{}, contract::whole(x), 3);
      } else {
        (void)contract::gather(comm, 1);
      }
    } catch (const comm_error& e) {
      contract::expect_part(e.what(), "worker 0 stops at step");
      contract::expect_part(e.what(), "because worker 1 failed");
      throw;
    }
    throw contract::broken("worker 0 was not woken");
  });
}

}  // namespace

TEST_CASE("in_process meets the communicator contract") {
  const int workers = GENERATE(1, 2, 4, 7);
  contract::communicator_suite(threads{workers});
}

TEST_CASE("neighbors in a process read the sender's own memory") {
  std::vector<std::atomic<const void*>> sent(2);
  run_workers(2, [&](auto& comm) {
    std::vector<float> x(10);
    const polder::publication_guard guard(comm);
    sent[static_cast<std::size_t>(comm.rank())] = x.data();
    const int peer = 1 - comm.rank();
    const outgoing send = polder::send_to(peer, contract::whole(x));
    const incoming receive{peer, 40};
    comm.post({{&send, 1}, {&receive, 1}, 0});
    const auto messages = comm.wait();
    contract::expect(messages[0].data == sent[static_cast<std::size_t>(peer)].load(), "the message is a copy");
    comm.release();
  });
}

TEST_CASE("the mean in a process is one vector for all workers") {
  std::vector<const float*> means(4);
  run_workers(4, [&](auto& comm) {
    std::vector<float> x(100);
    const auto result = comm.all_reduce_mean(polder::reference_backend{}, contract::whole(x));
    means[static_cast<std::size_t>(comm.rank())] = result.mean.data;
    comm.release();
  });
  for (const float* mean : means) CHECK(mean == means[0]);
}

TEST_CASE("a worker that throws ends the others with that exception") {
  CHECK_THROWS_WITH(throw_while(waiting_in::wait), "the loss is nan");
  CHECK_THROWS_WITH(throw_while(waiting_in::reclaim), "the loss is nan");
  CHECK_THROWS_WITH(throw_while(waiting_in::all_reduce), "the loss is nan");
  CHECK_THROWS_WITH(throw_while(waiting_in::all_gather), "the loss is nan");
  CHECK_THROWS_AS(throw_while(waiting_in::wait), boom);
}

TEST_CASE("the first of many failures is the one that is thrown") {
  const auto run = [] {
    run_workers(16, [](auto& comm) {
      if (comm.rank() == 5) throw boom("first");
      contract::ring_exchange{}(comm);
      contract::gathers{}(comm);
      throw contract::broken("a worker was not woken");
    });
  };
  CHECK_THROWS_WITH(run(), "first");
}

TEST_CASE("memory that a failing worker published lives until its readers are done") {
  std::atomic<bool> reading = false;
  std::atomic<bool> freed = false;
  const auto run = [&] {
    run_workers(2, [&](auto& comm) {
      if (comm.rank() == 0) {
        std::vector<float> x(1000, 3.0f);
        {
          const polder::publication_guard guard(comm);
          const outgoing send = polder::send_to(1, contract::whole(x));
          comm.post({{&send, 1}, {}, 0});
          while (!reading) std::this_thread::sleep_for(1ms);
          try {
            const polder::publication_guard inner(comm);
            throw boom("unwinding");
          } catch (const boom&) {
            freed = true;
            throw;
          }
        }
      }
      const incoming receive{0, 4000};
      comm.post({{}, {&receive, 1}, 0});
      const auto messages = comm.wait();
      reading = true;
      std::this_thread::sleep_for(50ms);
      contract::expect(!freed, "the sender's memory went while it was read");
      const auto x = polder::as_vector<polder::host_space, const float>(messages[0]);
      for (std::size_t i = 0; i < x.size; ++i) contract::expect(x.data[i] == 3.0f, "element ", i, " changed");
      comm.release();
    });
  };
  CHECK_THROWS_WITH(run(), "unwinding");
}

TEST_CASE("memory that a failing worker published is not read any more once it goes") {
  const auto run = [] {
    run_workers(3, [](auto& comm) {
      std::vector<float> x(1000, 3.0f);
      const polder::publication_guard guard(comm);
      std::vector<outgoing> sends;
      if (comm.rank() == 0) sends = {polder::send_to(1, contract::whole(x)), polder::send_to(2, contract::whole(x))};
      const incoming receive{0, 4000};
      if (comm.rank() == 0) {
        comm.post({sends, {}, 0});
        throw boom("nobody has read it yet");
      }
      std::this_thread::sleep_for(30ms);
      comm.post({{}, {&receive, 1}, 0});
      (void)comm.wait();
      throw contract::broken("a message of a failed worker was handed out");
    });
  };
  CHECK_THROWS_WITH(run(), "nobody has read it yet");
}

TEST_CASE("waiting for a worker that has finished is an error at once") {
  const auto run = [](auto waits) {
    run_workers(2, [&](auto& comm) {
      if (comm.rank() == 1) waits(comm);
    });
  };
  const auto started = std::chrono::steady_clock::now();
  const incoming receive{0, 4};
  CHECK_THROWS_WITH(run([&](auto& comm) {
                      comm.post({{}, {&receive, 1}, 12});
                      (void)comm.wait();
                    }),
                    "worker 1 waits for worker 0 at step 12 (edge 0 -> 1), but worker 0 has finished: worker 0 has "
                    "published nothing on it yet");
  CHECK_THROWS_WITH(run([](auto& comm) { (void)contract::gather(comm, 0); }),
                    "worker 1 waits for worker 0 in all_gather of step 0, but worker 0 has finished");
  CHECK(std::chrono::steady_clock::now() - started < 10s);
}

TEST_CASE("a deadline says how far the other worker has published") {
  const auto run = [] {
    run_workers(5, [](auto& comm) {
      std::vector<float> x(4);
      const polder::publication_guard guard(comm);
      comm.deadline(60ms);
      const outgoing send = polder::send_to(3, contract::whole(x));
      const incoming receive{4, 16};
      if (comm.rank() == 4) {
        comm.post({{&send, 1}, {}, 15});
        (void)comm.wait();
        comm.release();
        std::this_thread::sleep_for(500ms);
      } else if (comm.rank() == 3) {
        comm.post({{}, {&receive, 1}, 15});
        (void)comm.wait();
        comm.release();
        comm.post({{}, {&receive, 1}, 17});
        (void)comm.wait();
      }
    });
  };
  CHECK_THROWS_WITH(run(),
                    "worker 3 waited 0.06 s for worker 4 at step 17 (edge 4 -> 3): worker 4 has published up to "
                    "step 15");
}

TEST_CASE("messages that do not fit the receiver's plan are refused") {
  const auto run = [](std::size_t sent, std::size_t expected, bool fixed_size) {
    run_workers(2, [&](auto& comm) {
      std::vector<float> x(100);
      const polder::publication_guard guard(comm);
      const outgoing send{1, reinterpret_cast<const std::byte*>(x.data()), sent};
      const incoming receive{0, expected};
      if (comm.rank() == 0) {
        comm.post({{&send, 1}, {}, 2, fixed_size});
      } else {
        comm.post({{}, {&receive, 1}, 2, fixed_size});
      }
      (void)comm.wait();
      comm.release();
    });
  };
  CHECK_NOTHROW(run(40, 44, false));
  CHECK_THROWS_WITH(run(40, 44, true), Contains("sent 40 bytes where worker 1 expects 44 at step 2 (edge 0 -> 1)"));
  CHECK_THROWS_WITH(run(48, 44, false), Contains("sent 48 bytes where worker 1 expects at most 44 at step 2"));
}

TEST_CASE("workers that make different calls are told so") {
  const auto calls = [] {
    run_workers(2, [](auto& comm) {
      std::vector<float> x(10);
      if (comm.rank() == 0) {
        (void)contract::gather(comm, 0);
      } else {
        (void)comm.all_reduce_mean(polder::reference_backend{}, contract::whole(x));
      }
    });
  };
  CHECK_THROWS_WITH(calls(), Contains("all workers must make the same sequence of calls"));
  const auto sizes = [] {
    run_workers(3, [](auto& comm) {
      std::vector<float> x(comm.rank() == 2 ? 11 : 10);
      (void)comm.all_reduce_mean(polder::reference_backend{}, contract::whole(x));
    });
  };
  CHECK_THROWS_WITH(sizes(), Contains("all must give vectors of one size and type"));
  const auto gathers = [] {
    run_workers(2, [](auto& comm) {
      if (comm.rank() == 0) {
        (void)contract::gather(comm, 0.0f);
      } else {
        (void)contract::gather(comm, 0.0);
      }
    });
  };
  CHECK_THROWS_WITH(gathers(), Contains("all_gather: worker"));
}

TEST_CASE("256 workers on a ring run 20 steps") {
  const auto started = std::chrono::steady_clock::now();
  run_workers(256, [](auto& comm) {
    contract::ring_exchange{}(comm);
    contract::expect_mean<float>(comm, 5000, 1);
  });
  CHECK(std::chrono::steady_clock::now() - started < 20s);
}

TEST_CASE("a group may run again after a run without failure") {
  in_process_group<> group(4);
  for (int run = 0; run < 3; ++run) {
    CHECK_NOTHROW(run_workers(group, [](auto& comm) { contract::ring_exchange{}(comm); }));
  }
}

TEST_CASE("groups of impossible sizes are refused") {
  CHECK_THROWS_WITH(in_process_group<>(0), Contains("0 workers: give 1 to 1024"));
  CHECK_THROWS_WITH(in_process_group<>(5000), Contains("5000 workers"));
  in_process_group<> group(2);
  CHECK_THROWS_AS(group.member(2), polder::config_error);
}

TEST_CASE("the same run gives the same bits again, whatever the threads do") {
  const auto run = [](int workers) {
    std::atomic<std::uint64_t> result = 0;
    run_workers(workers, [&](auto& comm) { result = contract::short_run{}(comm); });
    return result.load();
  };
  for (const int workers : {1, 2, 4, 7}) CHECK(run(workers) == run(workers));
  CHECK(run(4) != run(7));
}
