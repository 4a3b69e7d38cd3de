// polder — a network around one point, to first order: what products with the Hessian are made of.
#pragma once

#include <algorithm>
#include <cstddef>

#include "polder/nn/cross_entropy.hpp"
#include "polder/nn/operation.hpp"

namespace polder::nn::detail {

/// H v = d/dt of the gradient at x + t v, at t = 0: the backward pass differentiated along v. Four sweeps over the
/// network, of which the first two do not depend on v:
///
///   forward            z and every activation
///   backward           every activation's gradient (not the parameters')
///   tangent forward    their derivatives along v
///   tangent backward   the derivatives of the gradients, those of the parameters among them: H v
///
/// `fixed` numbers per image hold what the first two leave, `moving` the others'.
template <class T>
class linearization {
 public:
  linearization(const operation<T>& network, std::size_t classes)
      : network_(&network), classes_(classes), scores_(padded(classes)) {}

  [[nodiscard]] std::size_t fixed() const { return network_->saved() + network_->kept() + 2 * scores_; }
  [[nodiscard]] std::size_t moving() const { return network_->saved() + 2 * scores_; }
  [[nodiscard]] std::size_t scratch(std::size_t images) const {
    return std::max(network_->scratch(images), network_->tangent_scratch(images));
  }

  /// The sweeps that leave `fixed`; `scale` is 1 / images in the whole batch.
  template <class Label>
  void prepare(pass<T> p, const T* images, const Label* labels, double smoothing, double scale, T* fixed) const {
    const places at(*this, p.images, fixed);
    network_->forward(p, images, at.z, at.saved);
    for (std::size_t i = 0; i < p.images; ++i) {
      (void)softmax_cross_entropy(classes_, at.z + i * classes_, static_cast<std::size_t>(labels[i]), smoothing, scale,
                                  at.dz + i * classes_);
    }
    p.kept = at.saved + p.images * network_->saved();
    network_->backward(p, images, at.z, at.dz, nullptr, at.saved);
  }

  /// The scores and their derivative along p.direction, (images, classes).
  void scores_along(const pass<T>& p, const T* images, T* fixed, T* moving, T* scores, T* slopes) const {
    const places at(*this, p.images, fixed), slope(*this, p.images, moving);
    network_->forward(p, images, at.z, at.saved);
    network_->tangent_forward(p, {images, nullptr}, at.z, slope.z, at.saved, slope.saved);
    std::copy_n(at.z, p.images * classes_, scores);
    std::copy_n(slope.z, p.images * classes_, slopes);
  }

  /// The sweeps along p.direction, into p.gradient.
  void multiply(pass<T> p, const T* images, double scale, T* fixed, T* moving) const {
    const places at(*this, p.images, fixed), slope(*this, p.images, moving);
    network_->tangent_forward(p, {images, nullptr}, at.z, slope.z, at.saved, slope.saved);
    for (std::size_t i = 0; i < p.images; ++i) {
      softmax_cross_entropy_tangent(classes_, at.z + i * classes_, slope.z + i * classes_, scale,
                                    slope.dz + i * classes_);
    }
    p.kept = at.saved + p.images * network_->saved();
    network_->tangent_backward(p, {images, nullptr}, {at.z, slope.z}, {at.dz, slope.dz}, nullptr,
                               {at.saved, slope.saved});
  }

 private:
  struct places {
    T* z;
    T* dz;
    T* saved;
    places(const linearization& self, std::size_t images, T* begin)
        : z(begin), dz(z + images * self.scores_), saved(dz + images * self.scores_) {}
  };

  const operation<T>* network_;
  std::size_t classes_, scores_;
};

}  // namespace polder::nn::detail
