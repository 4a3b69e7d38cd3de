// polder — the memory that a model works in, shared by as many workers as there are.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "polder/backend/host_memory.hpp"
#include "polder/core/error.hpp"

namespace polder::nn {

/// Activations, gradients between layers and scratch of one evaluation. Its content never matters to a result.
template <class T>
using workspace = host_buffer<T>;

/// Lends workspaces to evaluations. There are as many as processors, so that 128 workers in one process do not hold 128
/// sets of activations; who finds none waits. A workspace is allocated when it is first lent and kept.
template <class T>
class workspace_pool {
 public:
  /// A workspace on loan; it goes back when this ends.
  class lease {
   public:
    lease(workspace_pool& pool, workspace<T>* lent) : pool_(&pool), lent_(lent) {}
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    ~lease() { pool_->take_back(lent_); }
    [[nodiscard]] workspace<T>& operator*() const { return *lent_; }

   private:
    workspace_pool* pool_;
    workspace<T>* lent_;
  };

  /// `size` numbers in each workspace; at most `capacity` of them, 0 for as many as processors.
  explicit workspace_pool(std::size_t size, std::size_t capacity = 0) : size_(size) {
    if (capacity == 0) capacity = std::thread::hardware_concurrency();
    all_.resize(capacity == 0 ? 1 : capacity);
    free_.reserve(all_.size());
    for (workspace<T>& w : all_) free_.push_back(&w);
  }

  /// Waits for a free workspace. Do not ask for a second one while holding one.
  [[nodiscard]] lease borrow() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !free_.empty(); });
    workspace<T>* const lent = free_.back();  // the one used last: it is still in the caches
    free_.pop_back();
    lock.unlock();
    if (lent->size() != size_) {
      try {
        *lent = workspace<T>(size_);
      } catch (...) {
        take_back(lent);
        throw;
      }
    }
    return lease(*this, lent);
  }

  [[nodiscard]] std::size_t capacity() const { return all_.size(); }

 private:
  void take_back(workspace<T>* returned) {
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(returned);
    }
    returned_.notify_one();
  }

  std::size_t size_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<workspace<T>> all_;
  std::vector<workspace<T>*> free_;  // the last is lent first
};

}  // namespace polder::nn
