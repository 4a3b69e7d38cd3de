// polder — how a model is tried on test samples, and what a run measures.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/objective/objective.hpp"

namespace polder {

/// Sums over the samples that a model was tried on.
struct scores {
  double loss = 0.0;
  double correct = 0.0;
  double samples = 0.0;

  scores& operator+=(const scores& other) {
    loss += other.loss;
    correct += other.correct;
    samples += other.samples;
    return *this;
  }
  [[nodiscard]] double mean_loss() const { return loss / samples; }
  [[nodiscard]] double accuracy() const { return correct / samples; }
};

/// test_set — obligations of a test set `t` that `fit` evaluates on: `t.size()` samples; `t.score(x, samples)` returns the
/// scores of the parameters x (a std::span on the host, a view elsewhere) on the samples with these indices.
template <class Tests, class Space, class T>
concept test_set = requires(const Tests t, detail::argument<Space, const T> x, std::span<const std::size_t> samples) {
  { t.size() } -> std::convertible_to<std::size_t>;
  { t.score(x, samples) } -> std::same_as<scores>;
};

/// The steps of an epoch: each worker goes once through its share of the samples, in whole batches.
///
///     floor(floor(N / workers) / batch)
[[nodiscard]] inline std::uint64_t steps_per_epoch(std::size_t samples, int workers, std::size_t batch) {
  require<config_error>(workers >= 1 && batch >= 1,
                        "an epoch needs at least 1 worker and batches of at least 1 sample");
  const std::uint64_t steps = samples / static_cast<std::size_t>(workers) / batch;
  require<config_error>(steps > 0, "an epoch would have no step: ", samples, " samples for ", workers,
                        " workers are fewer than a batch of ", batch, " each");
  return steps;
}

/// What `measured` compressors have counted: sums over messages v.
struct compression_sums {
  double messages = 0.0;
  double input = 0.0;  ///< ||v||^2
  double lost = 0.0;   ///< ||v - C(v)||^2

  compression_sums& operator+=(const compression_sums& other) {
    messages += other.messages;
    input += other.input;
    lost += other.lost;
    return *this;
  }
  [[nodiscard]] compression_sums operator-(const compression_sums& other) const {
    return {messages - other.messages, input - other.input, lost - other.lost};
  }
  /// The compression error as a share of what was compressed; NaN where nothing was.
  [[nodiscard]] double relative() const { return std::sqrt(lost / input); }
  /// The length of a message's error, in the mean of squares; NaN where there was no message.
  [[nodiscard]] double length() const { return std::sqrt(lost / messages); }
};

/// What a run measures at the end of an epoch. The same on all workers.
struct evaluation {
  std::uint64_t epoch = 0;            ///< epochs done
  std::uint64_t step = 0;             ///< local steps done
  std::uint64_t round = 0;            ///< communications done
  double train_loss = 0.0;            ///< mean loss of the minibatches of this epoch, before each step; all workers
  double loss = 0.0;                  ///< of the averaged model (or what the mixing rule names) on the test samples
  double accuracy_mean_model = 0.0;   ///< of the averaged model
  double accuracy_worker_mean = 0.0;  ///< of the workers' own models
  double accuracy_worker_min = 0.0;
  double consensus_distance = 0.0;
  double valley_width = 0.0;
  double mean_direction = 0.0;         ///< length of the mean unit direction of the gaps
  double parameter_norm = 0.0;         ///< of the averaged model
  double bytes_sent_per_worker = 0.0;  ///< mean over the workers, since the start of the run
  double bytes_sent_per_worker_max = 0.0;
  double seconds = 0.0;                 ///< of training, without evaluation; the slowest worker's
  std::size_t worker_test_samples = 0;  ///< that the workers' own models were tried on; the averaged one: all
  /// Of all workers since the evaluation before, in the mixing rule and of gradients; 0 where nothing is `measured`.
  compression_sums compression{}, compression_cross{};
};

namespace detail {

/// Every (size / count)-th of `size` samples; all of them for a count of 0.
[[nodiscard]] inline std::vector<std::size_t> spread_samples(std::size_t size, std::size_t count) {
  std::vector<std::size_t> samples(count == 0 ? size : std::min(count, size));
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = i * size / samples.size();
  return samples;
}

}  // namespace detail
}  // namespace polder
