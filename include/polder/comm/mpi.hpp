// polder — the communicator of workers that are the ranks of an MPI job. The only file that needs MPI.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/comm/protocol.hpp"

namespace polder {
namespace detail {

/// Throws comm_error with the operation, the rank, the peer and MPI's own text.
inline void check_mpi(int code, const char* operation, int rank, int peer = -1) {
  if (code == MPI_SUCCESS) return;
  char words[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, words, &length);
  fail<comm_error>("worker ", rank, ": ", operation, peer < 0 ? "" : text(" with worker ", peer),
                   " failed: ", std::string_view(words, static_cast<std::size_t>(length)));
}

inline int mpi_count(std::size_t bytes, int peer) {
  require<config_error>(bytes <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "a message of ", bytes,
                        " bytes to or from worker ", peer, " is longer than MPI counts (2147483647): send it in parts");
  return static_cast<int>(bytes);
}

/// Bytes on a cache line; growing forgets what they were.
class aligned_bytes {
 public:
  std::byte* reserve(std::size_t size) {
    if (size > size_) {
      data_.reset();
      data_.reset(static_cast<std::byte*>(::operator new(size, std::align_val_t{64})));
      size_ = size;
    }
    return data_.get();
  }
  [[nodiscard]] const std::byte* data() const { return data_.get(); }

 private:
  struct release {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, release> data_;
  std::size_t size_ = 0;
};

/// Requests under way, each with its edge: what a wait needs to test them all and to name the one that is late.
class mpi_requests {
 public:
  struct edge_of {
    int from = 0;
    int to = 0;
  };

  void clear() {
    requests_.clear();
    edges_.clear();
  }
  MPI_Request* add(int from, int to) {
    edges_.push_back({from, to});
    return &requests_.emplace_back(MPI_REQUEST_NULL);
  }
  [[nodiscard]] bool all_done(int rank) {
    if (requests_.empty()) return true;
    statuses_.resize(requests_.size());
    int flag = 0;
    const int code = MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &flag, statuses_.data());
    if (code == MPI_ERR_IN_STATUS) {
      for (std::size_t i = 0; i < statuses_.size(); ++i) {
        if (statuses_[i].MPI_ERROR != MPI_ERR_PENDING)
          check_mpi(statuses_[i].MPI_ERROR, "a transfer", rank, peer(i, rank));
      }
    }
    check_mpi(code, "MPI_Testall", rank);
    return flag != 0;
  }
  /// Of a request that is done.
  [[nodiscard]] std::size_t bytes(std::size_t i) const {
    int count = 0;
    MPI_Get_count(&statuses_[i], MPI_BYTE, &count);
    return static_cast<std::size_t>(count);
  }
  /// The first edge that is not done.
  [[nodiscard]] edge_of late() const {
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      int flag = 1;
      if (requests_[i] != MPI_REQUEST_NULL) MPI_Request_get_status(requests_[i], &flag, MPI_STATUS_IGNORE);
      if (flag == 0) return edges_[i];
    }
    return {};
  }
  /// Ends what is still under way after an error: receives are taken back, sends are left to MPI.
  void drop(int rank) {
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL) continue;
      if (edges_[i].to == rank) {
        MPI_Cancel(&requests_[i]);
        MPI_Wait(&requests_[i], MPI_STATUS_IGNORE);
      } else {
        MPI_Request_free(&requests_[i]);
      }
    }
    clear();
  }

 private:
  [[nodiscard]] int peer(std::size_t i, int rank) const {
    return edges_[i].from == rank ? edges_[i].to : edges_[i].from;
  }

  std::vector<MPI_Request> requests_;
  std::vector<edge_of> edges_;
  std::vector<MPI_Status> statuses_;
};

}  // namespace detail

/// MPI from construction to destruction. Errors of MPI become exceptions, not the end of the program. If the program
/// has started MPI itself, the session leaves its end to it.
class mpi_session {
 public:
  /// `threads`: MPI_THREAD_FUNNELED when only the main thread talks, MPI_THREAD_SERIALIZED when threads take turns.
  explicit mpi_session(int threads = MPI_THREAD_FUNNELED) : exceptions_(std::uncaught_exceptions()) {
    int running = 0;
    MPI_Initialized(&running);
    owner_ = running == 0;
    int provided = MPI_THREAD_SINGLE;
    if (owner_) {
      detail::check_mpi(MPI_Init_thread(nullptr, nullptr, threads, &provided), "MPI_Init_thread", 0);
    } else {
      detail::check_mpi(MPI_Query_thread(&provided), "MPI_Query_thread", 0);
    }
    require<comm_error>(provided >= threads, "this MPI offers thread level ", provided, " but ", threads,
                        " is needed: start it with MPI_Init_thread, or use another MPI");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  mpi_session(const mpi_session&) = delete;
  mpi_session& operator=(const mpi_session&) = delete;
  /// An exception on its way ends all ranks: they would wait for this one.
  ~mpi_session() {
    int ended = 0;
    MPI_Finalized(&ended);
    if (ended != 0) return;
    if (std::uncaught_exceptions() > exceptions_) {
      std::fprintf(stderr, "polder: worker %d of %d ends by an exception\n", rank_, size_);
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
    if (owner_) MPI_Finalize();
  }

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }

 private:
  int exceptions_;
  bool owner_ = true;
  int rank_ = 0;
  int size_ = 1;
};

/// One rank of an MPI job. Making one is a collective call (the communicator is duplicated, so that its messages never
/// meet others).
///
/// Messages of a fixed size use persistent requests, prepared once per (address, bytes, peer) and restarted; others are
/// sent as they are and received by matched probes. Received bytes lie in this object's own buffers until `release`.
/// MPI delivers the messages of one edge and tag in the order sent, so rounds cannot mix.
/// all_reduce_mean keeps the mean, one slice of every worker, and workers^2 sums; nothing is allocated once these and
/// the buffers of messages have been got.
///
/// Errors: comm_error when a deadline passes or MPI reports one; config_error for messages of 2^31 bytes or more.
/// After an error in an exchange the object is of no further use.
template <class Space = host_space>
class mpi_communicator {
  static_assert(std::is_same_v<Space, host_space>, "mpi_communicator sends host memory: use host_space");

 public:
  using space = Space;

  explicit mpi_communicator(MPI_Comm all = MPI_COMM_WORLD) {
    detail::check_mpi(MPI_Comm_rank(all, &rank_), "MPI_Comm_rank", rank_);
    detail::check_mpi(MPI_Comm_size(all, &size_), "MPI_Comm_size", rank_);
    detail::check_mpi(MPI_Comm_dup(all, &comm_), "MPI_Comm_dup", rank_);
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
    earlier_from_.resize(static_cast<std::size_t>(size_));
  }
  mpi_communicator(const mpi_communicator&) = delete;
  mpi_communicator& operator=(const mpi_communicator&) = delete;
  ~mpi_communicator() {
    int ended = 0;
    MPI_Finalized(&ended);
    if (ended != 0) return;
    reduction_.drop(rank_);
    slices_in_.drop(rank_);
    if (!fixed_size_) round_.drop(rank_);
    for (send_slot& s : sends_) {
      if (s.request != MPI_REQUEST_NULL) MPI_Request_free(&s.request);
    }
    for (receive_slot& r : receives_) {
      if (r.request == MPI_REQUEST_NULL) continue;
      if (r.active) {
        MPI_Cancel(&r.request);
        MPI_Wait(&r.request, MPI_STATUS_IGNORE);
      }
      if (r.request != MPI_REQUEST_NULL) MPI_Request_free(&r.request);
    }
    // A gather cannot be taken back: after an error MPI may still write to its buffer.
    if (gather_ != MPI_REQUEST_NULL) (void)gathered_.release();
    // After an error a message may still be on its way. Freed, the communicator's number would go to the next one, and
    // with it the message.
    if (!failed_) MPI_Comm_free(&comm_);
  }

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  void deadline(std::chrono::milliseconds time) { deadline_ = time; }

  void post(const exchange_plan& plan) {
    detail::check_plan(plan, rank_, size_);
    for (const outgoing& send : plan.sends) (void)detail::mpi_count(send.bytes, send.peer);
    for (const incoming& receive : plan.receives) (void)detail::mpi_count(receive.max_bytes, receive.peer);
    order_.begin_post();
    step_ = plan.step;
    fixed_size_ = plan.fixed_size;
    plan_.assign(plan.receives.begin(), plan.receives.end());
    if (fixed_size_) {
      start_receives();
      start_sends(plan.sends);
    } else {
      for (const outgoing& send : plan.sends) send_now(send);
    }
  }

  [[nodiscard]] std::span<const message> wait() {
    order_.begin_wait();
    messages_.clear();
    if (fixed_size_) {
      wait_for_fixed();
    } else {
      wait_for_variable();
    }
    return messages_;
  }

  void release() {
    order_.release();
    for (const std::size_t i : in_use_) receives_[i].busy = false;
    in_use_.clear();
  }

  void reclaim(const void* data) {
    for (send_slot& s : sends_) {
      if (s.active && s.data == data) finish(s);
    }
  }

  template <class Backend, class U>
  [[nodiscard]] auto all_reduce_mean(const Backend& backend, view<Space, U> x, std::uint64_t step = 0)
      -> mean_and_gaps<Space, std::remove_const_t<U>> {
    using T = std::remove_const_t<U>;
    (void)detail::mpi_count(slice_of(x.size, size_, 0).size * sizeof(T), 0);
    order_.begin_all_reduce();
    step_ = step;
    const auto workers = static_cast<std::size_t>(size_);
    const slice own = slice_of(x.size, size_, rank_);
    T* const mean = mean_.template reserve<T>(backend, x.size);
    T* const staging = staging_.template reserve<T>(backend, workers * own.size);
    double* const sums = sums_.template reserve<double>(backend, (workers + 1) * workers);
    double* const gaps = sums + workers * workers;
    double* const own_sums = sums + workers * static_cast<std::size_t>(rank_);

    slices_in_.clear();
    reduction_.clear();
    each_peer([&](int peer) {  // every receive is ready before the first send
      if (own.size != 0) {
        receive_into(slices_in_, staging + own.size * static_cast<std::size_t>(peer), own.size, peer, tag_slice);
      }
      const slice theirs = slice_of(x.size, size_, peer);
      if (theirs.size != 0) {
        receive_into(reduction_, mean + theirs.offset, theirs.size, peer, tag_mean);
        receive_into(reduction_, sums + workers * static_cast<std::size_t>(peer), workers, peer, tag_gaps);
      }
    });
    each_peer([&](int peer) {
      const slice theirs = slice_of(x.size, size_, peer);
      if (theirs.size != 0) send_from(reduction_, x.data + theirs.offset, theirs.size, peer, tag_slice);
    });
    if (own.size != 0) {
      poll_all(slices_in_, "all_reduce_mean");
      auto& slices = std::get<std::vector<view<Space, const T>>>(views_);
      slices.clear();
      for (std::size_t m = 0; m < workers; ++m) {
        const T* const part = static_cast<int>(m) == rank_ ? x.data + own.offset : staging + own.size * m;
        slices.emplace_back(part, own.size);
      }
      backend.mean_with_gaps(std::span<const view<Space, const T>>(slices), view<Space, T>(mean + own.offset, own.size),
                             view<Space, double>(own_sums, workers));
      each_peer([&](int peer) {
        send_from(reduction_, mean + own.offset, own.size, peer, tag_mean);
        send_from(reduction_, own_sums, workers, peer, tag_gaps);
      });
    }
    poll_all(reduction_, "all_reduce_mean");

    std::fill_n(gaps, workers, 0.0);
    for (std::size_t s = 0; s < workers && slice_of(x.size, size_, static_cast<int>(s)).size != 0; ++s) {
      for (std::size_t m = 0; m < workers; ++m) gaps[m] += sums[s * workers + m];
    }
    return {{mean, x.size}, {gaps, workers}};
  }

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
    detail::check_gather(mine.size(), all.size(), size_);
    const int count = detail::mpi_count(mine.size(), rank_);
    if (gathered_ == nullptr) gathered_ = std::make_unique<std::vector<std::byte>>();
    std::vector<std::byte>& buffer = *gathered_;
    buffer.resize(std::max(buffer.size(), all.size() + mine.size()));
    std::copy(mine.begin(), mine.end(), buffer.begin() + static_cast<std::ptrdiff_t>(all.size()));
    if (count == 0) {  // a gather of nothing need not wait for anybody, but all_gather is a barrier too
      detail::check_mpi(MPI_Ibarrier(comm_, &gather_), "MPI_Ibarrier", rank_);
    } else {
      detail::check_mpi(
          MPI_Iallgather(buffer.data() + all.size(), count, MPI_BYTE, buffer.data(), count, MPI_BYTE, comm_, &gather_),
          "MPI_Iallgather", rank_);
    }
    poll([&] { return test(gather_, "MPI_Iallgather", -1); },
         [&] {
           return text(detail::waited(rank_, deadline_, std::string("the other workers"), step_), " in all_gather");
         });
    std::copy_n(buffer.begin(), all.size(), all.begin());
  }

  /// Prints the reason and ends all ranks with status 1.
  [[noreturn]] void abort(const std::exception_ptr& reason) {
    std::fprintf(stderr, "polder: worker %d of %d: %s\n", rank_, size_, detail::what_of(reason).c_str());
    std::fflush(nullptr);
    MPI_Abort(comm_, 1);
    std::terminate();
  }

  /// Returns when all sends have been taken from this worker's memory. With `failing` it returns at once: what ends
  /// the worker must then end all ranks (`abort`).
  void quiesce(bool failing = false) noexcept {
    release();
    if (failing) return;
    try {
      for (send_slot& s : sends_) {
        if (s.active) finish(s);
      }
    } catch (...) {
      abort(std::current_exception());
    }
  }

 private:
  enum tag : int { tag_fixed = 1, tag_variable, tag_slice, tag_mean, tag_gaps };
  static constexpr std::size_t most_prepared_sends = 4096;

  struct send_slot {
    const std::byte* data = nullptr;
    std::size_t bytes = 0;
    int peer = 0;
    bool persistent = false;
    bool active = false;
    MPI_Request request = MPI_REQUEST_NULL;
  };
  struct receive_slot {
    int peer = 0;
    std::size_t bytes = 0;
    bool persistent = false;
    bool busy = false;    // its bytes are expected or held
    bool active = false;  // MPI writes to it
    MPI_Request request = MPI_REQUEST_NULL;
    detail::aligned_bytes buffer;
  };

  template <class Visit>
  void each_peer(const Visit& visit) const {
    for (int k = 1; k < size_; ++k) visit((rank_ + k) % size_);  // everybody begins elsewhere
  }
  template <class T>
  void receive_into(detail::mpi_requests& to, T* data, std::size_t n, int peer, tag t) {
    const int count = static_cast<int>(n * sizeof(T));
    detail::check_mpi(MPI_Irecv(data, count, MPI_BYTE, peer, t, comm_, to.add(peer, rank_)), "MPI_Irecv", rank_, peer);
  }
  template <class T>
  void send_from(detail::mpi_requests& to, const T* data, std::size_t n, int peer, tag t) {
    const int count = static_cast<int>(n * sizeof(T));
    detail::check_mpi(MPI_Isend(data, count, MPI_BYTE, peer, t, comm_, to.add(rank_, peer)), "MPI_Isend", rank_, peer);
  }

  void start_receives() {
    round_.clear();
    for (const incoming& receive : plan_) {
      receive_slot& slot = receives_[find_receive(receive)];
      start(slot.request, receive.peer);
      slot.active = true;
      *round_.add(receive.peer, rank_) = slot.request;
    }
  }
  void start_sends(std::span<const outgoing> sends) {
    for (const outgoing& send : sends) {
      send_slot& slot = prepared_send(send);
      start(slot.request, send.peer);
      slot.active = true;
    }
  }
  /// MPI may hand back another handle for the same transfer.
  void start(MPI_Request& request, int peer) { detail::check_mpi(MPI_Start(&request), "MPI_Start", rank_, peer); }

  /// A free buffer for what is expected; for messages of fixed size with its persistent request.
  std::size_t find_receive(const incoming& expected) {
    const std::size_t bytes = fixed_size_ ? expected.max_bytes : 0;
    const auto fits = [&](const receive_slot& r) {
      return !r.busy && !r.active && r.persistent == fixed_size_ && r.peer == expected.peer && r.bytes == bytes;
    };
    const auto found = std::find_if(receives_.begin(), receives_.end(), fits);
    const auto index = static_cast<std::size_t>(found - receives_.begin());
    if (found == receives_.end()) {
      receive_slot& slot = receives_.emplace_back();
      slot.peer = expected.peer;
      slot.bytes = bytes;
      slot.persistent = fixed_size_;
      if (fixed_size_) {
        detail::check_mpi(MPI_Recv_init(slot.buffer.reserve(bytes), detail::mpi_count(bytes, slot.peer), MPI_BYTE,
                                        slot.peer, tag_fixed, comm_, &slot.request),
                          "MPI_Recv_init", rank_, slot.peer);
      }
    }
    receives_[index].busy = true;
    in_use_.push_back(index);
    return index;
  }

  /// An idle persistent request for this address, size and peer. When very many have been made (addresses that change
  /// all the time), idle ones of other addresses are given up.
  send_slot& prepared_send(const outgoing& send) {
    send_slot* spare = nullptr;
    for (send_slot& s : sends_) {
      if (!s.persistent || (s.active && !test_send(s))) continue;
      if (s.data == send.data && s.bytes == send.bytes && s.peer == send.peer) return s;
      spare = &s;
    }
    if (spare == nullptr || sends_.size() < most_prepared_sends) spare = &sends_.emplace_back();
    if (spare->request != MPI_REQUEST_NULL) MPI_Request_free(&spare->request);
    *spare = {send.data, send.bytes, send.peer, true, false, MPI_REQUEST_NULL};
    detail::check_mpi(MPI_Send_init(send.data, detail::mpi_count(send.bytes, send.peer), MPI_BYTE, send.peer, tag_fixed,
                                    comm_, &spare->request),
                      "MPI_Send_init", rank_, send.peer);
    return *spare;
  }
  void send_now(const outgoing& send) {
    const auto idle = [&](send_slot& s) { return !s.persistent && (!s.active || test_send(s)); };
    auto slot = std::find_if(sends_.begin(), sends_.end(), idle);
    if (slot == sends_.end()) slot = sends_.insert(sends_.end(), send_slot{});
    *slot = {send.data, send.bytes, send.peer, false, true, MPI_REQUEST_NULL};
    detail::check_mpi(MPI_Isend(send.data, detail::mpi_count(send.bytes, send.peer), MPI_BYTE, send.peer, tag_variable,
                                comm_, &slot->request),
                      "MPI_Isend", rank_, send.peer);
  }
  bool test_send(send_slot& s) {
    if (test(s.request, "a send", s.peer)) s.active = false;
    return !s.active;
  }
  void finish(send_slot& s) {
    poll([&] { return test_send(s); },
         [&] {
           return text(detail::waited(rank_, deadline_, s.peer, step_), " (", detail::edge(rank_, s.peer), "): worker ",
                       s.peer, " has not received ", s.bytes, " bytes that worker ", rank_, " published");
         });
  }

  void wait_for_fixed() {
    poll_all(round_, "an exchange");
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      receive_slot& slot = receives_[in_use_[i]];
      slot.active = false;
      messages_.push_back({slot.peer, slot.buffer.data(), round_.bytes(i)});
    }
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      detail::check_size(plan_[i], messages_[i].bytes, true, rank_, step_);
    }
  }

  void wait_for_variable() {
    constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    round_.clear();
    earlier_.assign(plan_.size(), none);
    matched_.assign(plan_.size(), false);
    std::fill(earlier_from_.begin(), earlier_from_.end(), none);
    for (std::size_t i = 0; i < plan_.size(); ++i) {  // messages of one peer are matched in the plan's order
      std::size_t& last = earlier_from_[static_cast<std::size_t>(plan_[i].peer)];
      earlier_[i] = std::exchange(last, i);
    }
    messages_.resize(plan_.size());
    std::size_t left = plan_.size();
    const auto match_all = [&] {
      for (std::size_t i = 0; i < plan_.size(); ++i) {
        if (matched_[i] || (earlier_[i] != none && !matched_[earlier_[i]])) continue;
        if (!receive_if_there(i)) continue;
        matched_[i] = true;
        --left;
      }
      return left == 0;
    };
    poll(match_all, [&] {
      const auto late = static_cast<std::size_t>(std::find(matched_.begin(), matched_.end(), false) - matched_.begin());
      return late_message(plan_[late].peer, rank_, "an exchange");
    });
    poll_all(round_, "an exchange");
    for (const std::size_t i : in_use_) receives_[i].active = false;
  }

  /// Begins to receive the plan's message `i` if it has come, now that its size is known.
  bool receive_if_there(std::size_t i) {
    int there = 0;
    MPI_Message matched = MPI_MESSAGE_NULL;
    MPI_Status status{};
    const int peer = plan_[i].peer;
    detail::check_mpi(MPI_Improbe(peer, tag_variable, comm_, &there, &matched, &status), "MPI_Improbe", rank_, peer);
    if (there == 0) return false;
    int count = 0;
    MPI_Get_count(&status, MPI_BYTE, &count);
    const auto bytes = static_cast<std::size_t>(count);
    receive_slot& slot = receives_[find_receive(plan_[i])];
    std::byte* const data = slot.buffer.reserve(bytes);
    slot.active = true;
    detail::check_mpi(MPI_Imrecv(data, count, MPI_BYTE, &matched, round_.add(peer, rank_)), "MPI_Imrecv", rank_, peer);
    detail::check_size(plan_[i], bytes, false, rank_, step_);
    messages_[i] = {peer, data, bytes};
    return true;
  }

  bool test(MPI_Request& request, const char* operation, int peer) {
    int flag = 0;
    detail::check_mpi(MPI_Test(&request, &flag, MPI_STATUS_IGNORE), operation, rank_, peer);
    return flag != 0;
  }
  void poll_all(detail::mpi_requests& requests, const char* occasion) {
    poll([&] { return requests.all_done(rank_); },
         [&] {
           const auto late = requests.late();
           return late_message(late.from, late.to, occasion);
         });
  }
  [[nodiscard]] std::string late_message(int from, int to, const char* occasion) const {
    return text(detail::waited(rank_, deadline_, from == rank_ ? to : from, step_), " (", detail::edge(from, to),
                ") in ", occasion);
  }
  /// Tests until `done()`: at once, then giving the core to others, then with short sleeps, up to the deadline.
  template <class Done, class Late>
  void poll(const Done& done, const Late& late) {
    constexpr int spins = 32, yields = 2000;
    std::chrono::steady_clock::time_point until{};
    for (int turn = 0; !done(); ++turn) {
      if (turn < spins) continue;
      const auto now = std::chrono::steady_clock::now();
      if (turn == spins) until = now + deadline_;
      if (now >= until) {
        failed_ = true;
        throw comm_error(late());
      }
      if (turn < yields) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::chrono::milliseconds deadline_ = default_deadline;
  detail::call_order order_;
  std::uint64_t step_ = 0;
  bool fixed_size_ = true;
  bool failed_ = false;  // a deadline has passed

  std::vector<incoming> plan_;
  std::vector<message> messages_;
  std::vector<send_slot> sends_;
  std::vector<receive_slot> receives_;
  std::vector<std::size_t> in_use_;  // indices of receives_
  detail::mpi_requests round_;       // the receives of the posted plan
  std::vector<bool> matched_;
  std::vector<std::size_t> earlier_;       // the receive before this one from the same peer
  std::vector<std::size_t> earlier_from_;  // [workers]

  detail::mpi_requests slices_in_;
  detail::mpi_requests reduction_;
  detail::kept_memory mean_;     // [n]
  detail::kept_memory staging_;  // [workers, own slice]
  detail::kept_memory sums_;     // [workers + 1, workers]: partial sums by slice, then the gaps
  std::tuple<std::vector<view<Space, const float>>, std::vector<view<Space, const double>>> views_;

  MPI_Request gather_ = MPI_REQUEST_NULL;
  std::unique_ptr<std::vector<std::byte>> gathered_;
};

static_assert(communicator<mpi_communicator<>>);

/// Runs `body(comm)` on this rank. An exception is printed and ends all ranks with status 1.
template <class Space, class Body>
void run_workers(mpi_communicator<Space>& comm, Body&& body) {
  try {
    body(comm);
  } catch (...) {
    comm.abort(std::current_exception());
  }
}

}  // namespace polder
