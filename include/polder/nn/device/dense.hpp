// polder — the fully connected layer on a backend's own memory.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "polder/nn/dense.hpp"
#include "polder/nn/device/shared.hpp"
#include "polder/nn/operation.hpp"

namespace polder::nn {
namespace detail::device {

/// With the images' numbers as columns, X (in, images) and Y (units, images):
///
///   Y = W X + b,      dW = dY X^T,      db = dY 1,      dX = W^T dY
///
/// An input with pixels is brought into that order first, and its gradient back.
template <class T, kernel_backend B>
class matrix_layer final : public operation<T> {
 public:
  matrix_layer(B backend, const dense& layer, binder& b, shape in)
      : backend_(std::move(backend)),
        in_(in),
        out_(layer.units),
        has_bias_(layer.bias),
        weight_(b.add("weight", {out_, in.size()}, deviation_of(layer.weights, in.size(), out_))),
        bias_(layer.bias ? b.add("bias", {out_}, {}) : 0) {}

  std::size_t scratch(std::size_t images) const override { return in_.pixels() == 1 ? 0 : padded(images * in_.size()); }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    backend_.gemm(transpose::no, transpose::no, out_, p.images, in_.size(), T{1}, p.parameters + weight_, in_.size(),
                  columns(p, x), p.images, T{0}, y, p.images);
    if (has_bias_) backend_.each(narrow_count(p.images * out_), add_bias<T>{p.images, p.parameters + bias_, y});
  }
  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T*) const override {
    if (p.gradient != nullptr) {
      backend_.gemm(transpose::no, transpose::yes, out_, in_.size(), p.images, T{1}, dy, p.images, columns(p, x),
                    p.images, p.overwrite ? T{0} : T{1}, p.gradient + weight_, in_.size());
      if (has_bias_) backend_.teams(out_, sum_rows<T>{p.images, dy, p.gradient + bias_, p.overwrite});
    }
    if (dx == nullptr) return;
    T* const to = in_.pixels() == 1 ? dx : p.scratch;
    backend_.gemm(transpose::yes, transpose::no, in_.size(), p.images, out_, T{1}, p.parameters + weight_, in_.size(),
                  dy, p.images, T{0}, to, p.images);
    if (to != dx)
      backend_.each(narrow_count(p.images * in_.size()), transpose_channels<T>{in_.pixels(), p.images, to, dx});
  }

 private:
  const T* columns(const pass<T>& p, const T* x) const {
    if (in_.pixels() == 1) return x;
    backend_.each(narrow_count(p.images * in_.size()), transpose_channels<T>{p.images, in_.pixels(), x, p.scratch});
    return p.scratch;
  }

  B backend_;
  shape in_;
  std::size_t out_;
  bool has_bias_;
  std::size_t weight_, bias_;
};

}  // namespace detail::device

template <class T, kernel_backend B>
[[nodiscard]] std::unique_ptr<operation<T>> bind_on(const B& backend, const dense& layer, binder& b, shape in) {
  return std::make_unique<detail::device::matrix_layer<T, B>>(backend, layer, b, in);
}

}  // namespace polder::nn
