// polder — a network bound to its input: a classifier whose parameters are one flat vector.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/nn/batch_objective.hpp"
#include "polder/nn/bound_network.hpp"
#include "polder/nn/cross_entropy.hpp"
#include "polder/nn/evaluation.hpp"
#include "polder/nn/initialization.hpp"
#include "polder/nn/kept_hessian.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/sequential.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/workspace.hpp"

namespace polder::nn {

/// A classifier: network, input shape, number of classes. Parameters are not part of it: they are a flat vector of
/// `size()` numbers that belongs to the caller, described by `layout()`. A model never changes and may be used by any
/// number of threads at a time; copies share everything.
///
/// Images are contiguous rows of input().size() numbers, labels whole numbers below classes(). A batch may have any
/// size. It is worked off in chunks whose activations stay in the processor's caches, one thread, in a fixed order:
/// equal input gives equal bits, whichever workspace is used.
///
/// Cost: about three times the operations of the forward pass; two without gradient for the first layer's input.
/// Memory: `concurrency` workspaces of workspace_size() numbers. Nothing is allocated once each has been used, except
/// by the backend's matrix product, which only dense layers use for chunks of more than 64 images (networks without
/// convolutions).
/// Errors: config_error for shapes that do not fit, data_error for a label out of range.
template <class T, matrix_backend B>
class model {
  static_assert(
      std::is_same_v<typename B::space, host_space>,
      "polder::nn runs in host memory: use eigen_backend or reference_backend (or another backend whose space "
      "is host_space)");
  static_assert(std::is_floating_point_v<T>, "polder::nn computes in float or double");

 public:
  model(const sequential& network, shape input, std::size_t classes, B backend = {}, model_options options = {});

  [[nodiscard]] shape input() const { return self_->input; }
  [[nodiscard]] std::size_t classes() const { return self_->classes; }
  [[nodiscard]] const polder::layout& layout() const { return self_->names.layout(); }
  /// Of the flat parameter vector.
  [[nodiscard]] std::size_t size() const { return layout().size(); }
  [[nodiscard]] std::size_t workspace_size() const { return self_->workspace_size; }
  /// Of what a kept_hessian holds for each image of its batch.
  [[nodiscard]] std::size_t kept_size() const { return self_->linearized.fixed(); }

  /// The first parameters: each tensor from its layer's distribution, as a function of the seed and the tensor's place
  /// in the layout alone.
  void initialize(std::span<T> x, std::uint64_t seed) const {
    self_->check_parameters(x.size());
    draw_initial_values(self_->names, x, seed);
  }

  /// The mean loss over the batch, and its gradient into g.
  template <std::integral Label>
  double loss_and_gradient(std::span<const T> x, std::span<const T> images, std::span<const Label> labels,
                           std::span<T> g) const {
    const auto lease = self_->pool.borrow();
    return loss_and_gradient(x, images, labels, g, *lease);
  }
  /// The same in a workspace of the caller's, of at least workspace_size() numbers.
  template <std::integral Label>
  double loss_and_gradient(std::span<const T> x, std::span<const T> images, std::span<const Label> labels,
                           std::span<T> g, workspace<T>& space) const {
    self_->check_parameters(g.size());
    const std::size_t count = self_->count_of(x, images);
    self_->check_labels(count, labels);
    const double scale = 1.0 / static_cast<double>(count);
    double sum = 0;
    for_chunks(x, images, space, [&](pass<T> p, std::size_t first, const T* chunk, const T* z, T* dz, T* saved) {
      for (std::size_t i = 0; i < p.images; ++i) {
        sum += softmax_cross_entropy(classes(), z + i * classes(), static_cast<std::size_t>(labels[first + i]),
                                     self_->options.label_smoothing, scale, dz + i * classes());
      }
      p.gradient = g.data();
      p.overwrite = first == 0;
      self_->network->backward(p, chunk, z, dz, nullptr, saved);
    });
    return sum * scale;
  }

  /// The mean loss over the batch.
  template <std::integral Label>
  [[nodiscard]] double loss(std::span<const T> x, std::span<const T> images, std::span<const Label> labels) const {
    return evaluate(x, images, labels, self_->options.label_smoothing).loss();
  }

  /// Sums of cross-entropy (without label smoothing) and of correct answers.
  template <std::integral Label>
  [[nodiscard]] evaluation evaluate(std::span<const T> x, std::span<const T> images,
                                    std::span<const Label> labels) const {
    return evaluate(x, images, labels, 0.0);
  }

  /// The scores of each class, (images, classes).
  void logits(std::span<const T> x, std::span<const T> images, std::span<T> scores) const {
    const std::size_t count = self_->count_of(x, images);
    require<config_error>(scores.size() == count * classes(), "logits: ", count, " images give ", count * classes(),
                          " scores, not ", scores.size());
    const auto lease = self_->pool.borrow();
    for_chunks(x, images, *lease, [&](const pass<T>& p, std::size_t first, const T*, const T* z, T*, T*) {
      std::copy_n(z, p.images * classes(), scores.data() + first * classes());
    });
  }

  /// The most likely class of each image.
  template <std::integral Label>
  void predict(std::span<const T> x, std::span<const T> images, std::span<Label> labels) const {
    const std::size_t count = self_->count_of(x, images);
    require<config_error>(labels.size() == count, "predict: ", count, " images give as many labels, not ",
                          labels.size());
    const auto lease = self_->pool.borrow();
    for_chunks(x, images, *lease, [&](const pass<T>& p, std::size_t first, const T*, const T* z, T*, T*) {
      for (std::size_t i = 0; i < p.images; ++i)
        labels[first + i] = static_cast<Label>(best_class(classes(), z + i * classes()));
    });
  }

  /// hv = H v, with the Hessian of the mean loss over the batch at x; exact up to rounding: the derivative along v of the
  /// passes that make the gradient. A ReLU or a maximum counts as the linear function that it is around x.
  ///
  /// Cost: about 8/3 of a gradient evaluation, less where the first layer is large. Memory: workspaces of their own.
  template <std::integral Label>
  void hessian_product(std::span<const T> x, std::span<const T> images, std::span<const Label> labels,
                       std::span<const T> v, std::span<T> hv) const {
    const body& self = *self_;
    self.check_parameters(v.size());
    self.check_parameters(hv.size());
    const std::size_t count = self.count_of(x, images);
    self.check_labels(count, labels);
    const double scale = 1.0 / static_cast<double>(count);
    const auto lease = self.curved_pool.borrow();
    self.for_parts(count, self.curved_chunk, x.data(), [&](pass<T> p, std::size_t first) {
      T* const fixed = (*lease).data();
      T* const moving = fixed + p.images * self.linearized.fixed();
      const T* const chunk = images.data() + first * self.input.size();
      p.scratch = moving + p.images * self.linearized.moving();
      self.linearized.prepare(p, chunk, labels.data() + first, self.options.label_smoothing, scale, fixed);
      p.direction = v.data();
      p.gradient = hv.data();
      p.overwrite = first == 0;
      self.linearized.multiply(p, chunk, scale, fixed, moving);
    });
  }

  /// The scores of each class and their derivative where the parameters move along v, both (images, classes).
  /// Cost: about three forward passes.
  void scores_along(std::span<const T> x, std::span<const T> images, std::span<const T> v, std::span<T> scores,
                    std::span<T> slopes) const {
    const body& self = *self_;
    const std::size_t count = self.count_of(x, images);
    self.check_parameters(v.size());
    require<config_error>(scores.size() == count * classes() && slopes.size() == scores.size(), "scores_along: ", count,
                          " images give ", count * classes(), " scores, not ", scores.size(), ", and as many slopes");
    const auto lease = self.curved_pool.borrow();
    self.for_parts(count, self.curved_chunk, x.data(), [&](pass<T> p, std::size_t first) {
      T* const fixed = (*lease).data();
      T* const moving = fixed + p.images * self.linearized.fixed();
      p.scratch = moving + p.images * self.linearized.moving();
      p.direction = v.data();
      self.linearized.scores_along(p, images.data() + first * self.input.size(), fixed, moving,
                                   scores.data() + first * classes(), slopes.data() + first * classes());
    });
  }

  /// The Hessian of the mean loss over the batch at x for many products, see kept_hessian. The images stay the caller's
  /// and must outlive it.
  template <std::integral Label>
  [[nodiscard]] nn::kept_hessian<T, B> kept_hessian(std::span<const T> x, std::span<const T> images,
                                                    std::span<const Label> labels) const {
    return {self_, x, images, labels};
  }

  /// The model on one minibatch: an objective. Images and labels stay the caller's and must outlive it.
  template <std::integral Label>
  [[nodiscard]] batch_objective<T, B, Label> on(std::span<const T> images, std::span<const Label> labels) const;

  /// Workspaces for the calls above; shared by the model's copies.
  [[nodiscard]] workspace_pool<T>& workspaces() const { return self_->pool; }

 private:
  using body = detail::bound_network<T, B>;

  template <class Label>
  evaluation evaluate(std::span<const T> x, std::span<const T> images, std::span<const Label> labels,
                      double smoothing) const {
    evaluation result{.images = self_->count_of(x, images)};
    self_->check_labels(result.images, labels);
    const auto lease = self_->pool.borrow();
    for_chunks(x, images, *lease, [&](const pass<T>& p, std::size_t first, const T*, const T* z, T*, T*) {
      for (std::size_t i = 0; i < p.images; ++i) {
        const auto label = static_cast<std::size_t>(labels[first + i]);
        const T* const scores = z + i * classes();
        result.loss_sum += softmax_cross_entropy<T>(classes(), scores, label, smoothing, 1.0, nullptr);
        result.correct += best_class(classes(), scores) == label ? 1 : 0;
      }
    });
    return result;
  }

  /// Runs the network forward over equal chunks of the batch and calls `use(pass, first image, images of the chunk,
  /// scores, their gradient, the network's state)` after each.
  template <class Use>
  void for_chunks(std::span<const T> x, std::span<const T> images, workspace<T>& space, const Use& use) const {
    const body& self = *self_;
    require<config_error>(space.size() >= self.workspace_size, "model: a workspace of ", space.size(),
                          " numbers was given where ", self.workspace_size, " are needed: see workspace_size()");
    self.for_parts(images.size() / self.input.size(), self.chunk, x.data(), [&](pass<T> p, std::size_t first) {
      T* const z = space.data();
      T* const dz = z + p.images * detail::padded(self.classes);
      T* const saved = dz + p.images * detail::padded(self.classes);
      p.scratch = saved + p.images * self.network->saved();
      const T* const chunk = images.data() + first * self.input.size();
      self.network->forward(p, chunk, z, saved);
      use(p, first, chunk, z, dz, saved);
    });
  }

  std::shared_ptr<const body> self_;
};

template <class T, matrix_backend B>
model<T, B>::model(const sequential& network, shape input, std::size_t classes, B backend, model_options options)
    : self_(std::make_shared<const body>(network, input, classes, std::move(backend), options)) {}

template <class T, matrix_backend B>
template <std::integral Label>
batch_objective<T, B, Label> model<T, B>::on(std::span<const T> images, std::span<const Label> labels) const {
  return {*this, images, labels};
}

}  // namespace polder::nn
