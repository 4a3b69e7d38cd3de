// polder — what the communicators that wrap another one have in common.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <type_traits>
#include <utility>

#include "polder/comm/communicator.hpp"

namespace polder::detail {

/// Passes every call on to a communicator that it refers to. A wrapper hides the calls that it cares for.
template <communicator C>
class forwarding {
 public:
  using space = typename C::space;

  explicit forwarding(C& inner) : inner_(&inner) {}

  [[nodiscard]] int rank() const { return inner_->rank(); }
  [[nodiscard]] int size() const { return inner_->size(); }
  void deadline(std::chrono::milliseconds time) { inner_->deadline(time); }
  template <class Backend>
  void attach(const Backend& backend)
    requires requires(C& c) { c.attach(backend); }
  {
    inner_->attach(backend);
  }
  void post(const exchange_plan& plan) { inner_->post(plan); }
  [[nodiscard]] std::span<const message> wait() { return inner_->wait(); }
  void release() { inner_->release(); }
  void reclaim(const void* data) { inner_->reclaim(data); }
  template <class Backend, class U>
  [[nodiscard]] auto all_reduce_mean(const Backend& backend, view<space, U> x, std::uint64_t step = 0)
      -> mean_and_gaps<space, std::remove_const_t<U>> {
    return inner_->all_reduce_mean(backend, x, step);
  }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) { inner_->all_gather(mine, all); }
  void abort(std::exception_ptr reason) { inner_->abort(std::move(reason)); }
  void quiesce(bool failing = false) { inner_->quiesce(failing); }

 protected:
  [[nodiscard]] C& inner() const { return *inner_; }

 private:
  C* inner_;
};

}  // namespace polder::detail
