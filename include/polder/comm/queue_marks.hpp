// polder — marks on the queues of workers that share a device: what one queue has to do before another goes on.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/ordering.hpp"

namespace polder::detail {

/// One worker's queue and the moments on it that others wait for. In the host's memory a call has taken effect when it
/// returns: there is nothing to mark and nothing to hold, and all of this is empty.
template <class Space>
class queue_marks {
 public:
  struct mark {
    friend constexpr bool operator==(mark, mark) { return true; }
  };
  struct reads {
    explicit reads(std::size_t) {}
    void expect() {}
    void note(int, mark) {}
    [[nodiscard]] bool pending() const { return false; }
  };
  mark set() { return {}; }
  mark set_quietly() noexcept { return {}; }
  void set_ready() {}
  void set_reduced() noexcept {}
  void hold(mark) const {}
  void hold(reads&) const {}
  void hold_ready(const queue_marks&) const {}
  void hold_reduced(const queue_marks&) const {}
  void settle() const {}
  void settle_quietly() const noexcept {}
  void await_last() const noexcept {}
};

/// The owner's thread makes all calls but `await_last`; a mark may be held and waited for by any thread. Marks are
/// events in a ring. One that is recorded again before somebody holds it is as good: the later moment of the same queue
/// comes after the earlier one. No queues wait for each other in a circle, because a queue is only ever held on a
/// moment that was recorded before.
template <class Space>
  requires has_queues<Space>
class queue_marks<Space> {
  using order = ordering<Space>;
  using queue = typename order::queue;
  using event = typename order::event;

 public:
  /// Null: nothing to wait for.
  using mark = const event*;

  /// The marks of those who have read one publication, by rank. Each reader writes its own before it is counted off.
  class reads {
   public:
    explicit reads(std::size_t workers) : by_(workers, nullptr) {}
    /// Somebody is going to read: the owner's queue has to be held on the marks.
    void expect() { pending_ = true; }
    void note(int reader, mark m) { by_[static_cast<std::size_t>(reader)] = m; }
    /// Whether the owner has not held its queue since.
    [[nodiscard]] bool pending() const { return pending_; }

   private:
    friend class queue_marks;
    std::vector<mark> by_;
    bool pending_ = false;  // the owner's alone
  };

  /// Marks are set on `q` and holds are made on it from now on. Another queue than before continues where that one
  /// stands.
  void attach(const queue& q) {
    if (q == queue_) return;
    if (attached()) set()->hold(q);
    queue_ = q;
  }
  /// Attaches `q` if none is attached. Errors: config_error if another one is.
  void attach_only(const queue& q) {
    if (!attached()) attach(q);
    require<config_error>(q == queue_,
                          "all_reduce_mean: the backend computes on another stream than its worker, and neither "
                          "waits for the other: give it a copy of the worker's backend");
  }

  /// What the queue has been given so far.
  mark set() {
    require_attached();
    event& e = ring_[next_++ % ring_.size()];
    e.record(queue_);
    last_.store(&e);
    return &e;
  }
  /// The same where nothing may be thrown: if it cannot be marked, waits for it.
  mark set_quietly() noexcept {
    if (!attached()) return nullptr;
    try {
      return set();
    } catch (...) {
      settle_quietly();
      return nullptr;
    }
  }
  /// What this worker puts into a reduction is there, and it has read the last mean.
  void set_ready() { ready_ = set(); }
  /// It has read what the others put in, and its part of the mean is there.
  void set_reduced() noexcept { reduced_ = set_quietly(); }

  /// What the queue is given from now on comes after `m`.
  void hold(mark m) const {
    if (m == nullptr) return;
    require_attached();
    m->hold(queue_);
  }
  /// The same for all that have read a publication, once they are counted off.
  void hold(reads& r) const {
    if (!r.pending_) return;
    for (mark& m : r.by_) {
      hold(m);
      m = nullptr;
    }
    r.pending_ = false;
  }

  /// The same for another worker's marks, once that one has come to the meeting behind them.
  void hold_ready(const queue_marks& other) const { hold(other.ready_); }
  void hold_reduced(const queue_marks& other) const { hold(other.reduced_); }

  /// The host waits for the queue.
  void settle() const {
    if (attached()) order::synchronize(queue_);
  }
  /// The same after a failure, which has been reported: a device that fails works on nothing any more.
  void settle_quietly() const noexcept {
    try {
      settle();
    } catch (...) {
      return;
    }
  }
  /// The host waits for the last mark, from any thread; a failure is not reported a second time.
  void await_last() const noexcept {
    const mark last = last_.load();
    if (last == nullptr) return;
    try {
      last->synchronize();
    } catch (...) {
      return;
    }
  }

 private:
  [[nodiscard]] bool attached() const { return !(queue_ == queue{}); }
  void require_attached() const {
    require<config_error>(attached(),
                          "in_process: nobody has said on which queue this worker computes: call "
                          "attach(backend) on its communicator first");
  }

  queue queue_{};
  std::array<event, 16> ring_;
  std::size_t next_ = 0;
  std::atomic<mark> last_ = nullptr;
  mark ready_ = nullptr;
  mark reduced_ = nullptr;
};

}  // namespace polder::detail
