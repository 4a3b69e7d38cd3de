// polder — relu and flatten on a backend's own memory.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "polder/nn/activation.hpp"
#include "polder/nn/device/shared.hpp"
#include "polder/nn/operation.hpp"

namespace polder::nn {
namespace detail::device {

/// y = max(x, 0). Written so that not-a-number passes: it must reach the loss, where the run stops.
template <class T>
struct rectify {
  const T* x;
  T* y;
  POLDER_HD void operator()(std::size_t i) const { y[i] = x[i] < T{0} ? T{0} : x[i]; }
};
/// dx = dy where y > 0, else 0
template <class T>
struct rectify_back {
  const T *y, *dy;
  T* dx;
  POLDER_HD void operator()(std::size_t i) const { dx[i] = y[i] > T{0} ? dy[i] : T{0}; }
};

template <class T, kernel_backend B>
class rectifier final : public operation<T> {
 public:
  rectifier(B backend, shape in) : backend_(std::move(backend)), size_(in.size()) {}
  bool in_place() const override { return true; }
  bool reads_output() const override { return true; }
  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    backend_.each(p.images * size_, rectify<T>{x, y});
  }
  void backward(const pass<T>& p, const T*, const T* y, const T* dy, T* dx, const T*) const override {
    if (dx != nullptr) backend_.each(p.images * size_, rectify_back<T>{y, dy, dx});
  }

 private:
  B backend_;
  std::size_t size_;
};

/// (C, N, P) becomes (C · P, N, 1).
template <class T, kernel_backend B>
class flattening final : public operation<T> {
 public:
  flattening(B backend, shape in) : backend_(std::move(backend)), in_(in) {}
  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    backend_.each(narrow_count(p.images * in_.size()), transpose_channels<T>{p.images, in_.pixels(), x, y});
  }
  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T*) const override {
    if (dx != nullptr)
      backend_.each(narrow_count(p.images * in_.size()), transpose_channels<T>{in_.pixels(), p.images, dy, dx});
  }

 private:
  B backend_;
  shape in_;
};

}  // namespace detail::device

template <class T, kernel_backend B>
[[nodiscard]] std::unique_ptr<operation<T>> bind_on(const B& backend, const relu&, binder&, shape in) {
  return std::make_unique<detail::device::rectifier<T, B>>(backend, in);
}
template <class T, kernel_backend B>
[[nodiscard]] std::unique_ptr<operation<T>> bind_on(const B& backend, const flatten&, binder&, shape in) {
  return std::make_unique<detail::device::flattening<T, B>>(backend, in);
}

}  // namespace polder::nn
