// A layer at work by itself, for the tests of one layer at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/core/random.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/sequential.hpp"

namespace test {

template <class T>
std::vector<T> random_vector(std::size_t n, std::uint64_t seed, double scale = 1.0) {
  std::vector<T> values(n);
  polder::random_stream random({.seed = seed});
  for (T& value : values) value = static_cast<T>(scale * random.normal());
  return values;
}

template <class T>
struct reference_product final : polder::nn::matrix_product<T> {
  void operator()(polder::transpose ta, polder::transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a,
                  std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const override {
    polder::reference_backend{}.gemm(ta, tb, m, n, k, T{1}, a, lda, b, ldb, beta, c, ldc);
  }
};

/// Layers bound to an input shape, with memory of their own. Memory starts as not-a-number: who reads what was never
/// written is found out.
template <class T>
class bound_layer {
 public:
  bound_layer(const polder::nn::sequential& layers, polder::nn::shape in, std::size_t most_images)
      : in_(in), out_(layers.output(in)), work_(layers.bind<T>(names_, in)), most_images_(most_images) {}

  [[nodiscard]] const polder::layout& layout() const { return names_.layout(); }
  [[nodiscard]] polder::nn::shape output() const { return out_; }

  std::vector<T> forward(const std::vector<T>& parameters, const std::vector<T>& x) {
    const std::size_t images = x.size() / in_.size();
    saved_.assign(most_images_ * work_->saved(), not_a_number());
    std::vector<T> y(images * out_.size(), not_a_number());
    work_->forward(pass(images, parameters), x.data(), y.data(), saved_.data());
    return y;
  }

  /// After forward: y' along (parameters', x'), and the derivative of the gradients that backward gives for dy along it
  /// and dy'. A null x' is zero, and dx' is not made then, as at the input of a network.
  struct tangents {
    std::vector<T> y, g, dx;
  };
  template <class Dy, class DySlope>
  tangents differentiate(const std::vector<T>& parameters, const std::vector<T>& direction, const std::vector<T>& x,
                         const std::vector<T>* x_slope, const Dy& dy_of, const DySlope& dy_slope_of) {
    const std::vector<T> y = forward(parameters, x);
    const std::vector<T> dy = dy_of(y);
    kept_.assign(most_images_ * work_->kept(), not_a_number());
    std::vector<T> dx(x.size(), not_a_number());
    auto p = pass(x.size() / in_.size(), parameters);
    p.kept = kept_.data();
    work_->backward(p, x.data(), y.data(), dy.data(), x_slope == nullptr ? nullptr : dx.data(), saved_.data());

    tangents found{std::vector<T>(y.size(), not_a_number()), std::vector<T>(parameters.size(), not_a_number()),
                   std::vector<T>(x.size(), not_a_number())};
    std::vector<T> saved_slope(saved_.size(), not_a_number());
    p.direction = direction.data();
    p.gradient = found.g.data();
    const polder::nn::tangent<T> in{x.data(), x_slope == nullptr ? nullptr : x_slope->data()};
    scratch_.assign(work_->tangent_scratch(p.images), not_a_number());
    p.scratch = scratch_.data();
    work_->tangent_forward(p, in, y.data(), found.y.data(), saved_.data(), saved_slope.data());
    const std::vector<T> dy_slope = dy_slope_of(found.y);
    scratch_.assign(work_->tangent_scratch(p.images), not_a_number());
    work_->tangent_backward(p, in, {y.data(), found.y.data()}, {dy.data(), dy_slope.data()},
                            x_slope == nullptr ? nullptr : found.dx.data(), {saved_.data(), saved_slope.data()});
    return found;
  }

  /// After forward: the gradients of the sum of dy_i y_i.
  void backward(const std::vector<T>& parameters, const std::vector<T>& x, const std::vector<T>& y,
                const std::vector<T>& dy, std::vector<T>& g, std::vector<T>* dx, bool overwrite = true) {
    auto p = pass(x.size() / in_.size(), parameters);
    p.gradient = g.data();
    p.overwrite = overwrite;
    if (dx != nullptr) dx->assign(x.size(), not_a_number());
    work_->backward(p, x.data(), y.data(), dy.data(), dx == nullptr ? nullptr : dx->data(), saved_.data());
  }

 private:
  static T not_a_number() { return std::numeric_limits<T>::quiet_NaN(); }

  polder::nn::pass<T> pass(std::size_t images, const std::vector<T>& parameters) {
    scratch_.assign(work_->scratch(images), not_a_number());
    return {.images = images, .parameters = parameters.data(), .product = &product_, .scratch = scratch_.data()};
  }

  reference_product<T> product_;
  polder::nn::binder names_;
  polder::nn::shape in_, out_;
  std::unique_ptr<polder::nn::operation<T>> work_;
  std::size_t most_images_;
  std::vector<T> saved_, scratch_, kept_;
};

}  // namespace test
