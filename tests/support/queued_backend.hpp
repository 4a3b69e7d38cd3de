// A device that a processor can play: memory of its own, and backends whose calls are put on a queue that a thread
// works off, late. What is missing between two queues is a race that the thread sanitizer sees, and mostly a wrong
// number. The memory can be reached by the host, so the reference backend does the work.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/ordering.hpp"

namespace polder::test {

/// The memory of the device.
struct queued_space {};

/// Tasks in order, each of them begun `late` after it could have been.
class work_queue {
 public:
  explicit work_queue(std::chrono::microseconds late) : late_(late), thread_([this] { work(); }) {}
  work_queue(const work_queue&) = delete;
  work_queue& operator=(const work_queue&) = delete;
  ~work_queue() {
    push({});
    thread_.join();
  }

  void push(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    news_.notify_one();
  }
  /// From now on no event can be recorded here, as on a device that has no room for one.
  void refuse_marks() { refuses_marks_ = true; }
  [[nodiscard]] bool refuses_marks() const { return refuses_marks_; }

 private:
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      news_.wait(lock, [&] { return !tasks_.empty(); });
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (!task) return;
      if (late_.count() != 0) std::this_thread::sleep_for(late_);
      task();
    }
  }

  std::chrono::microseconds late_;
  std::atomic<bool> refuses_marks_ = false;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::function<void()>> tasks_;
  std::thread thread_;  // last: it uses the rest
};

/// Whether a queue has come to where it was marked.
class moment {
 public:
  void reach() {
    {
      const std::lock_guard lock(mutex_);
      reached_ = true;
    }
    news_.notify_all();
  }
  void await() {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [&] { return reached_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  bool reached_ = false;
};

}  // namespace polder::test

template <>
struct polder::detail::ordering<polder::test::queued_space> {
  using queue = std::shared_ptr<polder::test::work_queue>;
  using moment = polder::test::moment;

  class event {
   public:
    void record(const queue& q) {
      require<backend_error>(!q->refuses_marks(), "no room for an event");
      const auto now = std::make_shared<moment>();
      {
        const std::lock_guard lock(mutex_);
        last_ = now;
      }
      q->push([now] { now->reach(); });
    }
    void hold(const queue& q) const {
      q->push([then = last()] { then->await(); });
    }
    void synchronize() const { last()->await(); }

   private:
    [[nodiscard]] std::shared_ptr<moment> last() const {
      const std::lock_guard lock(mutex_);
      return last_;
    }
    mutable std::mutex mutex_;
    std::shared_ptr<moment> last_;
  };

  static void synchronize(const queue& q) {
    const auto now = std::make_shared<moment>();
    q->push([now] { now->reach(); });
    now->await();
  }
};

namespace polder::test {

/// Waits for its own queue before it goes, as a device does, and leaves rubbish to whoever still reads it.
template <class T>
class queued_buffer {
 public:
  queued_buffer() = default;
  queued_buffer(std::shared_ptr<work_queue> queue, std::size_t size) : queue_(std::move(queue)), numbers_(size) {}
  queued_buffer(queued_buffer&&) noexcept = default;
  queued_buffer& operator=(queued_buffer&& other) noexcept {
    std::swap(queue_, other.queue_);
    std::swap(numbers_, other.numbers_);
    return *this;
  }
  ~queued_buffer() {
    if (queue_ == nullptr) return;
    detail::ordering<queued_space>::synchronize(queue_);
    if (numbers_.size() != 0) std::memset(numbers_.data(), 0xFF, numbers_.size() * sizeof(T));
  }
  [[nodiscard]] polder::view<queued_space, T> view() { return {numbers_.data(), numbers_.size()}; }
  [[nodiscard]] polder::view<queued_space, const T> view() const { return {numbers_.data(), numbers_.size()}; }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }

 private:
  std::shared_ptr<work_queue> queue_;
  host_buffer<T> numbers_;
};

/// The reference backend behind a queue. Copies share the queue.
class queued_backend {
 public:
  using space = queued_space;
  template <class T>
  using buffer = queued_buffer<T>;

  explicit queued_backend(std::chrono::microseconds late = {}) : queue_(std::make_shared<work_queue>(late)) {}

  [[nodiscard]] const std::shared_ptr<work_queue>& queue() const { return queue_; }
  friend bool operator==(const queued_backend& a, const queued_backend& b) { return a.queue_ == b.queue_; }
  /// The host waits for all that was asked for.
  void synchronize() const { detail::ordering<queued_space>::synchronize(queue_); }

  template <class T>
  [[nodiscard]] queued_buffer<T> zeros(std::size_t n) const {
    queued_buffer<T> numbers(queue_, n);
    queue_->push([x = numbers.view()] { std::fill_n(x.data, x.size, T{}); });
    return numbers;
  }
  template <class From, class T>
  void copy(view<queued_space, From> from, view<queued_space, T> to) const {
    require<config_error>(from.size == to.size, "copy: ", from.size, " numbers do not fit into ", to.size);
    queue_->push([=] { host.copy(on_host(from), on_host(to)); });
  }
  template <class From, class T>
  void to_host(view<queued_space, From> from, std::span<T> to) const {
    require<config_error>(from.size == to.size(), "copy: ", from.size, " numbers do not fit into ", to.size());
    queue_->push([=] { host.to_host(on_host(from), to); });
    synchronize();
  }
  template <class From, class T>
  void from_host(std::span<From> from, view<queued_space, T> to) const {
    require<config_error>(from.size() == to.size, "copy: ", from.size(), " numbers do not fit into ", to.size);
    queue_->push([numbers = std::vector<T>(from.begin(), from.end()), to] {
      host.from_host(std::span<const T>(numbers), on_host(to));
    });
  }

  template <class Element, access... Modes, class... Ts>
  void map(std::size_t n, const Element& element, stream<Modes, queued_space, Ts>... streams) const {
    queue_->push([=] { host.map(n, element, on_host(streams)...); });
  }
  template <class T, class Element, access... Modes, class... Ts>
  void combine(std::span<const weighted<queued_space, T>> terms, const Element& element,
               stream<Modes, queued_space, Ts>... streams) const {
    std::vector<weighted<host_space, T>> table;
    for (const auto& term : terms) table.push_back({on_host(term.x), term.weight});
    queue_->push([=] { host.combine(std::span<const weighted<host_space, T>>(table), element, on_host(streams)...); });
  }
  template <class Element, class... Ts>
  void sum(std::size_t n, const Element& element, view<queued_space, double> result,
           stream<access::in, queued_space, Ts>... streams) const {
    queue_->push([=] { host.sum(n, element, on_host(result), on_host(streams)...); });
  }
  template <class T>
  void mean_with_gaps(std::span<const view<queued_space, const T>> vectors, view<queued_space, T> mean,
                      view<queued_space, double> gaps) const {
    queue_->push([=, table = on_host(vectors)] {
      host.mean_with_gaps(std::span<const host_view<const T>>(table), on_host(mean), on_host(gaps));
    });
  }
  template <class T>
  void gram(std::span<const view<queued_space, const T>> vectors, view<queued_space, double> products) const {
    queue_->push(
        [=, table = on_host(vectors)] { host.gram(std::span<const host_view<const T>>(table), on_host(products)); });
  }

 private:
  template <class T>
  static host_view<T> on_host(view<queued_space, T> x) {
    return {x.data, x.size};
  }
  template <access Mode, class T>
  static stream<Mode, host_space, T> on_host(stream<Mode, queued_space, T> x) {
    return {x.data, x.size};
  }
  template <class T>
  static std::vector<host_view<const T>> on_host(std::span<const view<queued_space, const T>> vectors) {
    std::vector<host_view<const T>> table;
    for (const auto& x : vectors) table.push_back({x.data, x.size});
    return table;
  }

  static constexpr reference_backend host{};
  std::shared_ptr<work_queue> queue_;
};

static_assert(tensor_backend<queued_backend>);

}  // namespace polder::test
