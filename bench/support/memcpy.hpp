// The yardstick of the benchmarks: how fast this machine copies memory, measured in the same run.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <vector>

#include "polder/backend/host_memory.hpp"

namespace polder::bench {

/// Bytes read and written per second by memcpy between two arrays that together are `working_set` bytes: the median of
/// the copies of a tenth of a second.
inline double memcpy_bandwidth(std::size_t working_set) {
  using clock = std::chrono::steady_clock;
  const std::size_t bytes = working_set / 2;
  host_buffer<char> from(bytes), to(bytes);
  std::vector<double> seconds;
  const auto begin = clock::now();
  do {
    const auto start = clock::now();
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
    seconds.push_back(std::chrono::duration<double>(clock::now() - start).count());
  } while (seconds.size() < 5 || clock::now() - begin < std::chrono::milliseconds(100));
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return 2.0 * static_cast<double>(bytes) / *middle;
}

/// Runs `pass` as the benchmark's loop. The row says how many bytes one pass moves (reads and writes, as its streams are
/// tagged), how many gigabytes that is per second, and what share of memcpy's bandwidth over as much memory, measured
/// right before and after (the clock speed and the neighbors of a machine change within minutes).
template <class Pass>
void run_pass(benchmark::State& state, std::size_t bytes_moved, std::size_t working_set, const Pass& pass) {
  using clock = std::chrono::steady_clock;
  const double before = memcpy_bandwidth(working_set);
  pass();
  const auto begin = clock::now();
  for (auto _ : state) {
    pass();
    benchmark::ClobberMemory();
  }
  const double seconds = std::chrono::duration<double>(clock::now() - begin).count();
  const double bandwidth = static_cast<double>(bytes_moved) * static_cast<double>(state.iterations()) / seconds;
  state.counters["bytes"] = static_cast<double>(bytes_moved);
  state.counters["GB/s"] = bandwidth * 1e-9;
  state.counters["of_memcpy"] = 2.0 * bandwidth / (before + memcpy_bandwidth(working_set));
}

}  // namespace polder::bench
