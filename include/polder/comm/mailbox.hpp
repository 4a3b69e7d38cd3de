// polder — what one worker of a process holds for the others: the queues of what they sent to it, and the record of
// what it published itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <vector>

#include "polder/comm/communicator.hpp"
#include "polder/comm/queue_marks.hpp"

namespace polder::detail {

/// An address that a worker sent from, and how many messages from there have not been released. The counter is the
/// only thing that other threads touch, and each reader the mark that it leaves before it is counted off.
template <class Space>
struct publication {
  explicit publication(std::size_t workers) : reads(workers) {}

  const std::byte* data = nullptr;
  std::atomic<int> readers = 0;
  [[no_unique_address]] typename queue_marks<Space>::reads reads;
};

/// A message on its way. `source` is null for an empty message: nobody reads its memory.
template <class Space>
struct delivery {
  message what;
  std::uint64_t step = 0;
  publication<Space>* source = nullptr;
  [[no_unique_address]] typename queue_marks<Space>::mark written{};  // the sender's queue has made it
};

/// The messages of one edge, oldest first: a ring that grows when the sender is further ahead than ever before. The
/// first `held` of them are with the reader; the others wait to be read.
template <class Space>
class delivery_queue {
 public:
  [[nodiscard]] std::size_t waiting() const { return count_ - held_; }
  [[nodiscard]] std::size_t held() const { return held_; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] const delivery<Space>& at(std::size_t i) const { return ring_[(first_ + i) % ring_.size()]; }

  void push(const delivery<Space>& d) {
    if (count_ == ring_.size()) grow();
    ring_[(first_ + count_++) % ring_.size()] = d;
    ever_ = true;
    last_step_ = d.step;
  }
  /// Hands the oldest waiting message to the reader.
  const delivery<Space>& take() { return at(held_++); }
  /// Removes the oldest message that is with the reader; returns where it came from.
  publication<Space>* drop_held() {
    publication<Space>* const source = at(0).source;
    first_ = (first_ + 1) % ring_.size();
    --held_;
    --count_;
    return source;
  }
  /// Removes the youngest waiting message.
  void drop_last() { --count_; }

  [[nodiscard]] bool ever_used() const { return ever_; }
  [[nodiscard]] std::uint64_t last_step() const { return last_step_; }

  std::size_t wanted = 0;  ///< how many messages of this edge the reader waits for just now

 private:
  void grow() {
    std::vector<delivery<Space>> larger(std::max<std::size_t>(2, 2 * ring_.size()));
    for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
    ring_.swap(larger);
    first_ = 0;
  }

  std::vector<delivery<Space>> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::size_t held_ = 0;
  std::uint64_t last_step_ = 0;
  bool ever_ = false;
};

/// One worker's mailbox. Its owner is the only one that waits on `news`, and whoever changes something wakes it only
/// when all that it waits for is there: one wake-up a round, whatever the number of neighbors.
template <class Space>
struct alignas(64) mailbox {
  std::mutex mutex;  // guards `from` and `missing`
  std::condition_variable news;
  std::vector<delivery_queue<Space>> from;  // [workers], by sender
  std::size_t missing = 0;                  // messages that the waiting owner still lacks

  std::atomic<bool> awaits_readers = false;
  std::atomic<bool> gone = false;  // the owner has finished: it will neither send nor read

  std::list<publication<Space>> published;  // the owner's alone, but for the counters; a list never moves its elements

  [[no_unique_address]] queue_marks<Space> marks;  // the owner's queue

  /// Puts a message into the queue of its sender and wakes the owner if it was the last one missing.
  void deliver(const delivery<Space>& d) {
    bool complete = false;
    {
      const std::lock_guard lock(mutex);
      delivery_queue<Space>& queue = from[static_cast<std::size_t>(d.what.peer)];
      complete = queue.waiting() < queue.wanted && --missing == 0;
      queue.push(d);
    }
    if (complete) news.notify_one();
  }

  /// The record of `data`, with `readers` more to come.
  publication<Space>& book(const std::byte* data) {
    publication<Space>* record = nullptr;
    for (publication<Space>& p : published) {
      if (p.data == data) {
        record = &p;
        break;
      }
      if (record == nullptr && p.readers.load() == 0 && !p.reads.pending()) record = &p;
    }
    if (record == nullptr) record = &published.emplace_back(from.size());
    record->data = data;
    record->readers.fetch_add(1, std::memory_order_relaxed);
    record->reads.expect();
    return *record;
  }

  /// Counts one reader off and wakes the owner if it waits for the last one.
  void reader_done(publication<Space>& p) {
    if (p.readers.fetch_sub(1) == 1 && awaits_readers.load()) wake();
  }

  /// Takes back what `sender` sent and the owner has not begun to read.
  void withdraw(int sender, mailbox& senders) {
    for (;;) {
      publication<Space>* source = nullptr;
      {
        const std::lock_guard lock(mutex);
        delivery_queue<Space>& queue = from[static_cast<std::size_t>(sender)];
        if (queue.waiting() == 0) return;
        if (queue.waiting() <= queue.wanted) ++missing;
        source = queue.at(queue.size() - 1).source;
        queue.drop_last();
      }
      if (source != nullptr) senders.reader_done(*source);
    }
  }

  /// `sender` has finished: makes the owner look again if it waits for it.
  void sender_gone(int sender) {
    bool waits = false;
    {
      const std::lock_guard lock(mutex);
      const delivery_queue<Space>& queue = from[static_cast<std::size_t>(sender)];
      waits = queue.wanted > queue.waiting();
    }
    if (waits) news.notify_one();
  }

  /// Makes the owner look again.
  void wake() {
    { const std::lock_guard lock(mutex); }
    news.notify_one();
  }
};

}  // namespace polder::detail
