// What is learned: images, their shares, and the model. The same for every backend, so it is compiled once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "polder/core/layout.hpp"
#include "polder/train/fit.hpp"
#include "train/images.hpp"
#include "train/options.hpp"

namespace polder_train {

/// One worker's loss on its own minibatches: a polder objective behind virtual functions, so that all methods on
/// three backends and two communicators do not each compile the network again.
class worker_loss {
 public:
  virtual ~worker_loss() = default;
  virtual void select_batch(std::uint64_t step) = 0;
  virtual void select_probe(std::uint64_t step) = 0;
  virtual double loss_and_gradient(std::span<const float> x, std::span<float> g) const = 0;
  [[nodiscard]] virtual polder::layout layout() const = 0;
};

/// Data and model of a run. Workers share it and only read.
class problem {
 public:
  virtual ~problem() = default;
  [[nodiscard]] virtual const polder::layout& tensors() const = 0;
  /// Where all workers start.
  [[nodiscard]] virtual std::vector<float> initial_parameters() const = 0;
  [[nodiscard]] virtual std::uint64_t steps_per_epoch() const = 0;
  [[nodiscard]] virtual std::unique_ptr<worker_loss> loss_of(int worker) const = 0;
  /// The test set, as polder::fit wants it.
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual polder::scores score(std::span<const float> x, std::span<const std::size_t> samples) const = 0;
};

/// Reads the data, shares it out and builds the model. Fills in the options that depend on the data (dataset, model) and
/// tells `say` what it chose in the user's place.
/// Throws usage_error for data and model that do not suit each other, data_error for files that cannot be used.
[[nodiscard]] std::unique_ptr<problem> make_problem(options& o, const teller& say);

}  // namespace polder_train
