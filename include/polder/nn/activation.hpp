// polder — layers that work number by number: relu, flatten.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>

#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn {

namespace detail {

template <class T>
class rectifier final : public operation<T> {
 public:
  explicit rectifier(shape in) : size_(in.size()) {}
  bool in_place() const override { return true; }
  bool reads_output() const override { return true; }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    // Written so that not-a-number passes: it must reach the loss, where the run stops.
    for_vectors<T>(p.images * size_, [&](auto at) {
      const vec<T> v = at.get(x);
      at.put(y, v < T{0} ? vec<T>{} : v);
    });
  }
  void backward(const pass<T>& p, const T*, const T* y, const T* dy, T* dx, const T*) const override {
    if (dx == nullptr) return;
    select(p.images, y, dy, dx);
  }
  void tangent_forward(const pass<T>& p, tangent<T> x, const T* y, T* y_slope, const T*, T*) const override {
    select(p.images, y, x.slope, y_slope);
  }
  void tangent_backward(const pass<T>& p, tangent<T>, tangent<T> y, tangent<T> dy, T* dx_slope,
                        tangent<T>) const override {
    if (dx_slope != nullptr) select(p.images, y.value, dy.slope, dx_slope);
  }

 private:
  /// to = from where y > 0, else 0
  void select(std::size_t images, const T* y, const T* from, T* to) const {
    for_vectors<T>(images * size_, [&](auto at) { at.put(to, at.get(y) > T{0} ? at.get(from) : vec<T>{}); });
  }

  std::size_t size_;
};

template <class T>
class same_numbers final : public operation<T> {
 public:
  explicit same_numbers(shape in) : size_(in.size()) {}
  bool in_place() const override { return true; }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override { copy(p.images, x, y); }
  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T*) const override {
    copy(p.images, dy, dx);
  }
  void tangent_forward(const pass<T>& p, tangent<T> x, const T*, T* y_slope, const T*, T*) const override {
    copy(p.images, x.slope, y_slope);
  }
  void tangent_backward(const pass<T>& p, tangent<T>, tangent<T>, tangent<T> dy, T* dx_slope,
                        tangent<T>) const override {
    copy(p.images, dy.slope, dx_slope);
  }

 private:
  void copy(std::size_t images, const T* from, T* to) const {
    if (to != nullptr && to != from) std::copy_n(from, images * size_, to);
  }

  std::size_t size_;
};

}  // namespace detail

/// y = max(x, 0); its derivative at 0 is 0, its second derivative 0 everywhere. Works in place.
struct relu {
  static constexpr std::string_view name = "relu";

  [[nodiscard]] shape output(shape in) const { return in; }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder&, shape in) const {
    return std::make_unique<detail::rectifier<T>>(in);
  }
};

/// The image as one vector. Costs nothing; `dense` does without it.
struct flatten {
  static constexpr std::string_view name = "flatten";

  [[nodiscard]] shape output(shape in) const { return {in.size(), 1, 1}; }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder&, shape in) const {
    return std::make_unique<detail::same_numbers<T>>(in);
  }
};

}  // namespace polder::nn
