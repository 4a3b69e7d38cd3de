// polder — the communicator of workers that are threads of one process.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/comm/in_process_group.hpp"

namespace polder {

/// One worker's end of an in_process_group.
///
/// Neighbors read the very memory that a worker publishes: nothing is copied. A message is a note in the queue of its
/// edge, so a fast sender may be rounds ahead of a slow reader, provided that it does not write to memory that it sent
/// before `reclaim` has returned, nor frees it (publication_guard sees to that).
///
/// Cost of a round with K neighbors: K + 2 locks that are rarely contended, at most one sleep, no allocation once the
/// queues have grown. all_reduce_mean of n numbers of b bytes reads n b and writes n b / workers per worker; the mean
/// is one vector for the whole group.
///
/// On a device the workers share one, and each has a backend with a queue of its own: `attach` names it, which a
/// worker's context does. The host waits for messages and readers as always, but never for the device: what a queue has
/// to wait for are marks on other queues (queue_marks), one for each post, release and part of a reduction. Exceptions:
/// `quiesce`, the end of the group, and an all_reduce_mean of more numbers than before.
///
/// Errors: comm_error when a deadline passes, when another worker failed, or when one waits for a worker that has
/// finished; config_error for calls out of order or without a queue.
template <class Space = host_space>
class in_process {
  static_assert(std::is_same_v<Space, host_space> || detail::has_queues<Space>,
                "in_process shares the host's memory or a device's: include the header of its backend first");
  using mark = typename detail::queue_marks<Space>::mark;
  using publication = detail::publication<Space>;
  using mailbox = detail::mailbox<Space>;

 public:
  using space = Space;

  in_process(in_process_group<Space>& group, int rank, std::chrono::milliseconds deadline)
      : group_(&group), rank_(rank), deadline_(deadline) {}

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return group_->size(); }
  void deadline(std::chrono::milliseconds time) { deadline_ = time; }

  /// On a device: this worker computes on the queue of `backend` and its copies. Another queue than before goes on
  /// where that one stands.
  template <class Backend>
  void attach(const Backend& backend)
    requires detail::has_queues<Space>
  {
    mine().marks.attach(backend.queue());
  }

  void post(const exchange_plan& plan) {
    detail::check_plan(plan, rank_, size());
    order_.begin_post();
    step_ = plan.step;
    fixed_size_ = plan.fixed_size;
    receives_.assign(plan.receives.begin(), plan.receives.end());
    mark written{};
    for (const outgoing& send : plan.sends) {
      require<comm_error>(!group_->box(send.peer).gone.load(), "worker ", rank_, " sends to worker ", send.peer,
                          " at step ", step_, " (", detail::edge(rank_, send.peer), "), but worker ", send.peer,
                          " has finished");
      publication* source = nullptr;
      if (send.bytes != 0) {
        if (written == mark{}) written = mine().marks.set();
        source = &mine().book(send.data);
      }
      group_->box(send.peer).deliver({{rank_, send.data, send.bytes}, step_, source, written});
    }
  }

  [[nodiscard]] std::span<const message> wait() {
    order_.begin_wait();
    messages_.clear();
    mailbox& box = mine();
    std::unique_lock lock(box.mutex);
    expect_messages();
    try {
      await(
          lock, box.news, [&] { return box.missing == 0; }, [&] { return missing_message(); },
          [&] { return missing_from_gone(); });
    } catch (...) {
      expect_nothing();
      throw;
    }
    expect_nothing();
    for (const incoming& receive : receives_) {
      const detail::delivery<Space>& taken = queue_from(receive.peer).take();
      messages_.push_back(taken.what);
      box.marks.hold(taken.written);
    }
    lock.unlock();
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      detail::check_size(receives_[i], messages_[i].bytes, fixed_size_, rank_, step_);
    }
    return messages_;
  }

  void release() {
    order_.release();
    if (messages_.empty()) return;
    const mark read = mine().marks.set_quietly();
    {
      const std::lock_guard lock(mine().mutex);
      for (const message& m : messages_) sources_.push_back(queue_from(m.peer).drop_held());
    }
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (sources_[i] == nullptr) continue;
      sources_[i]->reads.note(rank_, read);
      group_->box(messages_[i].peer).reader_done(*sources_[i]);
    }
    sources_.clear();
    messages_.clear();
  }

  void reclaim(const void* data) {
    for (publication& p : mine().published) {
      if (p.data == data) await_readers(p);
    }
  }

  template <class Backend, class U>
  [[nodiscard]] auto all_reduce_mean(const Backend& backend, view<Space, U> x, std::uint64_t step = 0)
      -> mean_and_gaps<Space, std::remove_const_t<U>> {
    using T = std::remove_const_t<U>;
    order_.begin_all_reduce();
    step_ = step;
    const auto workers = static_cast<std::size_t>(size());
    detail::shared_mean<Space>& shared = group_->mean_;
    detail::queue_marks<Space>& marks = mine().marks;
    if constexpr (detail::has_queues<Space>) marks.attach_only(backend.queue());

    shared.inputs[static_cast<std::size_t>(rank_)] = {x.data, x.size, sizeof(T)};
    marks.set_ready();
    meet(
        "all_reduce_mean", [] {},
        [&] {
          for (const mailbox& box : group_->boxes_) marks.hold_ready(box.marks);
          if (!shared.template fits<T>(x.size)) {
            marks.settle();  // nobody reads the memory that goes
            shared.template reserve<T>(backend, x.size);
          }
          shared.gathered = marks.set();
          group_->meeting_.reducing = size();
        });
    reading_guard reading(*group_, marks);
    check_inputs(x.size, sizeof(T));
    marks.hold(shared.gathered);

    T* const mean = shared.mean.template get<T>();
    double* const partial = shared.partial.template get<double>();
    const slice own = slice_of(x.size, size(), rank_);
    if (own.size != 0) {
      std::array<view<Space, const T>, in_process_group<Space>::most_workers> slices;
      for (std::size_t k = 0; k < workers; ++k) {
        slices[k] = {static_cast<const T*>(shared.inputs[k].data) + own.offset, own.size};
      }
      backend.mean_with_gaps(std::span<const view<Space, const T>>(slices.data(), workers),
                             view<Space, T>(mean + own.offset, own.size),
                             view<Space, double>(partial + workers * static_cast<std::size_t>(rank_), workers));
    }
    reading.end();
    meet(
        "all_reduce_mean", [] {},
        [&] {
          for (const mailbox& box : group_->boxes_) marks.hold_reduced(box.marks);
          shared.fold(backend, x.size);
          shared.folded = marks.set();
        });
    marks.hold(shared.folded);
    return {{mean, x.size}, {shared.gaps.template get<double>(), workers}};
  }

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
    detail::check_gather(mine.size(), all.size(), size());
    detail::meeting_point& meeting = group_->meeting_;
    const std::vector<std::byte>* gathered = nullptr;
    meet(
        "all_gather",
        [&] {
          if (meeting.present == 0) meeting.gathered_each = mine.size();
          require<config_error>(meeting.gathered_each == mine.size(), "all_gather: worker ", rank_, " gives ",
                                mine.size(), " bytes, worker ", meeting.first, " ", meeting.gathered_each);
          std::vector<std::byte>& buffer = meeting.gathered[meeting.held % 2];
          if (buffer.size() < all.size()) buffer.resize(all.size());
          std::copy(mine.begin(), mine.end(), buffer.begin() + static_cast<std::ptrdiff_t>(mine.size()) * rank_);
          gathered = &buffer;
        },
        [] {});
    std::copy_n(gathered->begin(), all.size(), all.begin());
  }

  /// Tells the other workers that this one failed: their waits end with an exception that quotes `reason`.
  void abort(std::exception_ptr reason) { group_->fail(rank_, std::move(reason)); }

  /// Returns when nobody reads what this worker has published or put into a reduction, so that its memory may go. With
  /// `failing` it aborts first (the reason may follow by `abort`) and takes back what nobody has begun to read.
  void quiesce(bool failing = false) noexcept {
    try {
      release();
      if (failing) abort(nullptr);
      if (!failing && !group_->failed()) {
        for (publication& p : mine().published) await_readers(p);
        mine().marks.settle();
        return;
      }
    } catch (...) {
      abort(std::current_exception());
    }
    withdraw_and_wait();
  }

  /// This worker has finished: whoever waits for it gets an error at once.
  void leave() noexcept {
    release();
    mailbox& box = mine();
    box.gone.store(true);
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank_) continue;
      box.withdraw(peer, group_->box(peer));
      group_->box(peer).sender_gone(rank_);
    }
    group_->meeting_.wake_those_present();
  }

 private:
  [[nodiscard]] mailbox& mine() { return group_->box(rank_); }
  [[nodiscard]] detail::delivery_queue<Space>& queue_from(int peer) {
    return mine().from[static_cast<std::size_t>(peer)];
  }

  void expect_messages() {
    for (const incoming& receive : receives_) {
      detail::delivery_queue<Space>& queue = queue_from(receive.peer);
      if (++queue.wanted > queue.waiting()) ++mine().missing;
    }
  }
  void expect_nothing() {
    for (const incoming& receive : receives_) queue_from(receive.peer).wanted = 0;
    mine().missing = 0;
  }

  /// Sleeps until `ready()`; throws when the deadline passes, another worker fails, or `hopeless()` names a reason.
  template <class Ready, class Late, class Hopeless>
  void await(std::unique_lock<std::mutex>& lock, std::condition_variable& news, const Ready& ready, const Late& late,
             const Hopeless& hopeless) {
    if (ready()) return;
    const auto until = std::chrono::steady_clock::now() + deadline_;
    do {
      check_failure();
      if (const std::string reason = hopeless(); !reason.empty()) throw comm_error(reason);
      if (news.wait_until(lock, until) == std::cv_status::timeout && !ready()) {
        check_failure();
        throw comm_error(late());
      }
    } while (!ready());
  }

  void check_failure() const {
    if (!group_->failed()) return;
    const int failed = group_->failure_.rank();
    fail<comm_error>("worker ", rank_, " stops at step ", step_, " because worker ", failed,
                     " failed: ", detail::what_of(group_->failure()));
  }

  /// From the meeting before an all-reduce until this worker has read the others' vectors: they must not go before. A
  /// queue may still read them at the end, up to the mark that is left.
  class reading_guard {
   public:
    reading_guard(in_process_group<Space>& group, detail::queue_marks<Space>& marks) : group_(&group), marks_(marks) {}
    reading_guard(const reading_guard&) = delete;
    reading_guard& operator=(const reading_guard&) = delete;
    ~reading_guard() {
      if (group_ != nullptr) end();
    }
    void end() noexcept {
      marks_.set_reduced();
      detail::meeting_point& meeting = group_->meeting_;
      bool last = false;
      {
        const std::lock_guard lock(meeting.mutex);
        last = --meeting.reducing == 0;
      }
      if (last && group_->failed()) meeting.all_here.notify_all();
      group_ = nullptr;
    }

   private:
    in_process_group<Space>* group_;
    detail::queue_marks<Space>& marks_;
  };

  template <class Arrive, class Last>
  void meet(const char* occasion, const Arrive& arrive, const Last& last) {
    detail::meeting_point& meeting = group_->meeting_;
    std::unique_lock lock(meeting.mutex);
    check_failure();
    require<comm_error>(!meeting.broken, "worker ", rank_, " comes to ", occasion, " of step ", step_,
                        " when another worker has given up waiting for it");
    if (meeting.present == 0) {
      meeting.first = rank_;
      meeting.occasion = occasion;
    }
    require<comm_error>(std::strcmp(meeting.occasion, occasion) == 0, "worker ", rank_, " calls ", occasion,
                        " while worker ", meeting.first, " calls ", meeting.occasion,
                        ": all workers must make the same sequence of calls");
    arrive();
    const std::uint64_t visit = ++meeting.visits[static_cast<std::size_t>(rank_)];
    if (++meeting.present == size()) {
      last();
      meeting.present = 0;
      ++meeting.held;
      lock.unlock();
      meeting.all_here.notify_all();
      return;
    }
    const std::uint64_t before = meeting.held;
    const auto absent = [&](const auto& is_meant) {
      int rank = 0;
      while (rank < size() && (meeting.visits[static_cast<std::size_t>(rank)] >= visit || !is_meant(rank))) ++rank;
      return rank;
    };
    try {
      await(
          lock, meeting.all_here, [&] { return meeting.held != before; },
          [&] {
            const int late = absent([](int) { return true; });
            return text(detail::waited(rank_, deadline_, late, step_), " (", detail::edge(late, rank_), ") in ",
                        occasion, ": ", meeting.present, " of ", size(), " workers have come to it");
          },
          [&] {
            const int gone = absent([&](int rank) { return group_->box(rank).gone.load(); });
            return gone == size() ? std::string()
                                  : text("worker ", rank_, " waits for worker ", gone, " in ", occasion, " of step ",
                                         step_, ", but worker ", gone, " has finished");
          });
    } catch (...) {
      meeting.broken = true;
      throw;
    }
  }

  void check_inputs(std::size_t size, std::size_t bytes_each) const {
    for (std::size_t m = 0; m < group_->mean_.inputs.size(); ++m) {
      const detail::reduction_input& other = group_->mean_.inputs[m];
      require<config_error>(other.size == size && other.bytes_each == bytes_each, "all_reduce_mean: worker ", rank_,
                            " gives ", size, " numbers of ", bytes_each, " bytes, worker ", m, " ", other.size, " of ",
                            other.bytes_each, ": all must give vectors of one size and type");
    }
  }

  [[nodiscard]] int first_missing_peer(bool gone_only) {
    for (const incoming& receive : receives_) {
      const detail::delivery_queue<Space>& queue = queue_from(receive.peer);
      if (queue.wanted > queue.waiting() && (!gone_only || group_->box(receive.peer).gone.load())) return receive.peer;
    }
    return -1;
  }
  [[nodiscard]] std::string published_up_to(int peer) {
    const detail::delivery_queue<Space>& queue = queue_from(peer);
    return queue.ever_used() ? text("worker ", peer, " has published up to step ", queue.last_step())
                             : text("worker ", peer, " has published nothing on it yet");
  }
  [[nodiscard]] std::string missing_message() {
    const int peer = first_missing_peer(false);
    return text(detail::waited(rank_, deadline_, peer, step_), " (", detail::edge(peer, rank_),
                "): ", published_up_to(peer));
  }
  [[nodiscard]] std::string missing_from_gone() {
    const int peer = first_missing_peer(true);
    if (peer < 0) return {};
    return text("worker ", rank_, " waits for worker ", peer, " at step ", step_, " (", detail::edge(peer, rank_),
                "), but worker ", peer, " has finished: ", published_up_to(peer));
  }

  /// Until all readers are counted off; their queues may still read, and this worker's is held until they are done.
  void await_readers(publication& p) {
    await_release(p);
    mine().marks.hold(p.reads);
  }
  void await_release(publication& p) {
    if (p.readers.load() == 0) return;
    mailbox& box = mine();
    std::unique_lock lock(box.mutex);
    box.awaits_readers.store(true);
    try {
      await(
          lock, box.news, [&] { return p.readers.load() == 0; },
          [&] {
            lock.unlock();
            return unread_message(p);
          },
          [] { return std::string(); });
    } catch (...) {
      box.awaits_readers.store(false);
      throw;
    }
    box.awaits_readers.store(false);
  }

  /// Who has not released what was published from there, for an error message.
  [[nodiscard]] std::string unread_message(const publication& p) {
    for (int peer = 0; peer < size(); ++peer) {
      mailbox& box = group_->box(peer);
      const std::lock_guard lock(box.mutex);
      const detail::delivery_queue<Space>& queue = box.from[static_cast<std::size_t>(rank_)];
      for (std::size_t i = 0; i < queue.size(); ++i) {
        if (queue.at(i).source != &p) continue;
        return text(detail::waited(rank_, deadline_, peer, step_), " (", detail::edge(rank_, peer), "): worker ", peer,
                    i < queue.held() ? " still holds" : " has not read", " what worker ", rank_,
                    " published there at step ", queue.at(i).step);
      }
    }
    return text(detail::waited(rank_, deadline_, std::string("a reader"), step_), ", which came just too late");
  }

  /// After a failure: nobody will begin to read, so only those who read now are waited for, however long they take: their
  /// next call ends with an error, and what they read must not go before.
  void withdraw_and_wait() noexcept {
    for (int peer = 0; peer < size(); ++peer) {
      if (peer != rank_) group_->box(peer).withdraw(rank_, mine());
    }
    {
      std::unique_lock lock(group_->meeting_.mutex);
      group_->meeting_.all_here.wait(lock, [&] { return group_->meeting_.reducing == 0; });
    }
    mailbox& box = mine();
    std::unique_lock lock(box.mutex);
    box.awaits_readers.store(true);
    const auto nobody_reads = [&] {
      return std::all_of(box.published.begin(), box.published.end(),
                         [](const auto& p) { return p.readers.load() == 0; });
    };
    box.news.wait(lock, nobody_reads);
    box.awaits_readers.store(false);
    lock.unlock();
    for (int peer = 0; peer < size(); ++peer) group_->box(peer).marks.await_last();
  }

  in_process_group<Space>* group_;
  int rank_;
  std::chrono::milliseconds deadline_;
  detail::call_order order_;
  std::uint64_t step_ = 0;
  bool fixed_size_ = true;
  std::vector<incoming> receives_;
  std::vector<message> messages_;
  std::vector<publication*> sources_;
};

static_assert(communicator<in_process<>>);

}  // namespace polder
