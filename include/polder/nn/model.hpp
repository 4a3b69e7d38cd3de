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
#include "polder/core/random.hpp"
#include "polder/nn/composition.hpp"
#include "polder/nn/cross_entropy.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/workspace.hpp"

namespace polder::nn {

/// Sums over images, so that batches of unequal size weigh as they should: add them up, then take the means.
struct evaluation {
  double loss_sum = 0;
  std::size_t correct = 0;
  std::size_t images = 0;

  [[nodiscard]] double loss() const { return loss_sum / static_cast<double>(images); }
  [[nodiscard]] double accuracy() const { return static_cast<double>(correct) / static_cast<double>(images); }
  evaluation& operator+=(const evaluation& other) {
    loss_sum += other.loss_sum;
    correct += other.correct;
    images += other.images;
    return *this;
  }
};

/// What a model takes besides its network.
struct model_options {
  double label_smoothing = 0;   ///< epsilon in [0, 1), of the training loss only
  std::size_t concurrency = 0;  ///< evaluations at a time, each with its own workspace; 0: the number of processors
};

template <class T, matrix_backend B, std::integral Label>
class batch_objective;

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

  /// The first parameters: each tensor from its layer's distribution, as a function of the seed and the tensor's place
  /// in the layout alone.
  void initialize(std::span<T> x, std::uint64_t seed) const {
    check_parameters(x.size());
    const auto& tensors = layout().tensors();
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      const initial_values first = self_->names.initial()[t];
      const std::span<T> values = x.subspan(tensors[t].offset, tensors[t].size());
      random_stream random({.seed = seed, .purpose = purpose::initialization, .step = t});
      for (T& value : values) {
        value = static_cast<T>(first.deviation == 0 ? first.mean : first.mean + first.deviation * random.normal());
      }
    }
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
    check_parameters(g.size());
    const std::size_t count = count_of(x, images);
    check_labels(count, labels);
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
    const std::size_t count = count_of(x, images);
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
    const std::size_t count = count_of(x, images);
    require<config_error>(labels.size() == count, "predict: ", count, " images give as many labels, not ",
                          labels.size());
    const auto lease = self_->pool.borrow();
    for_chunks(x, images, *lease, [&](const pass<T>& p, std::size_t first, const T*, const T* z, T*, T*) {
      for (std::size_t i = 0; i < p.images; ++i) labels[first + i] = static_cast<Label>(best(z + i * classes()));
    });
  }

  /// The model on one minibatch: an objective. Images and labels stay the caller's and must outlive it.
  template <std::integral Label>
  [[nodiscard]] batch_objective<T, B, Label> on(std::span<const T> images, std::span<const Label> labels) const;

  /// Workspaces for the calls above; shared by the model's copies.
  [[nodiscard]] workspace_pool<T>& workspaces() const { return self_->pool; }

 private:
  /// Activations of a chunk take at most this many bytes (or one image does). A constant, as results depend on it in
  /// the last bits; larger chunks fall out of the caches, smaller ones spend more time on weights.
  static constexpr std::size_t chunk_bytes = std::size_t{4} << 20;
  static constexpr std::size_t most_images = 256;

  struct product final : matrix_product<T> {
    explicit product(B b) : backend(std::move(b)) {}
    void operator()(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a,
                    std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const override {
      backend.gemm(ta, tb, m, n, k, T{1}, a, lda, b, ldb, beta, c, ldc);
    }
    B backend;
  };

  struct body {
    body(const sequential& layers, shape in, std::size_t labels, B backend, model_options chosen)
        : input(in),
          classes(labels),
          options(chosen),
          gemm(std::move(backend)),
          network(checked(layers, in, labels, chosen).template bind<T>(names, in)),
          per_image(network->saved() + 2 * detail::padded(classes)),
          chunk(std::clamp<std::size_t>(chunk_bytes / (per_image * sizeof(T)), 1, most_images)),
          workspace_size(chunk * per_image + network->scratch(chunk)),
          pool(workspace_size, options.concurrency) {}

    shape input;
    std::size_t classes;
    model_options options;
    product gemm;
    binder names;
    std::unique_ptr<operation<T>> network;
    std::size_t per_image;  // numbers kept: state of the network, scores, their gradient
    std::size_t chunk;      // images at most
    std::size_t workspace_size;
    mutable workspace_pool<T> pool;
  };

  static const sequential& checked(const sequential& network, shape input, std::size_t classes,
                                   const model_options& options) {
    require<config_error>(input.size() != 0, "model: an input of ", to_string(input), " has no numbers");
    require<config_error>(options.label_smoothing >= 0 && options.label_smoothing < 1, "model: label_smoothing ",
                          options.label_smoothing, " must be at least 0 and below 1");
    const shape output = network.output(input);
    require<config_error>(output == shape{classes, 1, 1}, "model: the network gives ", to_string(output),
                          " for an input of ", to_string(input), ", not one score for each of ", classes,
                          " classes: end it with dense{.units = ", classes, "}");
    return network;
  }

  void check_parameters(std::size_t count) const {
    require<config_error>(count == size(), "model: a vector of ", count, " numbers was given where the model has ",
                          size(), " parameters");
  }
  std::size_t count_of(std::span<const T> x, std::span<const T> images) const {
    check_parameters(x.size());
    require<config_error>(!images.empty() && images.size() % input().size() == 0, "model: ", images.size(),
                          " numbers are not a batch of images of ", to_string(input()), " = ", input().size(),
                          " numbers each");
    return images.size() / input().size();
  }
  template <class Label>
  void check_labels(std::size_t count, std::span<const Label> labels) const {
    require<config_error>(labels.size() == count, "model: ", labels.size(), " labels for ", count, " images");
    for (std::size_t i = 0; i < count; ++i) {
      require<data_error>(std::cmp_greater_equal(labels[i], 0) && std::cmp_less(labels[i], classes()), "model: label ",
                          +labels[i], " of image ", i, " is not one of 0 to ", classes() - 1);
    }
  }
  std::size_t best(const T* z) const { return static_cast<std::size_t>(std::max_element(z, z + classes()) - z); }

  template <class Label>
  evaluation evaluate(std::span<const T> x, std::span<const T> images, std::span<const Label> labels,
                      double smoothing) const {
    evaluation result{.images = count_of(x, images)};
    check_labels(result.images, labels);
    const auto lease = self_->pool.borrow();
    for_chunks(x, images, *lease, [&](const pass<T>& p, std::size_t first, const T*, const T* z, T*, T*) {
      for (std::size_t i = 0; i < p.images; ++i) {
        const auto label = static_cast<std::size_t>(labels[first + i]);
        const T* const scores = z + i * classes();
        result.loss_sum += softmax_cross_entropy<T>(classes(), scores, label, smoothing, 1.0, nullptr);
        result.correct += best(scores) == label ? 1 : 0;
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
    const std::size_t count = images.size() / self.input.size();
    const std::size_t chunks = (count + self.chunk - 1) / self.chunk;
    for (std::size_t c = 0; c < chunks; ++c) {
      const std::size_t first = count * c / chunks;
      pass<T> p{.images = count * (c + 1) / chunks - first, .parameters = x.data(), .product = &self.gemm};
      T* const z = space.data();
      T* const dz = z + p.images * detail::padded(self.classes);
      T* const saved = dz + p.images * detail::padded(self.classes);
      p.scratch = saved + p.images * self.network->saved();
      const T* const chunk = images.data() + first * self.input.size();
      self.network->forward(p, chunk, z, saved);
      use(p, first, chunk, z, dz, saved);
    }
  }

  std::shared_ptr<const body> self_;
};

template <class T, matrix_backend B>
model<T, B>::model(const sequential& network, shape input, std::size_t classes, B backend, model_options options)
    : self_(std::make_shared<const body>(network, input, classes, std::move(backend), options)) {}

/// A model on one minibatch: a function of the flat parameter vector, as gradient rules want it.
template <class T, matrix_backend B, std::integral Label>
class batch_objective {
 public:
  batch_objective(nn::model<T, B> model, std::span<const T> images, std::span<const Label> labels)
      : model_(std::move(model)), images_(images), labels_(labels) {}

  [[nodiscard]] const polder::layout& layout() const { return model_.layout(); }
  double loss_and_gradient(std::span<const T> x, std::span<T> g) const {
    return model_.loss_and_gradient(x, images_, labels_, g);
  }
  [[nodiscard]] double loss(std::span<const T> x) const { return model_.loss(x, images_, labels_); }

 private:
  nn::model<T, B> model_;
  std::span<const T> images_;
  std::span<const Label> labels_;
};

template <class T, matrix_backend B>
template <std::integral Label>
batch_objective<T, B, Label> model<T, B>::on(std::span<const T> images, std::span<const Label> labels) const {
  return {*this, images, labels};
}

}  // namespace polder::nn
