// polder — a model on one minibatch: an objective.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/layout.hpp"
#include "polder/nn/kept_hessian.hpp"

namespace polder::nn {

template <class T, matrix_backend B>
class model;

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
  [[nodiscard]] std::size_t classes() const { return model_.classes(); }
  [[nodiscard]] std::size_t samples() const { return labels_.size(); }
  /// The scores of each class, and their derivative where the parameters move along v, both (samples, classes).
  void scores_along(std::span<const T> x, std::span<const T> v, std::span<T> scores, std::span<T> slopes) const {
    model_.scores_along(x, images_, v, scores, slopes);
  }
  /// hv = H v with the Hessian at x, exact up to rounding.
  void hessian_product(std::span<const T> x, std::span<const T> v, std::span<T> hv) const {
    model_.hessian_product(x, images_, labels_, v, hv);
  }
  /// The Hessian at x for many products.
  [[nodiscard]] nn::kept_hessian<T, B> kept_hessian(std::span<const T> x) const {
    return model_.kept_hessian(x, images_, labels_);
  }

 private:
  nn::model<T, B> model_;
  std::span<const T> images_;
  std::span<const Label> labels_;
};

}  // namespace polder::nn
