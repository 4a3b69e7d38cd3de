// Workers that share a device: each has a queue of its own, which is late, and reads what the others' queues write.
// Whole runs give the bits of the host. The thread sanitizer sees every wait that is missing.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

#include "contract/communicator_suite.hpp"
#include "polder/backend/counting.hpp"
#include "polder/comm/counted.hpp"
#include "polder/comm/recorded.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/polder.hpp"
#include "support/bowl.hpp"
#include "support/catch.hpp"
#include "support/queued_backend.hpp"

using namespace polder;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using polder::test::queued_backend;
using polder::test::queued_space;

namespace {

constexpr int team = 4;

/// In the host's memory nothing is added to what travels.
struct bare_delivery {
  message what;
  std::uint64_t step;
  void* source;
};
static_assert(sizeof(detail::delivery<host_space>) == sizeof(bare_delivery));
static_assert(sizeof(detail::publication<host_space>) == 2 * sizeof(void*));
static_assert(std::is_empty_v<detail::queue_marks<host_space>>);

/// in_process on the device for whoever works on the host: waits for the queue before the host reads or writes.
class from_the_host {
 public:
  using space = host_space;

  from_the_host(in_process<queued_space>& comm, const queued_backend& backend) : comm_(&comm), backend_(backend) {
    comm.attach(backend);
  }
  [[nodiscard]] int rank() const { return comm_->rank(); }
  [[nodiscard]] int size() const { return comm_->size(); }
  void deadline(std::chrono::milliseconds time) { comm_->deadline(time); }
  void post(const exchange_plan& plan) { comm_->post(plan); }
  [[nodiscard]] std::span<const message> wait() {
    const auto messages = comm_->wait();
    backend_.synchronize();
    return messages;
  }
  void release() { comm_->release(); }
  void reclaim(const void* data) {
    comm_->reclaim(data);
    backend_.synchronize();
  }
  template <class Backend, class U>
  [[nodiscard]] auto all_reduce_mean(const Backend&, host_view<U> x, std::uint64_t step = 0)
      -> mean_and_gaps<host_space, std::remove_const_t<U>> {
    const auto [mean, gaps] = comm_->all_reduce_mean(backend_, view<queued_space, U>(x.data, x.size), step);
    backend_.synchronize();
    return {{mean.data, mean.size}, {gaps.data, gaps.size}};
  }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) { comm_->all_gather(mine, all); }
  void abort(std::exception_ptr reason) { comm_->abort(std::move(reason)); }
  void quiesce(bool failing = false) { comm_->quiesce(failing); }

 private:
  in_process<queued_space>* comm_;
  queued_backend backend_;
};

struct threads_with_queues {
  int count;
  [[nodiscard]] int workers() const { return count; }
  template <class Body>
  void operator()(const Body& body) const {
    in_process_group<queued_space> group(count, 20s);
    run_workers(group, [&](auto& comm) {
      from_the_host end(comm, queued_backend(comm.rank() == 1 ? 100us : 0us));
      body(end);
    });
  }
};

constexpr std::size_t n = bowls::two_tensors_size;
constexpr std::uint64_t steps = 12;

/// For one worker. It never waits, so the host is a run ahead of its queue.
template <class Backend>
class bowl : public bowls::bowl<Backend> {
 public:
  using base = bowls::bowl<Backend>;
  using space = typename Backend::space;

  bowl(const Backend& backend, int rank)
      : base(backend, bowls::waves(n, static_cast<float>(rank)), bowls::two_tensors()), rank_(rank) {}
  void select_batch(std::uint64_t step) { step_ = step; }
  double loss_and_gradient(detail::argument<space, const float> x, detail::argument<space, float> g) const {
    return base::loss_and_gradient(x, g) + static_cast<double>((static_cast<std::uint64_t>(rank_) + step_) % team);
  }

 private:
  int rank_;
  std::uint64_t step_ = 0;
};

using everybody = std::vector<std::vector<float>>;

/// The model of each worker after the run; `wrap(comm)` may put something around the communicator.
template <class MakeBackend, class Algorithm, class Wrap>
everybody trained(const MakeBackend& backend_of, const Algorithm& parts, const topology::mixing_matrix& weights,
                  const Wrap& wrap) {
  using backend_type = decltype(backend_of(0));
  everybody result(team);
  in_process_group<typename backend_type::space> group(team);
  run_workers(group, [&](auto& member) {
    auto&& comm = wrap(member);
    const int rank = comm.rank();
    const auto backend = backend_of(rank);
    bowl<backend_type> f(backend, rank);
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = std::sin(0.3f * static_cast<float>(i) + static_cast<float>(rank));
    worker one(parts, backend, comm, weights, f, std::span<const float>(x),
               {.lr = {.base = 0.1, .kind = learning_rate::shape::cosine}, .total_steps = steps, .equal_start = false});
    while (one.steps() < steps) one.step();
    backend.to_host(one.model(), std::span<float>(x));
    result[static_cast<std::size_t>(rank)] = std::move(x);
  });
  return result;
}
template <class MakeBackend, class Algorithm>
everybody trained(const MakeBackend& backend_of, const Algorithm& parts, const topology::mixing_matrix& weights) {
  return trained(backend_of, parts, weights, [](auto& comm) -> auto& { return comm; });
}

/// The first worker's queue is late, then the others' are.
queued_backend first_is_late(int rank) { return queued_backend(rank == 0 ? 200us : 0us); }
queued_backend others_are_late(int rank) { return queued_backend(rank == 0 ? 0us : 200us); }
reference_backend on_the_host(int) { return {}; }

template <class Algorithm>
bool same_bits(const Algorithm& parts, const topology::mixing_matrix& weights) {
  const everybody expected = trained(on_the_host, parts, weights);
  return trained(first_is_late, parts, weights) == expected && trained(others_are_late, parts, weights) == expected;
}

/// Each worker listens to the one before it: half of its own, half of what came.
topology::mixing_matrix directed_ring() {
  std::vector<double> w(team * team, 0.0);
  for (std::size_t i = 0; i < team; ++i) w[i * team + i] = w[i * team + (i + team - 1) % team] = 0.5;
  return topology::mixing_matrix::from_dense(team, w, "directed ring");
}

/// y = value
struct fill_with {
  float value;
  void operator()(float& y) const { y = value; }
};
struct as_it_is {
  double operator()(float x) const { return static_cast<double>(x); }
};

/// The sum that a worker takes of `x` on its queue; the host asks for it when all is over.
class late_sum {
 public:
  explicit late_sum(const queued_backend& backend) : backend_(backend), sum_(backend.zeros<double>(1)) {}
  void of(view<queued_space, const float> x) { backend_.sum(x.size, as_it_is{}, sum_.view(), in(x)); }
  [[nodiscard]] double value() const {
    double sum = 0.0;
    backend_.to_host(sum_.view(), std::span<double>(&sum, 1));
    return sum;
  }

 private:
  queued_backend backend_;
  test::queued_buffer<double> sum_;
};

/// Sends x to worker 1; worker 1 gets it.
template <class Comm>
std::span<const message> to_worker_1(Comm& comm, view<queued_space, const float> x, std::uint64_t step = 0) {
  const outgoing send = send_to(1, x);
  const incoming receive{0, x.size * sizeof(float)};
  const std::size_t sends = comm.rank() == 0 ? 1 : 0;
  comm.post({{&send, sends}, {&receive, 1 - sends}, step});
  return comm.wait();
}

struct boom : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

TEST_CASE("in_process over a device meets the communicator contract") {
  const int workers = GENERATE(1, 2, 4, 7);
  contract::communicator_suite(threads_with_queues{workers});
}

TEST_CASE("gossip on queues of one device has the bits of the host") {
  const auto ring = topology::mixing_matrix::usual(topology::ring(team));
  const auto peer = topology::mixing_matrix::usual(topology::one_peer_exponential(team));
  CHECK(same_bits(recipes::d_psgd(), ring));
  CHECK(same_bits(recipes::d_psgd(), directed_ring()));
  CHECK(same_bits(recipes::d_psgd(), peer));
  CHECK(same_bits(algorithm{plain{}, momentum{}, gossip{.of = mixed::before_step}}, peer));
  CHECK(same_bits(recipes::q_saddle({.rho = 0.1}), directed_ring()));
  CHECK(same_bits(recipes::n_saddle({.rho = 0.1}), ring));
}

TEST_CASE("means and pulls on queues of one device have the bits of the host") {
  const auto complete = topology::mixing_matrix::usual(topology::complete(team));
  CHECK(same_bits(recipes::all_reduce(), complete));
  CHECK(same_bits(recipes::ddp_sam({.scope = sam_scope::all_workers}), complete));
  CHECK(same_bits(recipes::dppf({.tau = 2}), complete));
  CHECK(same_bits(recipes::dppf({.tau = 2, .exact_push = true, .per_tensor = true}), complete));
  CHECK(same_bits(recipes::dppf({.from = push_reference::target}, elastic_center{.server = true}), complete));
  CHECK(same_bits(recipes::lsgd({.tau = 2}), complete));
  CHECK(same_bits(recipes::lgrawa({.tau = 3}), complete));
}

TEST_CASE("wrapped communicators and backends pass the queue on") {
  const auto ring = topology::mixing_matrix::usual(topology::ring(team));
  const auto parts = recipes::d_psgd();
  const auto expected = trained(on_the_host, parts, ring);
  CHECK(trained(first_is_late, parts, ring, [](auto& comm) { return counted(comm); }) == expected);
  CHECK(trained(first_is_late, parts, ring, [](auto& comm) { return recorded(comm); }) == expected);
  const auto counting = [](int rank) { return counting_backend<queued_backend>(first_is_late(rank)); };
  CHECK(trained(counting, parts, ring) == expected);
}

TEST_CASE("memory that was published goes when the readers' queues are done") {
  const bool failing = GENERATE(false, true);
  std::vector<late_sum> sums;
  const auto run = [&] {
    std::array<queued_backend, 2> backends{queued_backend(), queued_backend(2ms)};
    sums.clear();
    sums.emplace_back(backends[1]);
    in_process_group<queued_space> group(2);
    run_workers(group, [&](auto& comm) {
      const auto& backend = backends[static_cast<std::size_t>(comm.rank())];
      comm.attach(backend);
      const queued_backend other;  // whose memory does not wait for the worker's own queue when it goes
      auto x = other.zeros<float>(n);
      other.synchronize();
      const publication_guard guard(comm);
      backend.map(n, fill_with{3.0f}, out(x.view()));
      const auto messages = to_worker_1(comm, x.view());
      if (comm.rank() == 1) sums[0].of(as_vector<queued_space, float>(messages[0]));
      comm.release();
      (void)contract::gather(comm, 0);
      if (failing && comm.rank() == 0) throw boom("after the release");
    });
  };
  if (failing) {
    CHECK_THROWS_WITH(run(), "after the release");
  } else {
    CHECK_NOTHROW(run());
  }
  CHECK(sums[0].value() == 3.0 * n);
}

TEST_CASE("a queue that cannot be marked is waited for, so that readers are counted off") {
  in_process_group<queued_space> group(2);
  std::vector<late_sum> sums;
  run_workers(group, [&](auto& comm) {
    const queued_backend backend(comm.rank() == 1 ? 2ms : 0ms);
    comm.attach(backend);
    auto x = backend.template zeros<float>(n);
    const publication_guard guard(comm);
    backend.map(n, fill_with{3.0f}, out(x.view()));
    const auto messages = to_worker_1(comm, x.view());
    if (comm.rank() == 1) {
      backend.queue()->refuse_marks();
      sums.emplace_back(backend).of(as_vector<queued_space, float>(messages[0]));
    }
    comm.release();
    if (comm.rank() == 0) {
      comm.reclaim(x.view().data);
      backend.map(n, fill_with{-1.0f}, out(x.view()));
    }
  });
  CHECK(sums[0].value() == 3.0 * n);
}

namespace {

/// Averages late, then fails: the vectors of the others are still being read.
struct failing_backend : queued_backend {
  using queued_backend::queued_backend;
  late_sum* seen = nullptr;
  template <class T>
  void mean_with_gaps(std::span<const view<queued_space, const T>> vectors, view<queued_space, T> mean,
                      view<queued_space, double> gaps) const {
    queued_backend::mean_with_gaps(vectors, mean, gaps);
    if (seen == nullptr) return;
    seen->of(mean);
    throw boom("in the middle of a reduction");
  }
};

}  // namespace

TEST_CASE("what goes into a reduction stays until the queues of those who fail have read it") {
  const failing_backend first, second(2ms);
  late_sum seen(second);
  in_process_group<queued_space> group(2);
  const auto run = [&] {
    run_workers(group, [&](auto& comm) {
      failing_backend backend = comm.rank() == 0 ? first : second;
      if (comm.rank() == 1) backend.seen = &seen;
      auto x = backend.template zeros<float>(n);
      const publication_guard guard(comm);
      backend.map(n, fill_with{comm.rank() == 0 ? 1.0f : 2.0f}, out(x.view()));
      (void)comm.all_reduce_mean(backend, x.view(), 3);
    });
  };
  CHECK_THROWS_WITH(run(), "in the middle of a reduction");
  CHECK(seen.value() == 1.5 * static_cast<double>(slice_of(n, 2, 1).size));
}

TEST_CASE("a mean stays until the queues have read it, though a larger one is asked for or the group ends") {
  std::array<queued_backend, 3> backends{queued_backend(), queued_backend(5ms), queued_backend()};
  std::array<late_sum, 2> sums{late_sum(backends[1]), late_sum(backends[1])};
  std::vector<test::queued_buffer<float>> vectors;
  for (const queued_backend& backend : backends) vectors.push_back(backend.zeros<float>(2 * n));
  {
    in_process_group<queued_space> group(3);
    run_workers(group, [&](auto& comm) {
      const auto rank = static_cast<std::size_t>(comm.rank());
      for (const std::size_t k : {0u, 1u}) {
        // Whoever comes last gets the memory: first worker 0, then worker 2. Worker 1 reads it late.
        if (rank == 2 * k) std::this_thread::sleep_for(5ms);
        const auto part = vectors[rank].view().part(0, n + k * n);
        backends[rank].map(part.size, fill_with{static_cast<float>(k) + 1.0f}, out(part));
        const auto mean = comm.all_reduce_mean(backends[rank], part).mean;
        if (rank == 1) sums[k].of(mean);
        comm.release();
      }
    });
  }
  CHECK(sums[0].value() == 1.0 * n);
  CHECK(sums[1].value() == 2.0 * 2 * n);
}

TEST_CASE("gaps of no numbers are none") {
  in_process_group<queued_space> group(3);
  run_workers(group, [](auto& comm) {
    const queued_backend backend;
    auto x = backend.template zeros<float>(50);
    backend.map(50, fill_with{static_cast<float>(comm.rank())}, out(x.view()));
    for (const unsigned size : {50u, 0u}) {
      const auto result = comm.all_reduce_mean(backend, x.view().part(0, size));
      std::array<double, 3> gaps{-1, -1, -1};
      backend.to_host(result.gaps, std::span<double>(gaps));
      comm.release();
      const double away = size;
      contract::expect(gaps == std::array{away, 0.0, away}, "n = ", size, ": ", gaps[0], " ", gaps[1], " ", gaps[2]);
    }
  });
}

TEST_CASE("another queue of the same worker goes on where the first one stands") {
  in_process_group<queued_space> group(2);
  run_workers(group, [](auto& comm) {
    const queued_backend first(20ms), second, third;
    auto x = first.template zeros<float>(n);
    late_sum sum(second);
    const publication_guard guard(comm);
    if (comm.rank() == 0) {
      comm.attach(first);
      first.map(n, fill_with{5.0f}, out(x.view()));
    }
    comm.attach(second);
    const auto messages = to_worker_1(comm, x.view());
    if (comm.rank() == 1) {
      sum.of(as_vector<queued_space, float>(messages[0]));
      contract::expect(sum.value() == 5.0 * n, "the sum is ", sum.value());
    }
    comm.release();
    contract::expect_part(contract::message_of<config_error>([&] { (void)comm.all_reduce_mean(third, x.view()); }),
                          "all_reduce_mean: the backend computes on another stream than its worker");
  });
}

TEST_CASE("a message of a worker without a queue is refused") {
  in_process_group<queued_space> group(2);
  CHECK_THROWS_WITH(run_workers(group,
                                [](auto& comm) {
                                  if (comm.rank() == 1) (void)contract::gather(comm, 0);
                                  std::vector<float> x(10);
                                  const outgoing send = send_to(1, contract::whole(x));
                                  comm.post({{&send, 1}, {}, 0});
                                }),
                    Contains("call attach(backend) on its communicator first"));
}

TEST_CASE("a worker that fails ends the others while their queues are a run behind") {
  const auto weights = topology::mixing_matrix::usual(topology::ring(team));
  for (const auto make : {first_is_late, others_are_late}) {
    in_process_group<queued_space> group(team);
    const auto run = [&] {
      run_workers(group, [&](auto& comm) {
        const queued_backend backend = make(comm.rank());
        bowl<queued_backend> f(backend, comm.rank());
        const std::vector<float> x(n, 1.0f);
        worker one(recipes::d_psgd(), backend, comm, weights, f, std::span<const float>(x), {.lr = {.base = 0.1}});
        while (one.steps() < steps) {
          if (comm.rank() == 2 && one.steps() == steps / 2) throw boom("the loss is nan");
          one.step();
        }
      });
    };
    CHECK_THROWS_WITH(run(), "the loss is nan");
  }
}
