// polder — the communicator: how one worker reaches the others.
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <utility>

#include "polder/core/view.hpp"

namespace polder {

/// What one worker sends to `peer`: bytes that stay where they are until nobody reads them any more.
struct outgoing {
  int peer = 0;
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
};

/// What one worker expects from `peer`: at most `max_bytes`; in place of `fixed_size` plans any smaller number.
struct incoming {
  int peer = 0;
  std::size_t max_bytes = 0;
};

/// What arrived from `peer`. In process this is the peer's own published memory, not a copy.
struct message {
  int peer = 0;
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
};

/// One round of messages of one worker. The peers of the two lists need not be the same: directed and time-varying
/// graphs. `fixed_size` promises that each message has exactly `max_bytes` (both sides know the size), so that a
/// communicator may prepare the transfer once and repeat it.
struct exchange_plan {
  std::span<const outgoing> sends;
  std::span<const incoming> receives;  ///< messages are returned in this order
  std::uint64_t step = 0;              ///< for error messages: who waits for whom, at which step
  bool fixed_size = true;
};

/// The mean over all workers, and the squared distance of each worker's vector to it.
template <class Space, class T>
struct mean_and_gaps {
  view<Space, const T> mean;       ///< n numbers; the same bits on every worker
  view<Space, const double> gaps;  ///< [workers]: sum_i (x_m,i - mean_i)^2 in rank order; the same on every worker
};

/// The part of a vector of `n` numbers that `rank` reduces in an all-reduce over `workers`: slices of equal length,
/// rounded up to 16 numbers (whole cache lines), the last ones shorter or empty.
struct slice {
  std::size_t offset = 0;
  std::size_t size = 0;
};
[[nodiscard]] constexpr slice slice_of(std::size_t n, int workers, int rank) {
  const auto m = static_cast<std::size_t>(workers);
  const std::size_t length = ((n + m - 1) / m + 15) / 16 * 16;
  const std::size_t first = std::min(n, length * static_cast<std::size_t>(rank));
  return {first, std::min(length, n - first)};
}

/// communicator — obligations of a communicator `c` of type C (one object per worker):
///
///  1. `C::space` names the memory of the vectors. `c.rank()` in [0, c.size()).
///  2. `c.post(plan)` publishes the sends and returns at once; `c.wait()` returns the messages of the posted plan's
///     receives, in the plan's order, as std::span<const message>. At most one plan is posted at a time.
///  3. What the communicator handed out (messages, means) is valid until `c.release()`; release tells the senders that
///     this worker has read it. It must be called before the next post or all_reduce_mean.
///  4. `c.reclaim(data)` returns when nobody will read what was published from that address any more: call it before
///     writing to memory that was sent. (Double buffering alone is a race on directed and time-varying graphs.)
///     Reclaiming an address that was never sent returns at once.
///  5. `c.all_reduce_mean(backend, x, step)` returns mean_and_gaps: reduce-scatter in rank order and all-gather; the
///     owner of a slice (slice_of) calls `backend.mean_with_gaps` on it, and the M partial sums of every gap are added
///     in slice order. So every communicator gives the same bits. `x` may be changed once the call has returned.
///  6. `c.all_gather(mine, all)` collects small host data (metrics, hashes, agreement before a rename) in rank order:
///     all.size() == size() * mine.size(). It is also a barrier.
///  7. Every wait has a deadline (`c.deadline(milliseconds)`, default 60 s). On expiry: comm_error that names who
///     waited for whom, on which edge, at which step.
///  8. A worker that fails calls `c.abort(reason)`; every other worker's wait then ends with an exception, not a hang.
///  9. `c.quiesce(failing)` returns when nobody reads what this worker has published, so that its memory may go; with
///     `failing` it tells the others first. It does not throw. publication_guard calls it.
/// 10. All workers make the same sequence of calls.
/// 11. Where the memory is a device's and calls take effect after they have returned, `c.attach(backend)` says on which
///     queue the worker computes (a context calls it). Obligations 2 to 5 then hold for what is put on that queue: what
///     `wait` returned is there for it, what it was given before `release` is read before the sender's queue goes past
///     `reclaim`.
template <class C>
concept communicator =
    requires(C c, const C cc, const exchange_plan plan, std::span<const std::byte> mine, std::span<std::byte> all) {
      typename C::space;
      { cc.rank() } -> std::same_as<int>;
      { cc.size() } -> std::same_as<int>;
      c.post(plan);
      { c.wait() } -> std::same_as<std::span<const message>>;
      c.release();
      c.reclaim(static_cast<const void*>(nullptr));
      c.all_gather(mine, all);
      c.quiesce(true);
      c.deadline(std::chrono::milliseconds{1});
    };

/// Keeps memory alive while others read it. Declare it after the buffers that a worker publishes: its destructor
/// returns when nobody reads them any more. When it is destroyed by an exception it first tells the other workers, so
/// that nobody begins to read memory that is about to go.
template <class C>
class publication_guard {
 public:
  explicit publication_guard(C& comm) : comm_(&comm), exceptions_(std::uncaught_exceptions()) {}
  publication_guard(const publication_guard&) = delete;
  publication_guard& operator=(const publication_guard&) = delete;
  ~publication_guard() { comm_->quiesce(std::uncaught_exceptions() > exceptions_); }

 private:
  C* comm_;
  int exceptions_;
};

/// The bytes of a vector, as a plan's sends want them.
template <class Space, class T>
[[nodiscard]] outgoing send_to(int peer, view<Space, T> x) {
  return {peer, reinterpret_cast<const std::byte*>(x.data), x.size * sizeof(T)};
}

/// A message as the vector that it carries.
template <class Space, class T>
[[nodiscard]] view<Space, const T> as_vector(const message& m) {
  return {reinterpret_cast<const T*>(m.data), m.bytes / sizeof(T)};
}

/// The communicator that talks to the same workers without being counted (for evaluation and other measurements):
/// what a wrapper's `uncounted()` names, else the communicator itself.
template <class C>
[[nodiscard]] auto& uncounted(C& c) {
  if constexpr (requires { c.uncounted(); }) {
    return c.uncounted();
  } else {
    return c;
  }
}

}  // namespace polder
