// polder — the communicator of a worker that is alone.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <type_traits>

#include "polder/comm/protocol.hpp"

namespace polder {

/// One worker and nobody to talk to: plans are empty, the mean is the worker's own vector, every gap is 0.
///
/// Cost: no copy, no pass over memory. Errors: config_error for a plan that names a peer.
template <class Space = host_space>
class self {
 public:
  using space = Space;

  [[nodiscard]] int rank() const { return 0; }
  [[nodiscard]] int size() const { return 1; }
  void deadline(std::chrono::milliseconds) {}

  void post(const exchange_plan& plan) {
    require<config_error>(plan.sends.empty() && plan.receives.empty(),
                          "post: a single worker has no peers: give an empty plan or more workers");
    order_.begin_post();
  }
  [[nodiscard]] std::span<const message> wait() {
    order_.begin_wait();
    return {};
  }
  void release() { order_.release(); }
  void reclaim(const void*) {}

  /// The mean is `x` itself: it changes when `x` does.
  template <class Backend, class U>
  [[nodiscard]] auto all_reduce_mean(const Backend& backend, view<Space, U> x, std::uint64_t = 0)
      -> mean_and_gaps<Space, std::remove_const_t<U>> {
    order_.begin_all_reduce();
    return {x.as_const(), {gap_.template reserve<double>(backend, 1), 1}};
  }

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
    detail::check_gather(mine.size(), all.size(), 1);
    std::copy(mine.begin(), mine.end(), all.begin());
  }

  void abort(const std::exception_ptr&) {}
  void quiesce(bool = false) { order_.release(); }

 private:
  detail::call_order order_;
  detail::kept_memory gap_;
};

static_assert(communicator<self<>>);

}  // namespace polder
