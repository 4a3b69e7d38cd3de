// polder — the fully connected layer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/nn/initialization.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/product_kernels.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"
#include "polder/nn/transposition.hpp"

namespace polder::nn {

namespace detail {
template <class T>
class matrix_layer;
}

/// y = weight x + bias, with x the whole image as one vector.
///
/// Tensors: weight (units, in.size()), bias (units). Cost: 2 units · in.size() operations, three times that in
/// training.
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

/// Batches of at most `small_batch` images are multiplied where they lie: a general product would first pack the
/// weights, which costs as much as it gains when each of them is used so few times. Larger ones go to the backend.
///
/// The weights are (out, in), the images (images, in). Forward takes the transposed images as B, so that a vector holds
/// one feature of many images; the gradients take images and weights as they are. Columns beyond the last whole
/// vector go through a copy of their own.
template <class T>
class matrix_layer final : public operation<T> {
 public:
  matrix_layer(binder& b, const dense& layer, shape in)
      : in_(in.size()),
        out_(layer.units),
        whole_(in_ / lanes<T> * lanes<T>),
        has_bias_(layer.bias),
        weight_(b.add("weight", {out_, in_}, deviation_of(layer.weights, in_, out_))),
        bias_(layer.bias ? b.add("bias", {out_}, {}) : 0),
        forward_(regular_terms(in_, 1, tile)),
        over_images_(regular_terms(small_batch, out_, in_)),
        over_images_at_end_(regular_terms(small_batch, out_, lanes<T>)),
        over_units_(regular_terms(out_, 1, in_)),
        over_units_at_end_(regular_terms(out_, 1, lanes<T>)) {}

  std::size_t scratch(std::size_t images) const override {
    const std::size_t forward = (in_ + out_) * tile;
    const std::size_t backward = (images + out_) * lanes<T>;
    return padded(std::max(forward, backward));
  }

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    multiply_images(p, p.parameters, {{x, p.parameters}}, y);
  }

  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T*) const override {
    if (p.gradient != nullptr) {
      add_bias_gradient(p, dy);
      add_weight_gradient(p, dy, x, p.overwrite);
    }
    if (dx != nullptr) add_input_gradient(p, p.parameters, dy, dx, true);
  }

  // With the direction V in place of the weights W: y' = V x + W x', dx' = V^T dy + W^T dy', dW' = dy' x^T + dy x'^T.
  std::size_t tangent_scratch(std::size_t images) const override { return scratch(images); }
  void tangent_forward(const pass<T>& p, tangent<T> x, const T*, T* y_slope, const T*, T*) const override {
    multiply_images(p, p.direction, {{x.value, p.direction}, {x.slope, p.parameters}}, y_slope);
  }
  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T>, tangent<T> dy, T* dx_slope,
                        tangent<T>) const override {
    add_bias_gradient(p, dy.slope);
    add_weight_gradient(p, dy.slope, x.value, p.overwrite);
    if (x.slope != nullptr) add_weight_gradient(p, dy.value, x.slope, false);
    if (dx_slope == nullptr) return;
    add_input_gradient(p, p.parameters, dy.slope, dx_slope, true);
    add_input_gradient(p, p.direction, dy.value, dx_slope, false);
  }

 private:
  static constexpr std::size_t small_batch = 64;
  static constexpr std::size_t tile = 2 * lanes<T>;  // images at a time in forward
  static constexpr std::size_t slice = 256;          // features at a time: those of a tile fill the nearest cache

  static std::vector<term> regular_terms(std::size_t count, std::size_t a_step, std::size_t b_step) {
    std::vector<term> terms(count);
    for (std::size_t l = 0; l < count; ++l) {
      terms[l] = {static_cast<std::uint32_t>(l * a_step), static_cast<std::uint32_t>(l * b_step)};
    }
    return terms;
  }

  /// A factor of a sum of products: images, or nothing where their slope is 0, and the parameters that they meet.
  struct factor {
    const T* images;
    const T* parameters;
  };
  /// y = the sum of W x over the factors + bias
  void multiply_images(const pass<T>& p, const T* bias, std::initializer_list<factor> factors, T* y) const {
    if (p.images > small_batch) {
      for (std::size_t image = 0; image < p.images; ++image) begin_output(bias, y + image * out_);
      for (const factor& f : factors) {
        if (f.images == nullptr) continue;
        (*p.product)(transpose::no, transpose::yes, p.images, out_, in_, f.images, in_, f.parameters + weight_, in_,
                     T{1}, y, out_);
      }
      return;
    }
    T* const features = p.scratch;
    T* const units = features + in_ * tile;
    for (std::size_t first = 0; first < p.images; first += tile) {
      const std::size_t images = std::min(tile, p.images - first);
      const std::size_t columns = (images + lanes<T> - 1) / lanes<T> * lanes<T>;
      bool add = false;
      for (const factor& f : factors) {
        if (f.images == nullptr) continue;
        transpose_to_vectors<T, vector_bytes>(images, in_, f.images + first * in_, in_, features, tile);
        for (std::size_t l = 0; l < in_; l += slice) {
          indexed_product(out_, columns, std::min(slice, in_ - l), forward_.data() + l, f.parameters + weight_, in_,
                          features, units, tile, add);
          add = true;
        }
      }
      transpose_from_vectors<T, vector_bytes>(out_, images, units, tile, y + first * out_, out_);
      if (!has_bias_) continue;
      for (std::size_t image = first; image < first + images; ++image) {
        T* const to = y + image * out_;
        for_vectors<T>(out_, [&](auto at) { at.put(to, at.get(to) + at.get(bias + bias_)); });
      }
    }
  }
  void begin_output(const T* bias, T* y) const {
    if (has_bias_) {
      std::copy_n(bias + bias_, out_, y);
    } else {
      std::fill_n(y, out_, T{0});
    }
  }

  /// d bias (+)= dy
  void add_bias_gradient(const pass<T>& p, const T* dy) const {
    if (!has_bias_) return;
    T* const gradient = p.gradient + bias_;
    for_vectors<T>(out_, [&](auto at) {
      vec<T> sum = p.overwrite ? vec<T>{} : at.get(gradient);
      for (std::size_t image = 0; image < p.images; ++image) sum += at.get(dy + image * out_);
      at.put(gradient, sum);
    });
  }
  /// dW (+)= dy^T x
  void add_weight_gradient(const pass<T>& p, const T* dy, const T* x, bool overwrite) const {
    T* const gradient = p.gradient + weight_;
    if (p.images > small_batch) {
      (*p.product)(transpose::yes, transpose::no, out_, in_, p.images, dy, out_, x, in_, overwrite ? T{0} : T{1},
                   gradient, in_);
      return;
    }
    multiply(p, p.images, out_, 1, over_images_, over_images_at_end_, dy, x, gradient, !overwrite);
  }
  /// dx (+)= dy W
  void add_input_gradient(const pass<T>& p, const T* parameters, const T* dy, T* dx, bool overwrite) const {
    const T* const weight = parameters + weight_;
    if (p.images > small_batch) {
      (*p.product)(transpose::no, transpose::no, p.images, in_, out_, dy, out_, weight, in_, overwrite ? T{0} : T{1},
                   dx, in_);
      return;
    }
    multiply(p, out_, p.images, out_, over_units_, over_units_at_end_, dy, weight, dx, !overwrite);
  }

  /// C (+)= A B for B (depth, in) and C (rows, in).
  void multiply(const pass<T>& p, std::size_t depth, std::size_t rows, std::size_t a_row,
                const std::vector<term>& terms, const std::vector<term>& at_end, const T* a, const T* b, T* c,
                bool add) const {
    indexed_product(rows, whole_, depth, terms.data(), a, a_row, b, c, in_, add);
    const std::size_t rest = in_ - whole_;
    if (rest == 0) return;
    T* const end_of_b = p.scratch;
    T* const end_of_c = end_of_b + depth * lanes<T>;
    for (std::size_t l = 0; l < depth; ++l) {
      std::copy_n(b + l * in_ + whole_, rest, end_of_b + l * lanes<T>);
      std::fill_n(end_of_b + l * lanes<T> + rest, lanes<T> - rest, T{0});
    }
    indexed_product(rows, lanes<T>, depth, at_end.data(), a, a_row, end_of_b, end_of_c, lanes<T>);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < rest; ++j) {
        T& to = c[i * in_ + whole_ + j];
        to = (add ? to : T{0}) + end_of_c[i * lanes<T> + j];
      }
    }
  }

  std::size_t in_, out_;
  std::size_t whole_;  // columns in whole vectors
  bool has_bias_;
  std::size_t weight_, bias_;
  std::vector<term> forward_, over_images_, over_images_at_end_, over_units_, over_units_at_end_;
};

}  // namespace detail
}  // namespace polder::nn
