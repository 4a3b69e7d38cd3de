// polder — a communicator that writes down its calls, and the check that the calls of all workers fit together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "polder/comm/forwarding.hpp"
#include "polder/core/error.hpp"

namespace polder {

enum class call_kind { post, wait, release, reclaim, all_reduce_mean, all_gather };

[[nodiscard]] constexpr const char* name_of(call_kind kind) {
  switch (kind) {
    case call_kind::post:
      return "post";
    case call_kind::wait:
      return "wait";
    case call_kind::release:
      return "release";
    case call_kind::reclaim:
      return "reclaim";
    case call_kind::all_reduce_mean:
      return "all_reduce_mean";
    case call_kind::all_gather:
      return "all_gather";
  }
  return "?";
}

/// One call of one worker.
struct recorded_call {
  struct part {
    int peer = 0;
    std::size_t bytes = 0;
    friend bool operator==(const part&, const part&) = default;
  };
  call_kind kind = call_kind::post;
  std::uint64_t step = 0;
  std::size_t bytes = 0;  ///< of the vector of an all_reduce_mean, of what this worker gives to an all_gather
  bool fixed_size = true;
  std::vector<part> sends;
  std::vector<part> receives;
};

/// Any communicator, recorded. The wrapped communicator must outlive this one.
template <communicator C>
class recorded : public detail::forwarding<C> {
  using base = detail::forwarding<C>;

 public:
  using typename base::space;

  explicit recorded(C& inner) : base(inner) {}

  [[nodiscard]] const std::vector<recorded_call>& calls() const { return calls_; }

  void post(const exchange_plan& plan) {
    recorded_call& call = note(call_kind::post, plan.step);
    call.fixed_size = plan.fixed_size;
    for (const outgoing& send : plan.sends) call.sends.push_back({send.peer, send.bytes});
    for (const incoming& receive : plan.receives) call.receives.push_back({receive.peer, receive.max_bytes});
    base::post(plan);
  }
  [[nodiscard]] std::span<const message> wait() {
    note(call_kind::wait);
    return base::wait();
  }
  void release() {
    note(call_kind::release);
    base::release();
  }
  void reclaim(const void* data) {
    note(call_kind::reclaim);
    base::reclaim(data);
  }
  template <class Backend, class U>
  [[nodiscard]] auto all_reduce_mean(const Backend& backend, view<space, U> x, std::uint64_t step = 0)
      -> mean_and_gaps<space, std::remove_const_t<U>> {
    note(call_kind::all_reduce_mean, step).bytes = x.size * sizeof(U);
    return base::all_reduce_mean(backend, x, step);
  }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
    note(call_kind::all_gather).bytes = mine.size();
    base::all_gather(mine, all);
  }

 private:
  recorded_call& note(call_kind kind, std::uint64_t step = 0) {
    recorded_call& call = calls_.emplace_back();
    call.kind = kind;
    call.step = step;
    return call;
  }
  std::vector<recorded_call> calls_;
};

template <class C>
recorded(C&) -> recorded<C>;

namespace detail {

[[nodiscard]] inline std::vector<std::size_t> bytes_with(const std::vector<recorded_call::part>& parts, int peer) {
  std::vector<std::size_t> bytes;
  for (const auto& part : parts) {
    if (part.peer == peer) bytes.push_back(part.bytes);
  }
  return bytes;
}

/// The `round`-th communicating calls of all workers: sends against receives, edge by edge.
[[nodiscard]] inline std::string plan_mismatch(std::span<const std::vector<recorded_call>> workers, std::size_t round) {
  for (std::size_t from = 0; from < workers.size(); ++from) {
    for (std::size_t to = 0; to < workers.size(); ++to) {
      const recorded_call& sender = workers[from][round];
      const recorded_call& receiver = workers[to][round];
      const auto sent = bytes_with(sender.sends, static_cast<int>(to));
      const auto expected = bytes_with(receiver.receives, static_cast<int>(from));
      const auto where = [&] { return text(" at step ", sender.step, " (edge ", from, " -> ", to, ")"); };
      if (sent.size() != expected.size()) {
        return text("worker ", from, " sends ", sent.size(), " messages to worker ", to, ", which expects ",
                    expected.size(), where());
      }
      for (std::size_t k = 0; k < sent.size(); ++k) {
        if (receiver.fixed_size ? sent[k] != expected[k] : sent[k] > expected[k]) {
          return text("worker ", from, " sends ", sent[k], " bytes to worker ", to, ", which expects ",
                      receiver.fixed_size ? "" : "at most ", expected[k], where());
        }
      }
    }
  }
  return {};
}

}  // namespace detail

/// Whether the records of all workers fit together: the same sequence of posts, all-reduces and gathers at the same
/// steps, every send met by a receive of its size on the same edge. Returns the first disagreement in words, or an
/// empty text.
[[nodiscard]] inline std::string disagreement(std::span<const std::vector<recorded_call>> logs) {
  std::vector<std::vector<recorded_call>> workers;
  for (const auto& log : logs) {
    auto& calls = workers.emplace_back();
    for (const recorded_call& call : log) {
      const bool local =
          call.kind == call_kind::wait || call.kind == call_kind::release || call.kind == call_kind::reclaim;
      if (!local) calls.push_back(call);
    }
    if (calls.size() != workers.front().size()) {
      return text("worker ", workers.size() - 1, " makes ", calls.size(), " communicating calls, worker 0 ",
                  workers.front().size());
    }
  }
  for (std::size_t round = 0; !workers.empty() && round < workers.front().size(); ++round) {
    const recorded_call& first = workers.front()[round];
    for (std::size_t rank = 1; rank < workers.size(); ++rank) {
      const recorded_call& call = workers[rank][round];
      if (call.kind != first.kind || call.step != first.step || call.bytes != first.bytes ||
          call.fixed_size != first.fixed_size) {
        return text("call ", round, ": worker ", rank, " makes ", name_of(call.kind), " of ", call.bytes,
                    " bytes at step ", call.step, ", worker 0 ", name_of(first.kind), " of ", first.bytes,
                    " bytes at step ", first.step);
      }
    }
    if (first.kind == call_kind::post) {
      if (std::string mismatch = detail::plan_mismatch(workers, round); !mismatch.empty()) return mismatch;
    }
  }
  return {};
}

}  // namespace polder
