// polder — the Hessian of a model on a batch, for many products at one point.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/backend/host_memory.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/nn/bound_network.hpp"
#include "polder/nn/operation.hpp"

namespace polder::nn {

/// H at a point x of the mean loss over a batch, exact up to rounding, with the forward and the backward pass of the
/// whole batch kept: the operator that eigenvalues, trace and spectral density of one point are made from (a
/// `sharpness::symmetric_operator`).
///
/// Cost: one gradient evaluation to make it, then about 2 a product (8/3 without what is kept). Memory: x, and for each
/// image about twice its activations; for batches that do not fit, `hessian_product` keeps nothing. No allocation in
/// products once each workspace of the model has been used. `multiply` takes turns; `product` may be called by any
/// number of threads.
/// Errors: config_error for sizes that do not fit, non_finite_error if a product of `multiply` is not finite.
template <class T, matrix_backend B>
class kept_hessian {
 public:
  template <std::integral Label>
  kept_hessian(std::shared_ptr<const detail::bound_network<T, B>> network, std::span<const T> x,
               std::span<const T> images, std::span<const Label> labels)
      : network_(std::move(network)),
        count_(network_->count_of(x, images)),
        images_(images),
        x_(x.begin(), x.end()),
        fixed_(count_ * network_->linearized.fixed()) {
    network_->check_labels(count_, labels);
    if constexpr (!std::is_same_v<T, double>) {
      direction_.resize(size());
      product_.resize(size());
    }
    for_chunks([&](pass<T> p, std::size_t first, const T* chunk, T* fixed, T*) {
      network_->linearized.prepare(p, chunk, labels.data() + first, network_->options.label_smoothing, scale(), fixed);
    });
  }

  [[nodiscard]] std::size_t size() const { return x_.size(); }

  /// hv = H v
  void product(std::span<const T> v, std::span<T> hv) const {
    network_->check_parameters(v.size());
    network_->check_parameters(hv.size());
    for_chunks([&](pass<T> p, std::size_t first, const T* chunk, T* fixed, T* moving) {
      p.direction = v.data();
      p.gradient = hv.data();
      p.overwrite = first == 0;
      network_->linearized.multiply(p, chunk, scale(), fixed, moving);
    });
  }

  /// hv = H v in double, computed in T.
  void multiply(std::span<const double> v, std::span<double> hv) {
    if constexpr (std::is_same_v<T, double>) {
      product(v, hv);
    } else {
      network_->check_parameters(v.size());
      network_->check_parameters(hv.size());
      for (std::size_t i = 0; i < v.size(); ++i) direction_[i] = static_cast<T>(v[i]);
      product(std::span<const T>(direction_), std::span<T>(product_));
      for (std::size_t i = 0; i < v.size(); ++i) hv[i] = static_cast<double>(product_[i]);
    }
    double sum = 0.0;
    for (const double number : hv) sum += number;
    require<non_finite_error>(std::isfinite(sum), "kept_hessian: the product is not finite");
  }

 private:
  [[nodiscard]] double scale() const { return 1.0 / static_cast<double>(count_); }

  template <class Use>
  void for_chunks(const Use& use) const {
    const detail::bound_network<T, B>& self = *network_;
    const auto lease = self.curved_pool.borrow();
    self.for_parts(count_, self.curved_chunk, x_.data(), [&](pass<T> p, std::size_t first) {
      T* const moving = (*lease).data();
      p.scratch = moving + p.images * self.linearized.moving();
      use(p, first, images_.data() + first * self.input.size(), fixed_.data() + first * self.linearized.fixed(),
          moving);
    });
  }

  std::shared_ptr<const detail::bound_network<T, B>> network_;
  std::size_t count_;
  std::span<const T> images_;
  std::vector<T> x_, direction_, product_;
  mutable host_buffer<T> fixed_;  // written by the constructor alone
};

}  // namespace polder::nn
