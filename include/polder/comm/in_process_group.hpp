// polder — what the workers of one process share: mailboxes, a meeting point, the mean, and the first failure.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "polder/comm/mailbox.hpp"
#include "polder/comm/protocol.hpp"
#include "polder/comm/shared_mean.hpp"

namespace polder {

template <class Space>
class in_process;

namespace detail {

/// Where all workers come together: a barrier whose waits have a deadline and that knows who is late.
struct meeting_point {
  explicit meeting_point(std::size_t workers) : visits(workers, 0) {}

  std::mutex mutex;  // guards everything here, but for `gathered` between two meetings
  std::condition_variable all_here;
  std::uint64_t held = 0;  // meetings so far
  int present = 0;
  int first = 0;                      // who came first to the meeting that is gathering now
  const char* occasion = "";          // and what for
  bool broken = false;                // somebody gave up waiting: nobody may complete the meeting any more
  int reducing = 0;                   // workers that may still read the inputs of an all-reduce
  std::vector<std::uint64_t> visits;  // [workers]

  // all_gather: meetings take turns with two buffers. A buffer is written again two meetings later at the earliest,
  // and everybody has copied from it before coming to the meeting in between.
  std::array<std::vector<std::byte>, 2> gathered;
  std::size_t gathered_each = 0;

  void wake_those_present() {
    bool somebody = false;
    {
      const std::lock_guard lock(mutex);
      somebody = present != 0;
    }
    if (somebody) all_here.notify_all();
  }
};

/// The first worker that failed, and why.
class first_failure {
 public:
  /// True if `rank` is the first. The first may give its reason later.
  bool report(int rank, std::exception_ptr reason) {
    const std::lock_guard lock(mutex_);
    if (rank_ >= 0 && (rank_ != rank || reason_)) return false;
    const bool first = rank_ < 0;
    rank_ = rank;
    reason_ = std::move(reason);
    happened_.store(true);
    return first;
  }
  [[nodiscard]] bool happened() const { return happened_.load(std::memory_order_relaxed); }
  [[nodiscard]] int rank() const {
    const std::lock_guard lock(mutex_);
    return rank_;
  }
  [[nodiscard]] std::exception_ptr reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> happened_ = false;
  int rank_ = -1;
  std::exception_ptr reason_;
};

}  // namespace detail

/// The workers of one process. Each thread talks through its `member(rank)`; the group must outlive the members.
/// After an error the group is of no further use.
///
/// workers: 1 to 1024. Memory: about 80 bytes per pair of workers; one vector for all with the first all_reduce_mean.
template <class Space = host_space>
class in_process_group {
 public:
  static constexpr int most_workers = 1024;

  explicit in_process_group(int workers, std::chrono::milliseconds deadline = default_deadline)
      : deadline_((detail::check_workers("in_process_group", workers, most_workers), deadline)),
        boxes_(static_cast<std::size_t>(workers)),
        meeting_(static_cast<std::size_t>(workers)),
        mean_(static_cast<std::size_t>(workers)) {
    for (detail::mailbox<Space>& b : boxes_) b.from.resize(boxes_.size());
  }
  in_process_group(const in_process_group&) = delete;
  in_process_group& operator=(const in_process_group&) = delete;
  /// Queues may still read the mean: it goes when they are done.
  ~in_process_group() {
    for (const detail::mailbox<Space>& b : boxes_) b.marks.settle_quietly();
  }

  [[nodiscard]] int size() const { return static_cast<int>(boxes_.size()); }

  /// The end of worker `rank`: one object per worker, used by one thread at a time.
  [[nodiscard]] in_process<Space> member(int rank) {
    require<config_error>(rank >= 0 && rank < size(), "member: there is no worker ", rank, " among ", size());
    box(rank).gone.store(false);
    return in_process<Space>(*this, rank, deadline_);
  }

  /// Tells all workers that `rank` failed; their waits end with an exception. The first failure is kept.
  void fail(int rank, std::exception_ptr reason) {
    if (failure_.report(rank, std::move(reason))) wake_all();
  }
  [[nodiscard]] bool failed() const { return failure_.happened(); }
  /// What the first worker that failed has thrown; null if none did.
  [[nodiscard]] std::exception_ptr failure() const { return failure_.reason(); }

 private:
  friend class in_process<Space>;

  [[nodiscard]] detail::mailbox<Space>& box(int rank) { return boxes_[static_cast<std::size_t>(rank)]; }

  void wake_all() {
    for (detail::mailbox<Space>& b : boxes_) b.wake();
    meeting_.wake_those_present();
  }

  std::chrono::milliseconds deadline_;
  std::vector<detail::mailbox<Space>> boxes_;  // [workers]; never resized, a mailbox cannot move
  detail::meeting_point meeting_;
  detail::shared_mean<Space> mean_;
  detail::first_failure failure_;
};

}  // namespace polder
