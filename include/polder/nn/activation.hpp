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
    for_vectors<T>(p.images * size_, [&](auto at) { at.put(dx, at.get(y) > T{0} ? at.get(dy) : vec<T>{}); });
  }

 private:
  std::size_t size_;
};

template <class T>
class same_numbers final : public operation<T> {
 public:
  explicit same_numbers(shape in) : size_(in.size()) {}
  bool in_place() const override { return true; }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    if (x != y) std::copy_n(x, p.images * size_, y);
  }
  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T*) const override {
    if (dx != nullptr && dx != dy) std::copy_n(dy, p.images * size_, dx);
  }

 private:
  std::size_t size_;
};

}  // namespace detail

/// y = max(x, 0); its derivative at 0 is 0. Works in place.
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
