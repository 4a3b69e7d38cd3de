// polder — the fully connected layer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/nn/initialization.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn {

namespace detail {
template <class T>
class matrix_layer;
}

/// y = weight x + bias, with x the whole image as one vector.
///
/// Tensors: weight (units, in.size()), bias (units). Cost: 2 units · in.size() operations, three times that in training.
struct dense {
  static constexpr std::string_view name = "dense";

  std::size_t units = 1;  ///< length of the output
  bool bias = true;
  initial_weights weights = initial_weights::he_fan_in;

  [[nodiscard]] shape output(shape) const {
    require<config_error>(units >= 1, "dense: units 0 must be at least 1");
    return {units, 1, 1};
  }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder& b, shape in) const {
    return std::make_unique<detail::matrix_layer<T>>(b, *this, in);
  }
};

namespace detail {

template <class T>
class matrix_layer final : public operation<T> {
 public:
  matrix_layer(binder& b, const dense& layer, shape in)
      : in_(in.size()),
        out_(layer.units),
        has_bias_(layer.bias),
        weight_(b.add("weight", {out_, in_}, deviation_of(layer.weights, in_, out_))),
        bias_(layer.bias ? b.add("bias", {out_}, {}) : 0) {}

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    if (has_bias_) {
      for (std::size_t image = 0; image < p.images; ++image) {
        std::copy_n(p.parameters + bias_, out_, y + image * out_);
      }
    }
    (*p.product)(transpose::no, transpose::yes, p.images, out_, in_, x, in_, p.parameters + weight_, in_,
                 has_bias_ ? T{1} : T{0}, y, out_);
  }

  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T*) const override {
    const T keep = p.overwrite ? T{0} : T{1};
    (*p.product)(transpose::yes, transpose::no, out_, in_, p.images, dy, out_, x, in_, keep, p.gradient + weight_, in_);
    if (has_bias_) {
      T* const gradient = p.gradient + bias_;
      for_vectors<T>(out_, [&](auto at) {
        vec<T> sum = p.overwrite ? vec<T>{} : at.get(gradient);
        for (std::size_t image = 0; image < p.images; ++image) sum += at.get(dy + image * out_);
        at.put(gradient, sum);
      });
    }
    if (dx == nullptr) return;
    (*p.product)(transpose::no, transpose::no, p.images, in_, out_, dy, out_, p.parameters + weight_, in_, T{0}, dx,
                 in_);
  }

 private:
  std::size_t in_, out_;
  bool has_bias_;
  std::size_t weight_, bias_;
};

}  // namespace detail
}  // namespace polder::nn
