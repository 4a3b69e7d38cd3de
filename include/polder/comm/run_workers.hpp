// polder — running the same program on all workers of a process.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "polder/comm/in_process.hpp"

namespace polder {

namespace detail {

/// The threads and the errors of run_workers, compiled once for all bodies.
template <class Space>
void run_threads(in_process_group<Space>& group, const std::function<void(in_process<Space>&)>& body) {
  std::vector<in_process<Space>> members;
  members.reserve(static_cast<std::size_t>(group.size()));
  for (int rank = 0; rank < group.size(); ++rank) members.push_back(group.member(rank));

  const auto work = [&body](in_process<Space>& comm) {
    try {
      body(comm);
    } catch (...) {
      comm.abort(std::current_exception());
    }
    comm.leave();
  };
  std::vector<std::thread> threads;
  threads.reserve(members.size());
  try {
    for (in_process<Space>& comm : members) threads.emplace_back(work, std::ref(comm));
  } catch (const std::system_error& e) {
    const int rank = static_cast<int>(threads.size());
    group.fail(rank, std::make_exception_ptr(comm_error(text("cannot start the thread of worker ", rank, " of ",
                                                             group.size(), ": ", e.what(), ": use fewer workers"))));
  }
  for (std::thread& thread : threads) thread.join();
  if (std::exception_ptr first = group.failure()) std::rethrow_exception(std::move(first));
}

}  // namespace detail

/// Runs `body(comm)` on one thread per worker of `group` and returns when all have ended. If workers failed, throws
/// what the first of them has thrown; the others were woken from their waits, so it never hangs.
///
/// Errors: whatever `body` throws; comm_error when a thread cannot be started.
template <class Space, class Body>
void run_workers(in_process_group<Space>& group, Body&& body) {
  detail::run_threads<Space>(group, std::ref(body));
}

/// The same in a group of its own.
template <class Body>
void run_workers(int workers, Body&& body, std::chrono::milliseconds deadline = default_deadline) {
  in_process_group<> group(workers, deadline);
  run_workers(group, body);
}

}  // namespace polder
