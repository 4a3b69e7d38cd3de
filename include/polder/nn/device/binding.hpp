// polder — from the description of a network to its operations on a backend's own memory.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "polder/core/error.hpp"
#include "polder/nn/device/activation.hpp"
#include "polder/nn/device/convolution.hpp"
#include "polder/nn/device/dense.hpp"
#include "polder/nn/device/normalization.hpp"
#include "polder/nn/device/pooling.hpp"
#include "polder/nn/layer.hpp"
#include "polder/nn/residual.hpp"
#include "polder/nn/sequential.hpp"

namespace polder::nn {
namespace detail::device {

/// to = a + b
template <class T>
struct add_numbers {
  const T *a, *b;
  T* to;
  POLDER_HD void operator()(std::size_t i) const { to[i] = a[i] + b[i]; }
};
template <class T, kernel_backend B>
struct addition {
  B backend;
  void operator()(std::size_t n, const T* a, const T* b, T* to) const { backend.each(n, add_numbers<T>{a, b, to}); }
};

/// Binds layers of the kinds listed: for each there is a bind_on<T>(backend, description, binder, shape).
template <class T, kernel_backend B, class... Kinds>
class binding {
 public:
  explicit binding(const B& backend) : backend_(backend) {}

  [[nodiscard]] std::unique_ptr<operation<T>> operator()(const sequential& network, binder& b, shape in) const {
    return std::make_unique<chain_of_operations<T>>(b, network.layers(), in, *this);
  }
  [[nodiscard]] std::unique_ptr<operation<T>> operator()(const layer& l, binder& b, shape in) const {
    if (const auto* const inner = l.as<sequential>()) return (*this)(*inner, b, in);
    if (const auto* const blocks = l.as<residual>()) {
      return std::make_unique<sum_of_branches<T, addition<T, B>>>(b, *blocks, in, blocks->output(in), *this,
                                                                  addition<T, B>{backend_});
    }
    std::unique_ptr<operation<T>> bound;
    (void)((bound = bound_as<Kinds>(l, b, in)) || ...);
    require<config_error>(bound != nullptr, "layer '", l.name(),
                          "' has no form for a backend's own memory: write a bind_on<T>(backend, layer, binder, shape) "
                          "for it and name its type in nn::device_model");
    return bound;
  }

 private:
  template <class Kind>
  [[nodiscard]] std::unique_ptr<operation<T>> bound_as(const layer& l, binder& b, shape in) const {
    const Kind* const description = l.as<Kind>();
    if (description == nullptr) return nullptr;
    return bind_on<T>(backend_, *description, b, in);
  }

  const B& backend_;
};

/// The layers of polder, and those of a user.
template <class T, kernel_backend B, class... Others>
using usual_binding =
    binding<T, B, conv2d, dense, relu, max_pool, avg_pool, group_norm, evonorm_s0, flatten, Others...>;

}  // namespace detail::device
}  // namespace polder::nn
