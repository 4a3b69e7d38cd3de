// One of the communicators, chosen at run time: a communicator itself, so that each method is compiled once per backend.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <type_traits>
#include <utility>

#include "polder/comm/communicator.hpp"
#include "polder/core/view.hpp"

namespace polder_train {

/// Refers to a communicator of any type, for a backend and vectors of float.
template <class Backend>
class any_communicator {
 public:
  using space = typename Backend::space;

  virtual ~any_communicator() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  virtual void deadline(std::chrono::milliseconds time) = 0;
  virtual void attach(const Backend& backend) = 0;
  virtual void post(const polder::exchange_plan& plan) = 0;
  [[nodiscard]] virtual std::span<const polder::message> wait() = 0;
  virtual void release() = 0;
  virtual void reclaim(const void* data) = 0;
  [[nodiscard]] virtual polder::mean_and_gaps<space, float> all_reduce_mean(const Backend& backend,
                                                                            polder::view<space, const float> x,
                                                                            std::uint64_t step = 0) = 0;
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  virtual void abort(std::exception_ptr reason) = 0;
  virtual void quiesce(bool failing = false) = 0;

  template <class C>
  class of;
};

template <class Backend>
template <class C>
class any_communicator<Backend>::of final : public any_communicator<Backend> {
 public:
  explicit of(C& chosen) : chosen_(chosen) {}

  [[nodiscard]] int rank() const override { return chosen_.rank(); }
  [[nodiscard]] int size() const override { return chosen_.size(); }
  void deadline(std::chrono::milliseconds time) override { chosen_.deadline(time); }
  /// Nothing to do where calls take effect at once.
  void attach(const Backend& backend) override {
    if constexpr (requires { chosen_.attach(backend); }) chosen_.attach(backend);
  }
  void post(const polder::exchange_plan& plan) override { chosen_.post(plan); }
  [[nodiscard]] std::span<const polder::message> wait() override { return chosen_.wait(); }
  void release() override { chosen_.release(); }
  void reclaim(const void* data) override { chosen_.reclaim(data); }
  [[nodiscard]] polder::mean_and_gaps<space, float> all_reduce_mean(const Backend& backend,
                                                                    polder::view<space, const float> x,
                                                                    std::uint64_t step) override {
    return chosen_.all_reduce_mean(backend, x, step);
  }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override { chosen_.all_gather(mine, all); }
  void abort(std::exception_ptr reason) override { chosen_.abort(std::move(reason)); }
  void quiesce(bool failing) override { chosen_.quiesce(failing); }

  using space = typename Backend::space;

 private:
  C& chosen_;
};

}  // namespace polder_train
