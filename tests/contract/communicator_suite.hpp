// What every communicator must do. `launch(body)` runs `body(comm)` on `launch.workers()` workers and throws what
// the first of them throws; bodies use `contract::expect`, since assertions of the test framework are for one thread.
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/comm/protocol.hpp"
#include "polder/ops/arithmetic.hpp"
#include "support/catch.hpp"

namespace contract {

using polder::exchange_plan;
using polder::host_view;
using polder::incoming;
using polder::message;
using polder::outgoing;
using polder::reference_backend;
using polder::send_to;
using polder::text;
using namespace std::chrono_literals;

struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Pieces>
void expect(bool condition, const Pieces&... pieces) {
  if (!condition) throw broken(text(pieces...));
}

template <class Error, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  throw broken("an error was expected, but there was none");
}

inline void expect_part(const std::string& whole, const std::string& part) {
  expect(whole.find(part) != std::string::npos, "'", whole, "' should contain '", part, "'");
}

/// A number that tells worker, step and index apart and is exact in float.
template <class T = float>
T number(int rank, std::uint64_t step, std::size_t i) {
  const std::uint64_t mixed = static_cast<std::uint64_t>(rank) * 7919 + step * 104729 + i * 31;
  return static_cast<T>(static_cast<double>(mixed % 65521) / 64.0 - 300.0);
}

template <class T>
void fill(std::vector<T>& x, int rank, std::uint64_t step) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = number<T>(rank, step, i);
}

template <class T = float>
void expect_message(const message& m, int from, std::uint64_t step, std::size_t n) {
  expect(m.peer == from, "a message of worker ", from, " was expected, not of ", m.peer);
  expect(m.bytes == n * sizeof(T), "worker ", from, " should send ", n * sizeof(T), " bytes, not ", m.bytes);
  const auto x = polder::as_vector<polder::host_space, const T>(m);
  for (std::size_t i = 0; i < n; ++i) {
    expect(x.data[i] == number<T>(from, step, i), "step ", step, ", from worker ", from, ": element ", i, " is ",
           x.data[i], " instead of ", number<T>(from, step, i));
  }
}

template <class T>
host_view<const T> whole(const std::vector<T>& x) {
  return {x.data(), x.size()};
}

/// FNV-1a of the bits.
inline std::uint64_t hash(std::span<const std::byte> bytes, std::uint64_t h = 14695981039346656037ull) {
  for (const std::byte b : bytes) h = (h ^ std::to_integer<std::uint64_t>(b)) * 1099511628211ull;
  return h;
}
template <class T>
std::uint64_t hash_of(host_view<const T> x, std::uint64_t h = 14695981039346656037ull) {
  return hash(std::as_bytes(std::span<const T>(x.data, x.size)), h);
}

template <class C, class T>
std::vector<T> gather(C& comm, T mine) {
  std::vector<T> all(static_cast<std::size_t>(comm.size()));
  comm.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

inline std::vector<int> ring(int rank, int size) {
  if (size == 1) return {};
  return {(rank + size - 1) % size, (rank + 1) % size};
}

/// `steps` rounds in which each worker sends one vector to `to(step)` and receives from `from(step)`, from `buffers`
/// buffers in turn. `slow` reads late: a sender that does not wait for its readers would overwrite what it reads.
template <class C, class To, class From>
void rounds(C& comm, std::uint64_t steps, std::size_t n, std::size_t buffers, const To& to, const From& from,
            int slow = -1) {
  std::vector<std::vector<float>> x(buffers, std::vector<float>(n));
  const polder::publication_guard guard(comm);
  std::vector<outgoing> sends;
  std::vector<incoming> receives;
  for (std::uint64_t step = 0; step < steps; ++step) {
    auto& mine = x[step % buffers];
    comm.reclaim(mine.data());
    fill(mine, comm.rank(), step);
    sends.clear();
    receives.clear();
    for (const int peer : to(step)) sends.push_back(send_to(peer, whole(mine)));
    for (const int peer : from(step)) receives.push_back({peer, n * sizeof(float)});
    comm.post({sends, receives, step});
    const auto messages = comm.wait();
    if (comm.rank() == slow) std::this_thread::sleep_for(3ms);
    expect(messages.size() == receives.size(), messages.size(), " messages came, ", receives.size(), " were expected");
    for (std::size_t k = 0; k < messages.size(); ++k) expect_message(messages[k], receives[k].peer, step, n);
    comm.release();
  }
}

struct ring_exchange {
  template <class C>
  void operator()(C& comm) const {
    const auto peers = [&](std::uint64_t) { return ring(comm.rank(), comm.size()); };
    rounds(comm, 20, 1000, 2, peers, peers);
  }
};

struct directed_ring {
  template <class C>
  void operator()(C& comm) const {
    const auto at = [&](int offset) {
      return comm.size() == 1 ? std::vector<int>{} : std::vector{(comm.rank() + offset) % comm.size()};
    };
    for (const std::size_t buffers : {1u, 2u}) {
      rounds(
          comm, 20, 3000, buffers, [&](auto) { return at(1); }, [&](auto) { return at(comm.size() - 1); }, 0);
    }
  }
};

struct complete_graph {
  template <class C>
  void operator()(C& comm) const {
    const auto others = [&](std::uint64_t) {
      std::vector<int> peers;
      for (int p = 0; p < comm.size(); ++p) {
        if (p != comm.rank()) peers.push_back(p);
      }
      return peers;
    };
    rounds(comm, 10, 100, 2, others, others);
  }
};

struct slow_reader {
  template <class C>
  void operator()(C& comm) const {
    const int size = comm.size();
    const int phases = std::max(1, static_cast<int>(std::bit_width(static_cast<unsigned>(size - 1))));
    const auto at = [&](int direction) {
      return [&, direction](std::uint64_t step) {
        const int offset = 1 << (step % static_cast<std::uint64_t>(phases));
        return size == 1 ? std::vector<int>{} : std::vector{(comm.rank() + size + direction * offset) % size};
      };
    };
    for (const std::size_t buffers : {1u, 2u, 3u}) rounds(comm, 15, 20000, buffers, at(+1), at(-1), size - 1);
  }
};

/// A chain in which the first worker is far ahead: the messages of an edge wait in order.
struct fast_sender {
  template <class C>
  void operator()(C& comm) const {
    constexpr std::uint64_t steps = 30;
    std::vector<std::vector<float>> x(steps, std::vector<float>(10));
    const polder::publication_guard guard(comm);
    const bool first = comm.rank() == 0, last = comm.rank() == comm.size() - 1;
    for (std::uint64_t step = 0; step < steps; ++step) {
      fill(x[step], comm.rank(), step);
      const outgoing next = send_to(comm.rank() + 1, whole(x[step]));
      const incoming previous{comm.rank() - 1, 10 * sizeof(float)};
      comm.post({{&next, last ? 0u : 1u}, {&previous, first ? 0u : 1u}, step});
      const auto messages = comm.wait();
      if (last) std::this_thread::sleep_for(200us);
      if (!first) expect_message(messages[0], comm.rank() - 1, step, 10);
      comm.release();
    }
  }
};

/// Sizes that only the sender knows, empty messages among them, two messages a round on one edge.
struct variable_sizes {
  template <class C>
  void operator()(C& comm) const {
    if (comm.size() == 1) return;
    const int next = (comm.rank() + 1) % comm.size(), previous = (comm.rank() + comm.size() - 1) % comm.size();
    const auto length = [](int rank, std::uint64_t step, int k) {
      return (static_cast<std::size_t>(rank + 1) * 4001 * step + static_cast<std::size_t>(k) * 77) % 30011 * (step % 3);
    };
    std::vector<std::vector<float>> x(2);
    const polder::publication_guard guard(comm);
    for (std::uint64_t step = 0; step < 12; ++step) {
      std::vector<outgoing> sends;
      for (int k = 0; k < 2; ++k) {
        auto& mine = x[static_cast<std::size_t>(k)];
        comm.reclaim(mine.data());
        mine.resize(length(comm.rank(), step, k));
        fill(mine, comm.rank(), step);
        sends.push_back(send_to(next, whole(mine)));
      }
      const std::vector<incoming> receives(2, {previous, 60022 * sizeof(float)});
      comm.post({sends, receives, step, false});
      const auto messages = comm.wait();
      for (int k = 0; k < 2; ++k) {
        expect_message(messages[static_cast<std::size_t>(k)], previous, step, length(previous, step, k));
      }
      comm.release();
    }
  }
};

struct empty_messages {
  template <class C>
  void operator()(C& comm) const {
    const auto peers = ring(comm.rank(), comm.size());
    std::vector<outgoing> sends;
    std::vector<incoming> receives;
    for (const int peer : peers) {
      sends.push_back({peer, nullptr, 0});
      receives.push_back({peer, 0});
    }
    for (std::uint64_t step = 0; step < 5; ++step) {
      comm.reclaim(nullptr);
      comm.post({sends, receives, step, step % 2 == 0});
      for (const message& m : comm.wait()) expect(m.bytes == 0, "an empty message has ", m.bytes, " bytes");
      comm.release();
    }
  }
};

template <class T, class C>
void expect_mean(C& comm, std::size_t n, std::uint64_t step) {
  const reference_backend backend;
  const int size = comm.size();
  std::vector<T> x(n);
  fill(x, comm.rank(), step);
  const auto result = comm.all_reduce_mean(backend, host_view<T>(x.data(), n), step);
  expect(result.mean.size == n, "the mean has ", result.mean.size, " numbers instead of ", n);
  expect(result.gaps.size == static_cast<std::size_t>(size), "there are ", result.gaps.size, " gaps");
  if (size > 1) std::fill(x.begin(), x.end(), T{-1});  // x may be changed as soon as the call has returned
  std::vector<double> gaps(static_cast<std::size_t>(size), 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    double mean = 0;
    for (int m = 0; m < size; ++m) {
      mean = polder::ops::multiply_add(1.0 / size, static_cast<double>(number<T>(m, step, i)), mean);
    }
    expect(result.mean.data[i] == static_cast<T>(mean), "mean[", i, "] is ", result.mean.data[i], " instead of ", mean);
    for (int m = 0; m < size; ++m) {
      const double gap = static_cast<double>(number<T>(m, step, i)) - static_cast<double>(static_cast<T>(mean));
      gaps[static_cast<std::size_t>(m)] += gap * gap;
    }
  }
  for (std::size_t m = 0; m < gaps.size(); ++m) {
    expect(std::abs(result.gaps.data[m] - gaps[m]) <= 1e-12 * gaps[m], "n = ", n, ": the squared gap of worker ", m,
           " is ", result.gaps.data[m], " instead of ", gaps[m]);
  }
  const std::uint64_t mine = hash_of(result.gaps, hash_of(result.mean));
  comm.release();
  for (const std::uint64_t other : gather(comm, mine)) expect(other == mine, "the mean differs between workers");
}

struct means {
  template <class C>
  void operator()(C& comm) const {
    std::uint64_t step = 0;
    for (const std::size_t n : {100u, 0u, 1u, 16u, 17u, 5u, 1000u, 5000u, 40001u, 3u, 40001u}) {
      expect_mean<float>(comm, n, ++step);
      expect_mean<double>(comm, n, ++step);
    }
  }
};

struct gathers {
  template <class C>
  void operator()(C& comm) const {
    for (std::uint64_t round = 0; round < 20; ++round) {
      const auto all = gather(comm, round * 1000 + static_cast<std::uint64_t>(comm.rank()));
      for (std::size_t m = 0; m < all.size(); ++m) expect(all[m] == round * 1000 + m, "round ", round, ": ", all[m]);
      std::vector<std::byte> mine(round % 4 * 5, static_cast<std::byte>(comm.rank()));
      std::vector<std::byte> both(mine.size() * static_cast<std::size_t>(comm.size()));
      comm.all_gather(mine, both);
      for (std::size_t i = 0; i < both.size(); ++i) {
        expect(both[i] == static_cast<std::byte>(i / mine.size()), "round ", round, ": byte ", i);
      }
    }
    std::vector<std::byte> few(3);
    expect_part(message_of<polder::config_error>([&] { comm.all_gather(few, std::span(few).first(2)); }), "all_gather");
  }
};

/// Calls out of order and plans that cannot be are refused before anything is sent.
struct wrong_calls {
  template <class C>
  void operator()(C& comm) const {
    const auto refused = [](const auto& call, const char* part) {
      expect_part(message_of<polder::config_error>(call), part);
    };
    const outgoing to_self{comm.rank(), nullptr, 0}, nowhere{comm.size(), nullptr, 0};
    const incoming from_self{comm.rank(), 0}, from_nowhere{-1, 0};
    refused([&] { comm.post({{&to_self, 1}, {}, 0}); }, "");
    refused([&] { comm.post({{&nowhere, 1}, {}, 0}); }, "");
    refused([&] { comm.post({{}, {&from_self, 1}, 0}); }, "");
    refused([&] { comm.post({{}, {&from_nowhere, 1}, 0}); }, "");
    refused([&] { (void)comm.wait(); }, "call post() first");
    comm.post({});
    refused([&] { comm.post({}); }, "call wait() first");
    expect(comm.wait().empty(), "an empty plan has no messages");
    refused([&] { comm.post({}); }, "call release() first");
    std::vector<float> x(1);
    const reference_backend backend;
    refused([&] { (void)comm.all_reduce_mean(backend, whole(x)); }, "call release() first");
    comm.release();
    (void)comm.all_reduce_mean(backend, whole(x));
    refused([&] { comm.post({}); }, "call release() first");
    comm.release();
    comm.release();
    comm.reclaim(x.data());
    comm.post({});
    (void)comm.wait();
    comm.release();
    (void)gather(comm, 0);
  }
};

/// Worker 1 never sends; then it never reads; the deadline names who waits for whom, where and when.
struct deadlines {
  template <class C>
  void operator()(C& comm) const {
    if (comm.size() == 1) return;
    std::vector<float> large(500'000);
    const polder::publication_guard guard(comm);
    const bool sender = comm.rank() == 0, reader = comm.rank() == 1;
    const outgoing send = send_to(1, whole(large));
    const incoming receive{0, large.size() * sizeof(float)};
    if (sender) {
      comm.deadline(50ms);
      comm.post({{&send, 1}, {}, 16});
      expect(comm.wait().empty(), "nothing was to be received");
      comm.release();
      const auto words = message_of<polder::comm_error>([&] { comm.reclaim(large.data()); });
      expect_part(words, "worker 0 waited 0.05 s for worker 1 at step 16 (edge 0 -> 1)");
      comm.deadline(20s);
    }
    (void)gather(comm, 0);
    if (reader) {
      comm.post({{}, {&receive, 1}, 16});
      (void)comm.wait();
      comm.release();
    }
    if (sender) comm.reclaim(large.data());

    for (const bool fixed_size : {false, true}) {
      if (sender) {
        comm.deadline(50ms);
        const incoming never{1, 12};
        comm.post({{}, {&never, 1}, 17, fixed_size});
        const auto words = message_of<polder::comm_error>([&] { (void)comm.wait(); });
        expect_part(words, "worker 0 waited 0.05 s for worker 1 at step 17 (edge 1 -> 0)");
        comm.release();
        comm.deadline(20s);
      }
      (void)gather(comm, 0);
    }
  }
};

struct late_for_the_mean {
  template <class C>
  void operator()(C& comm) const {
    if (comm.size() == 1) return;
    (void)gather(comm, 0);
    if (comm.rank() != 0) {
      std::this_thread::sleep_for(500ms);
      return;
    }
    comm.deadline(50ms);
    std::vector<float> x(100);
    const auto words =
        message_of<polder::comm_error>([&] { (void)comm.all_reduce_mean(reference_backend{}, whole(x), 9); });
    expect_part(words, "worker 0 waited 0.05 s for worker 1 at step 9 (edge 1 -> 0)");
  }
};

/// Gossip on a ring and a mean every fourth step: a run whose bits must not depend on the communicator.
struct short_run {
  template <class C>
  std::uint64_t operator()(C& comm) const {
    const reference_backend backend;
    const std::size_t n = 1234;
    std::vector<float> x(n), half(n);
    fill(x, comm.rank(), 1);
    const polder::publication_guard guard(comm);
    const auto peers = ring(comm.rank(), comm.size());
    std::uint64_t h = 14695981039346656037ull;
    for (std::uint64_t step = 0; step < 20; ++step) {
      comm.reclaim(half.data());
      for (std::size_t i = 0; i < n; ++i) half[i] = x[i] * 0.99f + number(comm.rank(), step, i) / 7.0f;
      std::vector<outgoing> sends;
      std::vector<incoming> receives;
      for (const int peer : peers) {
        sends.push_back(send_to(peer, whole(half)));
        receives.push_back({peer, n * sizeof(float)});
      }
      comm.post({sends, receives, step});
      const auto messages = comm.wait();
      for (std::size_t i = 0; i < n; ++i) {
        double y = static_cast<double>(half[i]) / 3.0;
        for (const message& m : messages) {
          y += static_cast<double>(polder::as_vector<polder::host_space, const float>(m).data[i]) / 3.0;
        }
        x[i] = static_cast<float>(y);
      }
      comm.release();
      if (step % 4 == 3) {
        const auto [mean, gaps] = comm.all_reduce_mean(backend, whole(x), step);
        for (std::size_t i = 0; i < n; ++i) x[i] += 0.3f * (mean.data[i] - x[i]);
        h = hash_of(gaps, hash_of(mean, h));
        comm.release();
      }
      h = hash_of(whole(x), h);
    }
    const auto all = gather(comm, h);
    return hash(std::as_bytes(std::span(all)));
  }
};

/// All of it. `launch.workers()` workers; used inside a TEST_CASE.
template <class Launch>
void communicator_suite(const Launch& launch) {
  const int workers = launch.workers();
  SECTION("each worker knows its rank and how many there are") {
    launch([&](auto& comm) {
      expect(comm.size() == workers, "size is ", comm.size());
      expect(comm.rank() >= 0 && comm.rank() < workers, "rank is ", comm.rank());
      const auto ranks = gather(comm, comm.rank());
      for (int m = 0; m < workers; ++m) expect(ranks[static_cast<std::size_t>(m)] == m, "ranks are not in order");
    });
  }
  SECTION("neighbors on a ring get each other's vectors") { launch(ring_exchange{}); }
  SECTION("messages go one way round a directed ring") { launch(directed_ring{}); }
  SECTION("all send to all") { launch(complete_graph{}); }
  SECTION("a published buffer is not overwritten before its readers are done") { launch(slow_reader{}); }
  SECTION("a sender may be ahead of its reader") { launch(fast_sender{}); }
  SECTION("messages may have any size up to the promised one") { launch(variable_sizes{}); }
  SECTION("messages may be empty") { launch(empty_messages{}); }
  SECTION("the mean and the gaps agree with the formula, and their bits on all workers") { launch(means{}); }
  SECTION("bytes are gathered in rank order") { launch(gathers{}); }
  SECTION("wrong calls are refused") { launch(wrong_calls{}); }
  SECTION("a deadline says who waited for whom") { launch(deadlines{}); }
  SECTION("a deadline says who is late for the mean") { launch(late_for_the_mean{}); }
}

}  // namespace contract
