// polder — logistic regression: the smallest model that learns from real data.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/random.hpp"

namespace polder {

/// Which samples a step of `logistic` looks at.
struct logistic_options {
  std::size_t batch = 0;     ///< samples per step; 0, the default, takes all of them at every step
  std::uint64_t seed = 0;    ///< of the shuffle
  std::uint32_t worker = 0;  ///< its rank, so that workers shuffle differently
};

/// Binary logistic regression on the samples of one worker:
///
///     f(w, b) = (1/B) sum_k log(1 + exp(-y_k (w . a_k + b))),      y_k = +1 for the label 1, -1 for the label 0
///
/// over the B samples of the step's minibatch. The parameters are the d weights and then the bias: x = (w, b).
/// Every epoch has floor(samples / batch) steps (an incomplete last batch is dropped) and reshuffles; the minibatch is a
/// function of the step, seed and worker alone. L2 regularization is the update rule weight_decay, not part of the loss.
///
/// State: the samples and one index for each. Cost: two passes over the minibatch's B d features; no allocation.
/// Errors: config_error for sizes that do not fit and labels other than 0 and 1; data_error for a feature that is not
/// finite.
template <std::floating_point T = float>
class logistic {
 public:
  /// features: (samples, d), row-major; labels: one for each sample, 0 or 1.
  logistic(std::vector<T> features, std::vector<int> labels, logistic_options options = {})
      : features_(std::move(features)), labels_(std::move(labels)), options_(options), order_(labels_.size()) {
    const std::size_t samples = labels_.size();
    require<config_error>(samples > 0 && features_.size() >= samples && features_.size() % samples == 0,
                          "logistic: ", features_.size(), " features for ", samples,
                          " labels: give the same number (at least 1) for each label");
    if (options_.batch == 0) options_.batch = samples;
    require<config_error>(options_.batch <= samples, "logistic: a batch of ", options_.batch, " from ", samples,
                          " samples: an epoch would have no step; take a smaller batch");
    for (std::size_t k = 0; k < samples; ++k) {
      require<config_error>(labels_[k] == 0 || labels_[k] == 1, "logistic: the label of sample ", k, " is ", labels_[k],
                            " but must be 0 or 1");
    }
    for (std::size_t k = 0; k < features_.size(); ++k) {
      require<data_error>(std::isfinite(features_[k]), "logistic: feature ", k % dimension(), " of sample ",
                          k / dimension(), " is ", features_[k], " but must be finite");
    }
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    if (options_.batch < samples) shuffle(0);
  }

  /// The number of features of a sample.
  [[nodiscard]] std::size_t dimension() const { return features_.size() / labels_.size(); }
  /// The number of parameters: the weights and the bias.
  [[nodiscard]] std::size_t size() const { return dimension() + 1; }
  [[nodiscard]] std::uint64_t steps_per_epoch() const { return labels_.size() / options_.batch; }
  [[nodiscard]] polder::layout layout() const {
    polder::layout tensors;
    tensors.add("weight", {dimension()});
    tensors.add("bias", {1});
    return tensors;
  }

  void select_batch(std::uint64_t step) {
    if (options_.batch == labels_.size()) return;
    const std::uint64_t epoch = step / steps_per_epoch();
    if (epoch != epoch_) shuffle(epoch);
    first_ = static_cast<std::size_t>(step % steps_per_epoch()) * options_.batch;
  }

  double loss_and_gradient(std::span<const T> x, std::span<T> g) const {
    require<config_error>(x.size() == size() && g.size() == size(), "logistic: ", x.size(), " parameters and ",
                          g.size(), " gradients, but ", dimension(), " features have ", size());
    std::fill(g.begin(), g.end(), T{0});
    const double share = 1.0 / static_cast<double>(options_.batch);
    double loss = 0.0;
    for (const std::size_t sample : std::span(order_).subspan(first_, options_.batch)) {
      const double y = labels_[sample] == 1 ? 1.0 : -1.0;
      const double margin = y * score(sample, x);
      const double e = std::exp(-std::abs(margin));  // never overflows
      loss += share * (std::max(-margin, 0.0) + std::log1p(e));
      const double wrong = (margin > 0.0 ? e : 1.0) / (1.0 + e);  // the probability given to the other label
      const T slope = static_cast<T>(-share * y * wrong);
      const T* const a = features_.data() + sample * dimension();
      for (std::size_t i = 0; i < dimension(); ++i) g[i] += slope * a[i];
      g[dimension()] += slope;
    }
    return loss;
  }

  /// The share of all samples (not of the minibatch) whose label has the greater probability.
  [[nodiscard]] double accuracy(std::span<const T> x) const {
    std::size_t correct = 0;
    for (std::size_t sample = 0; sample < labels_.size(); ++sample) {
      correct += (score(sample, x) > 0.0) == (labels_[sample] == 1) ? 1u : 0u;
    }
    return static_cast<double>(correct) / static_cast<double>(labels_.size());
  }

 private:
  [[nodiscard]] double score(std::size_t sample, std::span<const T> x) const {
    const T* const a = features_.data() + sample * dimension();
    double sum = static_cast<double>(x[dimension()]);
    for (std::size_t i = 0; i < dimension(); ++i) sum += static_cast<double>(x[i]) * static_cast<double>(a[i]);
    return sum;
  }
  /// The order of the samples in an epoch: Fisher and Yates from the identity, so that it depends on nothing before it.
  void shuffle(std::uint64_t epoch) {
    epoch_ = epoch;
    random_stream random({options_.seed, purpose::shuffle, epoch, options_.worker});
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    for (std::size_t k = order_.size(); k > 1; --k) {
      std::swap(order_[k - 1], order_[static_cast<std::size_t>(random.below(k))]);
    }
  }

  std::vector<T> features_;  // (samples, d)
  std::vector<int> labels_;  // (samples)
  logistic_options options_;
  std::vector<std::size_t> order_;  // (samples) of this epoch
  std::uint64_t epoch_ = 0;
  std::size_t first_ = 0;  // of this step's minibatch in order_
};

}  // namespace polder
