// polder — curvature: the Hessian of an objective as an operator, a product at a time.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/objective/objective.hpp"

namespace polder::sharpness {

/// symmetric_operator — obligations of an operator `h` over vectors of `h.size()` doubles:
///
///  1. `h.multiply(v, hv)` overwrites hv with H v for a symmetric matrix H that stays the same.
///
/// What measures curvature (largest_eigenvalues, trace, spectral_density) needs nothing else: not where H comes from.
template <class H>
concept symmetric_operator = requires(H h, std::span<const double> v, std::span<double> hv) {
  { h.size() } -> std::convertible_to<std::size_t>;
  h.multiply(v, hv);
};

namespace detail {

inline double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
inline double norm(std::span<const double> a) { return std::sqrt(dot(a, a)); }
/// a += factor b
inline void add(std::span<double> a, double factor, std::span<const double> b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
}
inline void scale(std::span<double> a, double factor) {
  for (double& number : a) number *= factor;
}
inline void require_sizes(std::size_t v, std::size_t hv, std::size_t n) {
  require<config_error>(v == n && hv == n, "hessian: a product of ", v, " numbers into ", hv, " with a matrix for ", n);
}

}  // namespace detail

/// An objective that gives products with its own Hessian: `f.hessian_product(x, v, hv)`.
template <class F, class T>
concept has_hessian_product =
    requires(const F f, std::span<const T> x, std::span<const T> v, std::span<T> hv) { f.hessian_product(x, v, hv); };

/// An objective that gives its loss without the gradient, for about a third of the cost: `f.loss(x)`.
template <class F, class T>
concept has_loss = requires(const F f, std::span<const T> x) {
  { f.loss(x) } -> std::convertible_to<double>;
};

/// The Hessian of an objective at a point, by central differences of its gradient, for any objective at all:
///
///     H v ~ (g(x + h v) - g(x - h v)) / (2 h),      h = step (1 + ||x||) / ||v||
///
/// Parameters: step > 0, the length of the probe relative to the point; default the cube root of the rounding error of T
/// (6.1e-6 for double, 4.9e-3 for float), where the error of the difference, O(h^2), and that of rounding, O(epsilon / h),
/// are of one order. On a quadratic the result is exact up to rounding.
/// The objective must be a pure function of x: one minibatch, or all samples.
///
/// Memory: 2 n numbers of T. Cost of a product: 2 evaluations. No allocation in `multiply`.
/// Errors: config_error for sizes that do not fit or a step <= 0; non_finite_error if a gradient is not finite.
template <class F, class T>
class difference_hessian {
 public:
  difference_hessian(const F& f, std::span<const T> x,
                     double step = std::cbrt(double{std::numeric_limits<T>::epsilon()}))
      : f_(&f), x_(x.begin(), x.end()), point_(x.size()), gradient_(x.size()) {
    static_assert(objective<F, host_space, T>,
                  "a Hessian by differences needs an objective on the host: "
                  "`loss_and_gradient(std::span<const T> x, std::span<T> g) const`");
    require<config_error>(step > 0.0 && std::isfinite(step), "difference_hessian: step is ", step,
                          " but must be a finite number > 0");
    double squares = 0.0;
    for (const T number : x_) squares += static_cast<double>(number) * static_cast<double>(number);
    require<non_finite_error>(std::isfinite(squares), "difference_hessian: the point is not finite");
    length_ = step * (1.0 + std::sqrt(squares));
  }

  [[nodiscard]] std::size_t size() const { return x_.size(); }
  void multiply(std::span<const double> v, std::span<double> hv) {
    detail::require_sizes(v.size(), hv.size(), size());
    const double norm = detail::norm(v);
    for (double& number : hv) number = 0.0;
    if (norm == 0.0) return;
    const double h = length_ / norm;
    for (const double side : {1.0, -1.0}) {
      for (std::size_t i = 0; i < v.size(); ++i) {
        point_[i] = static_cast<T>(static_cast<double>(x_[i]) + side * h * v[i]);
      }
      (void)f_->loss_and_gradient(std::span<const T>(point_), std::span<T>(gradient_));
      for (std::size_t i = 0; i < v.size(); ++i) hv[i] += side * static_cast<double>(gradient_[i]) / (2.0 * h);
    }
    require<non_finite_error>(std::isfinite(detail::norm(hv)),
                              "difference_hessian: the gradient beside the point is not finite");
  }

 private:
  const F* f_;
  std::vector<T> x_, point_, gradient_;
  double length_ = 0.0;
};

/// The Hessian of an objective that knows its own products, exact up to rounding.
///
/// Memory: 3 n numbers of T. Cost of a product: what the objective takes for it. Errors: as difference_hessian.
template <class F, class T>
class exact_hessian {
 public:
  exact_hessian(const F& f, std::span<const T> x)
      : f_(&f), x_(x.begin(), x.end()), direction_(x.size()), product_(x.size()) {}

  [[nodiscard]] std::size_t size() const { return x_.size(); }
  void multiply(std::span<const double> v, std::span<double> hv) {
    detail::require_sizes(v.size(), hv.size(), size());
    for (std::size_t i = 0; i < v.size(); ++i) direction_[i] = static_cast<T>(v[i]);
    f_->hessian_product(std::span<const T>(x_), std::span<const T>(direction_), std::span<T>(product_));
    for (std::size_t i = 0; i < v.size(); ++i) hv[i] = static_cast<double>(product_[i]);
    require<non_finite_error>(std::isfinite(detail::norm(hv)), "exact_hessian: the product is not finite");
  }

 private:
  const F* f_;
  std::vector<T> x_, direction_, product_;
};

/// The Hessian of `f` at `x`: exact where the objective has `hessian_product`, else by central differences.
template <class F, class T>
[[nodiscard]] auto hessian_at(const F& f, std::span<const T> x) {
  if constexpr (has_hessian_product<F, T>) {
    return exact_hessian<F, T>(f, x);
  } else {
    return difference_hessian<F, T>(f, x);
  }
}

}  // namespace polder::sharpness
