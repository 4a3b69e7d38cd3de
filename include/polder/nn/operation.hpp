// polder — the run-time side of a layer: what a network becomes once its shapes are known.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/nn/shape.hpp"

namespace polder::nn {

/// The matrix product of a backend behind one virtual call, so that layers are compiled without knowing the backend.
/// Arguments as in `matrix_backend`, with alpha = 1.
template <class T>
class matrix_product {
 public:
  virtual ~matrix_product() = default;
  virtual void operator()(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, const T* a,
                          std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const = 0;
};

/// What an operation is given besides its activations.
template <class T>
struct pass {
  std::size_t images = 0;         ///< in this chunk of the batch
  const T* parameters = nullptr;  ///< the flat parameter vector
  const T* direction = nullptr;   ///< the flat vector along which the tangent calls differentiate
  T* gradient = nullptr;          ///< the flat gradient, of tangent calls its derivative; null: not wanted
  bool overwrite = true;          ///< whether gradients replace what is there (the first chunk) or are added
  const matrix_product<T>* product = nullptr;
  T* scratch = nullptr;  ///< `operation::scratch` or `tangent_scratch` numbers for this call alone
  T* kept = nullptr;     ///< where backward leaves `operation::kept` numbers per image; null: nowhere

  /// The same pass with the first `count` numbers of scratch set aside.
  [[nodiscard]] pass after(std::size_t count) const {
    pass rest = *this;
    rest.scratch += count;
    return rest;
  }
};

/// Numbers and their derivative along a direction; `slope` is null where that is zero.
template <class T>
struct tangent {
  const T* value = nullptr;
  const T* slope = nullptr;
};

/// A layer bound to the shape of its input and to its place in the flat vector. Immutable: one operation serves all
/// threads; whatever changes lies in the workspace. All sizes count numbers, all arrays are (images, channels, height,
/// width), and all work is fixed in order, so equal input gives equal bits.
///
/// The tangent calls are the derivatives of forward and backward along a direction: of the parameters (`pass::direction`)
/// and of the input. After forward and backward they give the product of the Hessian with that direction, exactly. They
/// are free to read all that forward and backward were given, but for what in_place and reads_output give away; an
/// operation that works in place does not read dy's value either.
///
/// A new kind of layer derives from it; see `layer` for its other half. Without tangent calls of its own it trains as any
/// other, but its network has no exact products with the Hessian.
template <class T>
class operation {
 public:
  virtual ~operation() = default;

  /// Numbers per image kept from the forward to the backward pass, besides input and output. A multiple of 16.
  [[nodiscard]] virtual std::size_t saved() const { return 0; }
  /// Numbers needed during one call.
  [[nodiscard]] virtual std::size_t scratch(std::size_t /*images*/) const { return 0; }
  /// Numbers needed during one tangent call.
  [[nodiscard]] virtual std::size_t tangent_scratch(std::size_t /*images*/) const { return 0; }
  /// Numbers per image that backward leaves for tangent_backward. A multiple of 16.
  [[nodiscard]] virtual std::size_t kept() const { return 0; }
  /// Whether forward may be called with y = x and backward with dx = dy; such an operation does not read x in backward.
  [[nodiscard]] virtual bool in_place() const { return false; }
  /// Whether backward reads y. If not, the next operation may work in place and y is not what it was.
  [[nodiscard]] virtual bool reads_output() const { return false; }

  /// y = f(x)
  virtual void forward(const pass<T>& p, const T* x, T* y, T* saved) const = 0;
  /// dx = df/dx^T dy (left out where dx is null), and the parameters' gradients.
  virtual void backward(const pass<T>& p, const T* x, const T* y, const T* dy, T* dx, const T* saved) const = 0;
  /// The derivative of y, and of what forward saved. An operation without parameters is never given an x without slope.
  virtual void tangent_forward(const pass<T>&, tangent<T> /*x*/, const T* /*y*/, T* /*y_slope*/, const T* /*saved*/,
                               T* /*saved_slope*/) const {
    no_tangent();
  }
  /// The derivative of dx and of the parameters' gradients. dx_slope is null where x has no slope.
  virtual void tangent_backward(const pass<T>&, tangent<T> /*x*/, tangent<T> /*y*/, tangent<T> /*dy*/, T* /*dx_slope*/,
                                tangent<T> /*saved*/) const {
    no_tangent();
  }

 private:
  [[noreturn]] static void no_tangent() {
    fail<config_error>(
        "a layer of this network has no tangent_forward and tangent_backward, which exact products with the Hessian "
        "need: write them, or use central differences");
  }
};

/// The distribution of a tensor's first values: normal with this standard deviation around a mean.
struct initial_values {
  double mean = 0;
  double deviation = 0;
};

namespace detail {

/// The numbers from index `count` on; what is null stays null.
template <class T>
[[nodiscard]] constexpr T* advanced(T* numbers, std::size_t count) {
  return numbers == nullptr ? nullptr : numbers + count;
}
template <class T>
[[nodiscard]] constexpr tangent<T> advanced(tangent<T> t, std::size_t count) {
  return {advanced(t.value, count), advanced(t.slope, count)};
}

/// Rounds a count of numbers up to whole cache lines.
[[nodiscard]] constexpr std::size_t padded(std::size_t count) { return (count + 15) / 16 * 16; }

}  // namespace detail

/// Hands out places in the flat parameter vector while a network is bound, and names them.
class binder {
 public:
  /// Appends a tensor of the present layer; returns its offset in the flat vector.
  std::size_t add(std::string_view tensor, std::vector<std::size_t> shape, initial_values first) {
    initial_.push_back(first);
    return layout_.add(prefix_ + std::string(tensor), std::move(shape));
  }
  /// Binds a layer under the name `name`: its tensors are called "name.tensor".
  template <class Bind>
  auto inside(std::string_view name, const Bind& bind) {
    const std::size_t length = prefix_.size();
    prefix_ += name;
    prefix_ += '.';
    auto bound = bind();
    prefix_.resize(length);
    return bound;
  }

  [[nodiscard]] const polder::layout& layout() const { return layout_; }
  /// Of each tensor of the layout.
  [[nodiscard]] const std::vector<initial_values>& initial() const { return initial_; }

 private:
  polder::layout layout_;
  std::vector<initial_values> initial_;
  std::string prefix_;
};

}  // namespace polder::nn
