// What is learned: images, their shares and the network. The same for every backend, so it is compiled once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "polder/core/layout.hpp"
#include "polder/data/augment.hpp"
#include "polder/data/dataset.hpp"
#include "polder/data/loader.hpp"
#include "polder/data/partition.hpp"
#include "polder/nn/sequential.hpp"
#include "polder/nn/shape.hpp"
#include "train/images.hpp"
#include "train/options.hpp"

namespace polder_train {

/// Images, who sees which of them, and the network that learns them. Workers share it and only read; their loaders
/// refer to it.
class problem {
 public:
  /// Throws usage_error for images and a network that do not suit each other, and for shares that have no batch.
  problem(const options& o, polder::data::train_test images);

  [[nodiscard]] const polder::data::train_test& images() const { return images_; }
  [[nodiscard]] const polder::nn::sequential& network() const { return network_; }
  /// Of the network.
  [[nodiscard]] polder::nn::shape input() const { return input_; }
  [[nodiscard]] std::size_t classes() const { return images_.train.classes; }
  [[nodiscard]] std::size_t batch() const { return batch_; }
  [[nodiscard]] double label_smoothing() const { return label_smoothing_; }

  [[nodiscard]] const polder::layout& tensors() const { return tensors_; }
  /// Where all workers start.
  [[nodiscard]] const std::vector<float>& initial_parameters() const { return initial_parameters_; }
  [[nodiscard]] std::uint64_t steps_per_epoch() const { return steps_per_epoch_; }
  /// The worker's own minibatches.
  [[nodiscard]] polder::data::loader<float> loader_of(int worker) const;

 private:
  polder::data::train_test images_;
  polder::nn::shape input_;
  polder::nn::sequential network_;
  polder::layout tensors_;
  std::vector<float> initial_parameters_;
  polder::data::shards shards_;
  polder::data::augmentation augment_;
  std::size_t batch_;
  double label_smoothing_;
  std::uint64_t seed_;
  std::uint64_t steps_per_epoch_;
};

/// Reads the data, shares it out and builds the network. Fills in the options that depend on the data (dataset, model)
/// and tells `say` what it chose in the user's place.
/// Throws usage_error for data and model that do not suit each other, data_error for files that cannot be used.
[[nodiscard]] problem make_problem(options& o, const teller& say);

}  // namespace polder_train
