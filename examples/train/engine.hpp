// A problem's network in the memory of a backend: what the workers of a process compute with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "polder/core/layout.hpp"
#include "polder/core/view.hpp"
#include "polder/objective/late_loss.hpp"
#include "polder/train/evaluation.hpp"
#include "train/problem.hpp"

namespace polder_train {

/// One worker's loss on its own minibatches: a polder objective behind virtual functions, so that all methods on all
/// backends and communicators do not each compile the network again.
template <class Space>
class worker_loss {
 public:
  virtual ~worker_loss() = default;
  virtual void select_batch(std::uint64_t step) = 0;
  virtual void select_probe(std::uint64_t step) = 0;
  /// Losses of a device may come late.
  using loss = std::conditional_t<std::is_same_v<Space, polder::host_space>, double, polder::late_loss>;
  virtual loss loss_and_gradient(polder::view<Space, const float> x, polder::view<Space, float> g) const = 0;
  [[nodiscard]] virtual polder::layout layout() const = 0;
};

/// The test set for one worker, as polder::fit wants it.
template <class Space>
class worker_tests {
 public:
  virtual ~worker_tests() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual polder::scores score(polder::view<Space, const float> x,
                                             std::span<const std::size_t> samples) const = 0;
};

/// Makes these for the workers of a process, which share it. It must outlive them, and the problem both.
template <class Backend>
class engine {
 public:
  using space = typename Backend::space;

  virtual ~engine() = default;
  /// They compute in the order of the calls of `backend`, the worker's own; called in the worker's thread.
  [[nodiscard]] virtual std::unique_ptr<worker_loss<space>> loss_of(int worker, const Backend& backend) const = 0;
  [[nodiscard]] virtual std::unique_ptr<worker_tests<space>> tests_on(const Backend& backend) const = 0;
};

/// With nn::model, the host's engine, which reads the images where they are. Compiled in a unit of its own.
template <class Backend>
[[nodiscard]] std::unique_ptr<engine<Backend>> make_host_engine(const problem& p, const Backend& backend);
/// With nn::device_model and a copy of the images, both in the backend's memory. The same. `replay`: see
/// nn::device_model_options.
template <class Backend>
[[nodiscard]] std::unique_ptr<engine<Backend>> make_device_engine(const problem& p, const Backend& backend,
                                                                  bool replay);

}  // namespace polder_train
