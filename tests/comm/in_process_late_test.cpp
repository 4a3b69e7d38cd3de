// Workers that come too late, or read for longer than the deadline: the run ends with a sentence, and nobody reads memory
// that has gone. The address sanitizer sees what these tests cannot.
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/comm/run_workers.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace std::chrono_literals;

constexpr std::size_t n = std::size_t{1} << 16;

/// What the first failure of two workers says. `body(comm, x)` runs on both, with x of the worker's own.
template <class Body>
std::string failure_of(const Body& body) {
  try {
    run_workers(
        2,
        [&](auto& comm) {
          std::vector<float> x(n, static_cast<float>(comm.rank() + 1));
          const publication_guard guard(comm);
          body(comm, x);
        },
        100ms);
  } catch (const comm_error& e) {
    return e.what();
  }
  return "no failure";
}

template <class Backend, class Comm>
void reduce(const Backend& backend, Comm& comm, std::span<const float> x) {
  (void)comm.all_reduce_mean(backend, host_view<const float>(x), 7);
  comm.release();
}

/// Takes its time inside the reduction.
struct slow_backend : reference_backend {
  bool slow = false;
  double* first = nullptr;
  template <class T>
  void mean_with_gaps(std::span<const host_view<const T>> vectors, host_view<T> mean, host_view<double> gaps) const {
    if (slow) std::this_thread::sleep_for(400ms);
    reference_backend::mean_with_gaps(vectors, mean, gaps);
    if (first != nullptr) *first = static_cast<double>(mean.data[0]);
  }
};

}  // namespace

TEST_CASE("a worker that comes to a reduction after the deadline does not complete it") {
  std::string late = "no failure";
  const std::string first = failure_of([&](auto& comm, const std::vector<float>& x) {
    if (comm.rank() == 0) {
      reduce(reference_backend{}, comm, x);
    } else {
      std::this_thread::sleep_for(400ms);
      try {
        reduce(reference_backend{}, comm, x);
      } catch (const comm_error& e) {
        late = e.what();
        throw;
      }
    }
  });
  CHECK_THAT(first, Catch::Contains("worker 0 waited 0.1 s for worker 1 at step 7") &&
                        Catch::Contains("in all_reduce_mean: 1 of 2 workers have come to it"));
  CHECK_THAT(late, Catch::Contains("because worker 0 failed") || Catch::Contains("has given up waiting for it"));
}

TEST_CASE("what a worker puts into a reduction stays until the slowest has read it") {
  double mean = 0.0;
  const std::string first = failure_of([&](auto& comm, const std::vector<float>& x) {
    slow_backend backend;
    backend.slow = comm.rank() == 1;
    if (backend.slow) backend.first = &mean;
    reduce(backend, comm, x);
  });
  CHECK_THAT(first, Catch::Contains("worker 0 waited 0.1 s for worker 1"));
  CHECK(mean == 1.5);
}

TEST_CASE("a message stays until its reader is done, however long after the deadline that is") {
  double sum = 0.0;
  const std::string first = failure_of([&](auto& comm, const std::vector<float>& x) {
    const int peer = 1 - comm.rank();
    const outgoing sends[] = {send_to(peer, host_view<const float>(std::span<const float>(x)))};
    const incoming receives[] = {{peer, n * sizeof(float)}};
    comm.post({sends, receives, 7, true});
    const message arrived = comm.wait().front();
    if (comm.rank() == 1) {
      std::this_thread::sleep_for(400ms);
      for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(as_vector<host_space, float>(arrived).data[i]);
    }
    comm.release();
  });
  CHECK_THAT(first, Catch::Contains("worker 1 still holds what worker 0 published there at step 7"));
  CHECK(sum == static_cast<double>(n));
}
