// polder — a network bound to its input, with the memory that it works in: what a model and its Hessian share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "polder/core/error.hpp"
#include "polder/nn/classifier.hpp"
#include "polder/nn/linearization.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/sequential.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/workspace.hpp"

namespace polder::nn {

/// What a model takes besides its network.
struct model_options {
  double label_smoothing = 0;   ///< epsilon in [0, 1), of the training loss only
  std::size_t concurrency = 0;  ///< evaluations at a time, each with its own workspace; 0: the number of processors
};

namespace detail {

/// Immutable but for the pools.
template <class T, class B>
class bound_network {
 public:
  bound_network(const sequential& layers, shape in, std::size_t labels, B backend, model_options chosen)
      : input(in),
        classes(labels),
        options(chosen),
        gemm(std::move(backend)),
        network(checked(layers, in, labels, chosen).template bind<T>(names, in)),
        per_image(network->saved() + 2 * padded(classes)),
        chunk(chunk_of(per_image)),
        workspace_size(chunk * per_image + network->scratch(chunk)),
        linearized(*network, classes),
        curved_chunk(chunk_of(linearized.fixed() + linearized.moving())),
        pool(workspace_size, options.concurrency),
        curved_pool(curved_chunk * (linearized.fixed() + linearized.moving()) + linearized.scratch(curved_chunk),
                    options.concurrency) {}

  void check_parameters(std::size_t count) const { detail::check_parameters("model", count, size()); }
  [[nodiscard]] std::size_t count_of(std::span<const T> x, std::span<const T> images) const {
    check_parameters(x.size());
    return images_in("model", images.size(), input);
  }
  template <class Label>
  void check_labels(std::size_t count, std::span<const Label> labels) const {
    require<config_error>(labels.size() == count, "model: ", labels.size(), " labels for ", count, " images");
    for (std::size_t i = 0; i < count; ++i) {
      require<data_error>(std::cmp_greater_equal(labels[i], 0) && std::cmp_less(labels[i], classes), "model: label ",
                          +labels[i], " of image ", i, " is not one of 0 to ", classes - 1);
    }
  }
  [[nodiscard]] std::size_t size() const { return names.layout().size(); }

  /// Calls `use(pass, first image)` for equal chunks of at most `most` of `count` images.
  template <class Use>
  void for_parts(std::size_t count, std::size_t most, const T* x, const Use& use) const {
    const std::size_t parts = (count + most - 1) / most;
    for (std::size_t c = 0; c < parts; ++c) {
      const std::size_t first = count * c / parts;
      use(pass<T>{.images = count * (c + 1) / parts - first, .parameters = x, .product = &gemm}, first);
    }
  }

 private:
  /// Activations of a chunk take at most this many bytes (or one image does). A constant, as results depend on it in
  /// the last bits; larger chunks fall out of the caches, smaller ones spend more time on weights.
  static constexpr std::size_t chunk_bytes = std::size_t{4} << 20;
  static constexpr std::size_t most_images = 256;

  static std::size_t chunk_of(std::size_t numbers_per_image) {
    return std::clamp<std::size_t>(chunk_bytes / (numbers_per_image * sizeof(T)), 1, most_images);
  }
  static const sequential& checked(const sequential& network, shape input, std::size_t classes,
                                   const model_options& options) {
    check_classifier("model", network, input, classes, options.label_smoothing);
    return network;
  }

  struct product final : matrix_product<T> {
    explicit product(B b) : backend(std::move(b)) {}
    void operator()(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a,
                    std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const override {
      backend.gemm(ta, tb, m, n, k, T{1}, a, lda, b, ldb, beta, c, ldc);
    }
    B backend;
  };

 public:
  shape input;
  std::size_t classes;
  model_options options;
  product gemm;
  binder names;
  std::unique_ptr<operation<T>> network;
  std::size_t per_image;  // numbers kept: state of the network, scores, their gradient
  std::size_t chunk;      // images at most
  std::size_t workspace_size;
  linearization<T> linearized;
  std::size_t curved_chunk;  // images at most in a Hessian product
  mutable workspace_pool<T> pool, curved_pool;
};

}  // namespace detail

}  // namespace polder::nn
