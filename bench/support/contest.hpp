// Fair times on a machine that others use as well: what a thread itself took, the least of many rounds, and the
// contestants in turn, so that a disturbance hits all of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <limits>

namespace polder::bench {

/// Processor time of the calling thread.
inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The least seconds of each contestant over rounds in which every one runs once: as many rounds as fit into `budget`
/// seconds of processor time, at least three.
template <class... Contestants>
[[nodiscard]] std::array<double, sizeof...(Contestants)> least_seconds(double budget, const Contestants&... run) {
  std::array<double, sizeof...(Contestants)> least;
  least.fill(std::numeric_limits<double>::infinity());
  const double begin = thread_seconds();
  for (int round = 0; round < 3 || thread_seconds() - begin < budget; ++round) {
    std::size_t which = 0;
    const auto time = [&](const auto& contestant) {
      const double start = thread_seconds();
      contestant();
      least[which] = std::min(least[which], thread_seconds() - start);
      ++which;
    };
    (time(run), ...);
  }
  return least;
}

}  // namespace polder::bench
