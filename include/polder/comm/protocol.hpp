// polder — what all communicators share: the order of calls, the checks of a plan, the words of their errors.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"

namespace polder {

/// How long a wait lasts before it is an error, unless `deadline` says otherwise.
inline constexpr std::chrono::milliseconds default_deadline{60'000};

namespace detail {

/// The order of calls that the communicator concept asks for (obligations 2 and 3).
class call_order {
 public:
  void begin_post() {
    require<config_error>(!posted_, "post: a plan is posted already: call wait() first");
    require_released("post");
    posted_ = true;
  }
  void begin_wait() {
    require<config_error>(posted_, "wait: no plan is posted: call post() first");
    posted_ = false;
    held_ = true;
  }
  void begin_all_reduce() {
    require_released("all_reduce_mean");
    held_ = true;
  }
  void release() { held_ = false; }

 private:
  void require_released(const char* call) const {
    require<config_error>(!held_, call, ": what was received before is still held: call release() first");
  }
  bool posted_ = false;
  bool held_ = false;
};

inline void check_workers(const char* what, int workers, int most) {
  require<config_error>(workers >= 1 && workers <= most, what, ": ", workers, " workers: give 1 to ", most);
}

inline void check_peer(const char* direction, int peer, int rank, int size) {
  require<config_error>(peer >= 0 && peer < size && peer != rank, "post: worker ", rank, " cannot ", direction,
                        " worker ", peer, ": peers are the other workers of 0 to ", size - 1);
}

/// Throws config_error for a peer that does not exist or is the worker itself.
inline void check_plan(const exchange_plan& plan, int rank, int size) {
  for (const outgoing& send : plan.sends) {
    check_peer("send to", send.peer, rank, size);
    require<config_error>(send.bytes == 0 || send.data != nullptr, "post: worker ", rank, " sends ", send.bytes,
                          " bytes to worker ", send.peer, " from a null address");
  }
  for (const incoming& receive : plan.receives) check_peer("receive from", receive.peer, rank, size);
}

/// Throws comm_error when a message is not as long as the receiver's plan says.
inline void check_size(const incoming& expected, std::size_t bytes, bool fixed_size, int rank, std::uint64_t step) {
  const bool fits = fixed_size ? bytes == expected.max_bytes : bytes <= expected.max_bytes;
  require<comm_error>(fits, "worker ", expected.peer, " sent ", bytes, " bytes where worker ", rank, " expects ",
                      fixed_size ? "" : "at most ", expected.max_bytes, " at step ", step, " (edge ", expected.peer,
                      " -> ", rank, "): the plans of the two workers must agree");
}

inline void check_gather(std::size_t mine, std::size_t all, int size) {
  require<config_error>(all == mine * static_cast<std::size_t>(size), "all_gather: ", all, " bytes cannot hold ", size,
                        " times ", mine, " bytes");
}

inline std::string edge(int from, int to) { return text("edge ", from, " -> ", to); }

/// "worker 3 waited 60 s for worker 4 at step 17"
inline std::string waited(int who, std::chrono::milliseconds time, const std::string& whom, std::uint64_t step) {
  return text("worker ", who, " waited ", static_cast<double>(time.count()) / 1000.0, " s for ", whom, " at step ",
              step);
}
inline std::string waited(int who, std::chrono::milliseconds time, int whom, std::uint64_t step) {
  return waited(who, time, text("worker ", whom), step);
}

/// What an exception says.
inline std::string what_of(const std::exception_ptr& reason) {
  if (!reason) return "an exception";
  try {
    std::rethrow_exception(reason);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

/// Memory of a backend's space that is got on first use, grows when more is asked, and is kept.
class kept_memory {
 public:
  /// Room for `n` numbers of type T; what it holds is undefined after it grew.
  template <class T, class Backend>
  [[nodiscard]] T* reserve(const Backend& backend, std::size_t n) {
    const std::size_t doubles = doubles_for<T>(n);
    if (doubles > doubles_) {
      owner_.reset();
      doubles_ = 0;
      auto owner =
          std::make_unique<holder<typename Backend::template buffer<double>>>(backend.template zeros<double>(doubles));
      data_ = owner->memory.view().data;
      owner_ = std::move(owner);
      doubles_ = doubles;
    }
    return get<T>();
  }
  /// Whether there is room for `n` numbers of type T already.
  template <class T>
  [[nodiscard]] bool fits(std::size_t n) const {
    return doubles_for<T>(n) <= doubles_;
  }
  template <class T>
  [[nodiscard]] T* get() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  template <class T>
  static constexpr std::size_t doubles_for(std::size_t n) {
    return (n * sizeof(T) + sizeof(double) - 1) / sizeof(double);
  }
  struct anything {
    anything() = default;
    anything(const anything&) = delete;
    anything& operator=(const anything&) = delete;
    virtual ~anything() = default;
  };
  template <class Buffer>
  struct holder : anything {
    explicit holder(Buffer m) : memory(std::move(m)) {}
    Buffer memory;
  };

  std::unique_ptr<anything> owner_;
  double* data_ = nullptr;
  std::size_t doubles_ = 0;
};

}  // namespace detail

}  // namespace polder
