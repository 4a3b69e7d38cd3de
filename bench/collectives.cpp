// What talking costs in one process: a round of gossip on a ring and an exact mean of LeNet-5's parameters, by the
// number of workers, beside the speed at which the same cores copy as much memory.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <thread>
#include <type_traits>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/comm/in_process.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/ops/arithmetic.hpp"

namespace {

using namespace polder;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t lenet5 = 61'706;  // parameters
constexpr std::uint64_t warm_up = 5;
constexpr std::uint64_t rounds = 50;

template <class C>
void barrier(C& comm) {
  comm.all_gather({}, {});
}

/// Seconds for one round of all workers; `worker(comm)` gives what one worker does in a round.
template <class Worker>
double seconds_a_round(int workers, const Worker& worker) {
  double seconds = 0.0;
  run_workers(workers, [&](auto& comm) {
    auto one = worker(comm);
    for (std::uint64_t step = 0; step < warm_up; ++step) one(step);
    barrier(comm);
    const auto begin = clock_type::now();
    for (std::uint64_t step = warm_up; step < warm_up + rounds; ++step) one(step);
    barrier(comm);
    if (comm.rank() == 0) seconds = std::chrono::duration<double>(clock_type::now() - begin).count();
  });
  return seconds / static_cast<double>(rounds);
}

/// Every worker copies `bytes / 2` to a buffer of its own.
template <class C>
struct copying {
  C& comm;
  host_buffer<char> from, to;

  copying(C& c, std::size_t bytes) : comm(c), from(bytes / 2), to(bytes / 2) {}
  void operator()(std::uint64_t) {
    std::memcpy(to.data(), from.data(), to.size());
    benchmark::ClobberMemory();
  }
};

/// Publish, wait, combine self and both neighbors, release: 4 (K + 2) bytes a parameter.
template <class C>
struct gossiping {
  C& comm;
  eigen_backend backend;
  std::array<host_buffer<float>, 2> published{host_buffer<float>(lenet5), host_buffer<float>(lenet5)};
  publication_guard<C> guard{comm};

  explicit gossiping(C& c) : comm(c) {}
  void operator()(std::uint64_t step) {
    const auto mine = published[step % 2].view().as_const();
    const auto next = published[(step + 1) % 2].view();
    const int left = (comm.rank() + comm.size() - 1) % comm.size(), right = (comm.rank() + 1) % comm.size();
    const std::array sends{send_to(left, mine), send_to(right, mine)};
    const std::array receives{incoming{left, lenet5 * sizeof(float)}, incoming{right, lenet5 * sizeof(float)}};
    comm.post({sends, receives, step});
    const auto messages = comm.wait();
    comm.reclaim(next.data);
    constexpr double third = 1.0 / 3.0;
    const std::array terms{weighted<host_space, float>{mine, third},
                           weighted<host_space, float>{as_vector<host_space, const float>(messages[0]), third},
                           weighted<host_space, float>{as_vector<host_space, const float>(messages[1]), third}};
    backend.combine(std::span<const weighted<host_space, float>>(terms), ops::assign{}, out(next));
    comm.release();
  }
};

template <class C>
struct averaging {
  C& comm;
  eigen_backend backend;
  host_buffer<float> x{lenet5};

  explicit averaging(C& c) : comm(c) {}
  void operator()(std::uint64_t step) {
    benchmark::DoNotOptimize(comm.all_reduce_mean(backend, x.view(), step).mean.data);
    comm.release();
  }
};

/// Rows: the time of a round; `core_us_per_worker`, what one worker's share of it takes of a core, which should not
/// grow with their number; `bytes`, read and written per worker; `of_memcpy`, the time of a copy of as many bytes by
/// the same number of threads, measured right after, over the time of the round.
template <class Worker>
void run_rounds(benchmark::State& state, double bytes, const Worker& worker) {
  const auto workers = static_cast<int>(state.range(0));
  double seconds = 0.0, copies = 0.0;
  for (auto _ : state) {
    const double round = seconds_a_round(workers, worker);
    state.SetIterationTime(round);
    seconds += round;
    copies += seconds_a_round(workers, [&](auto& comm) {
      return copying<std::remove_reference_t<decltype(comm)>>(comm, static_cast<std::size_t>(bytes));
    });
  }
  const double round = seconds / static_cast<double>(state.iterations());
  const double cores = std::min<double>(workers, std::thread::hardware_concurrency());
  state.counters["core_us_per_worker"] = round * cores / workers * 1e6;
  state.counters["bytes"] = bytes;
  state.counters["GB/s"] = bytes * workers / round * 1e-9;
  state.counters["of_memcpy"] = copies / seconds;
}

void gossip_round(benchmark::State& state) {
  run_rounds(state, lenet5 * 4.0 * 4.0,
             [](auto& comm) { return gossiping<std::remove_reference_t<decltype(comm)>>(comm); });
}
BENCHMARK(gossip_round)
    ->Arg(2)
    ->Arg(8)
    ->Arg(32)
    ->Arg(128)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond)
    ->Iterations(10);

void all_reduce_mean(benchmark::State& state) {
  const auto workers = static_cast<double>(state.range(0));
  run_rounds(state, lenet5 * 4.0 * (1.0 + 1.0 / workers),
             [](auto& comm) { return averaging<std::remove_reference_t<decltype(comm)>>(comm); });
}
BENCHMARK(all_reduce_mean)
    ->RangeMultiplier(2)
    ->Range(2, 32)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond)
    ->Iterations(10);

}  // namespace

BENCHMARK_MAIN();
