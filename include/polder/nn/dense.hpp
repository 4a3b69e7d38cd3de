// polder — the fully connected layer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
    if (p.images > small_batch) {
      for (std::size_t image = 0; image < p.images; ++image) begin_output(p, y + image * out_);
      (*p.product)(transpose::no, transpose::yes, p.images, out_, in_, x, in_, p.parameters + weight_, in_, T{1}, y,
                   out_);
      return;
    }
    T* const features = p.scratch;
    T* const units = features + in_ * tile;
    for (std::size_t first = 0; first < p.images; first += tile) {
      const std::size_t images = std::min(tile, p.images - first);
      const std::size_t columns = (images + lanes<T> - 1) / lanes<T> * lanes<T>;
      transpose_to_vectors<T, vector_bytes>(images, in_, x + first * in_, in_, features, tile);
      for (std::size_t l = 0; l < in_; l += slice) {
        indexed_product(out_, columns, std::min(slice, in_ - l), forward_.data() + l, p.parameters + weight_, in_,
                        features, units, tile, l != 0);
      }
      transpose_from_vectors<T, vector_bytes>(out_, images, units, tile, y + first * out_, out_);
      if (!has_bias_) continue;
      const T* const bias = p.parameters + bias_;
      for (std::size_t image = first; image < first + images; ++image) {
        T* const to = y + image * out_;
        for_vectors<T>(out_, [&](auto at) { at.put(to, at.get(to) + at.get(bias)); });
      }
    }
  }

  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T*) const override {
    if (has_bias_) {
      T* const gradient = p.gradient + bias_;
      for_vectors<T>(out_, [&](auto at) {
        vec<T> sum = p.overwrite ? vec<T>{} : at.get(gradient);
        for (std::size_t image = 0; image < p.images; ++image) sum += at.get(dy + image * out_);
        at.put(gradient, sum);
      });
    }
    T* const weight_gradient = p.gradient + weight_;
    const T* const weight = p.parameters + weight_;
    if (p.images > small_batch) {
      (*p.product)(transpose::yes, transpose::no, out_, in_, p.images, dy, out_, x, in_, p.overwrite ? T{0} : T{1},
                   weight_gradient, in_);
      if (dx == nullptr) return;
      (*p.product)(transpose::no, transpose::no, p.images, in_, out_, dy, out_, weight, in_, T{0}, dx, in_);
      return;
    }
    multiply(p, p.images, out_, 1, over_images_, over_images_at_end_, dy, x, weight_gradient, !p.overwrite);
    if (dx != nullptr) multiply(p, out_, p.images, out_, over_units_, over_units_at_end_, dy, weight, dx, false);
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

  void begin_output(const pass<T>& p, T* y) const {
    if (has_bias_) {
      std::copy_n(p.parameters + bias_, out_, y);
    } else {
      std::fill_n(y, out_, T{0});
    }
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
