// polder — which images a worker sees at which step.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "polder/data/augment.hpp"
#include "polder/data/batch.hpp"
#include "polder/data/dataset.hpp"
#include "polder/data/partition.hpp"

namespace polder::data {

/// One worker's minibatches: every epoch its whole shard in a new order, without the incomplete last batch.
///
/// The minibatch of a step is a function of (seed, worker, step) and of nothing that happened before: a resumed run
/// sees the same images. epoch = floor(step / steps_per_epoch); the order within an epoch is a Fisher-Yates shuffle of
/// the shard by the random stream (seed, shuffle, epoch, worker) and is kept until another epoch is asked for. With an
/// augmentation, an image is changed as change_of(augmentation_key(seed, step, worker), its index in the data set)
/// says.
///
/// Allocates nothing after construction. The data set must outlive the loader. Errors: config_error if the shard has
/// not one full batch, or if the images are too small for the augmentation.
template <std::floating_point T>
class loader {
 public:
  loader(const dataset& images, std::vector<std::size_t> shard, std::size_t batch, std::uint64_t seed,
         std::uint32_t worker, augmentation augment = {})
      : shard_(std::move(shard)),
        order_(shard_.size()),
        batch_(batch),
        seed_(seed),
        worker_(worker),
        augment_(augment),
        probe_(batch),
        all_(images.size()),
        buffer_(images, batch) {
    require<config_error>(batch > 0, "a batch size of 0 is impossible");
    require<config_error>(batch <= shard_.size(), "worker ", worker, " has ", shard_.size(),
                          " images, fewer than the batch size ", batch,
                          ": zero steps an epoch; take a smaller batch or fewer workers");
    require<config_error>(std::ranges::max(shard_) < images.size(), "the shard of worker ", worker, " names image ",
                          std::ranges::max(shard_), " of ", images.size());
    check(augment_, images.shape);
  }
  loader(const dataset&&, std::vector<std::size_t>, std::size_t, std::uint64_t, std::uint32_t,
         augmentation = {}) = delete;

  [[nodiscard]] std::uint64_t steps_per_epoch() const { return shard_.size() / batch_; }
  [[nodiscard]] std::size_t batch_size() const { return batch_; }
  /// The data set.
  [[nodiscard]] const dataset& source() const { return buffer_.source(); }
  [[nodiscard]] std::size_t shard_size() const { return shard_.size(); }

  /// The images at that step, as indices into the data set.
  std::span<const std::size_t> indices(std::uint64_t step) {
    const std::uint64_t epoch = step / steps_per_epoch();
    if (epoch != epoch_) {
      order_ = shard_;
      random_stream random({.seed = seed_, .purpose = purpose::shuffle, .step = epoch, .worker = worker_});
      shuffle(std::span(order_), random);
      epoch_ = epoch;
    }
    return std::span(order_).subspan(static_cast<std::size_t>(step % steps_per_epoch()) * batch_, batch_);
  }

  /// As many images of the whole data set, drawn with replacement as a function of (seed, worker, step): for measurements
  /// that must not look at the shard alone.
  std::span<const std::size_t> probe_indices(std::uint64_t step) {
    random_stream random({.seed = seed_, .purpose = purpose::probe, .step = step, .worker = worker_});
    for (std::size_t& image : probe_) image = static_cast<std::size_t>(random.below(all_));
    return probe_;
  }
  /// What is drawn from to change the images of a minibatch, and the random numbers that decide at that step.
  [[nodiscard]] const augmentation& changes() const { return augment_; }
  [[nodiscard]] random_key key(std::uint64_t step) const { return augmentation_key(seed_, step, worker_); }

  /// Gathers the minibatch of that step; it stays until the next call.
  batch_view<T> select(std::uint64_t step) {
    if (!augment_.changes()) return buffer_.gather(indices(step));
    const random_key keyed = key(step);
    return buffer_.gather(indices(step), [&](std::size_t image) { return change_of(augment_, keyed, image); });
  }
  /// Gathers the images of probe_indices as they are, without augmentation.
  batch_view<T> select_probe(std::uint64_t step) { return buffer_.gather(probe_indices(step)); }
  /// What was selected last.
  [[nodiscard]] batch_view<T> batch() const { return buffer_.view(); }

 private:
  std::vector<std::size_t> shard_;
  std::vector<std::size_t> order_;
  std::size_t batch_;
  std::uint64_t seed_;
  std::uint32_t worker_;
  augmentation augment_;
  std::vector<std::size_t> probe_;
  std::size_t all_;
  std::uint64_t epoch_ = std::numeric_limits<std::uint64_t>::max();
  batch_buffer<T> buffer_;
};

}  // namespace polder::data
