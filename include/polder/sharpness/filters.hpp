// polder — filters: the units in which a network's parameters are compared.
#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/sharpness/curvature.hpp"

namespace polder::sharpness {

namespace detail {

/// Calls `visit(first, count)` for the slices of a tensor along its first axis.
template <class Visit>
void for_filters(const tensor_info& tensor, const Visit& visit) {
  const std::size_t filters = tensor.shape.empty() ? 1 : tensor.shape.front();
  const std::size_t each = filters == 0 ? 0 : tensor.size() / filters;
  for (std::size_t f = 0; f < filters; ++f) visit(tensor.offset + f * each, each);
}

template <class T>
double norm_of(std::span<const T> x, std::size_t first, std::size_t count) {
  double squares = 0.0;
  for (const T number : x.subspan(first, count)) squares += static_cast<double>(number) * static_cast<double>(number);
  return std::sqrt(squares);
}

inline void require_scales(std::span<const double> scales, std::size_t n, const char* what) {
  require<config_error>(scales.empty() || scales.size() == n, what, ": ", scales.size(), " scales for ", n,
                        " parameters: give one for each (filter_scales), or none");
}
inline double scale_of(std::span<const double> scales, std::size_t i) { return scales.empty() ? 1.0 : scales[i]; }

}  // namespace detail

/// How far each parameter moves by one unit when lengths are relative to filters:
///
///     s_i = sum over the tensors of its layer of ||the slice f of the tensor||,      f the slice that i lies in
///
/// so ||w_f|| + |b_f| for the filter f of a convolution or the row f of a dense layer and for its bias, |gamma_c| +
/// |beta_c| for a norm. The tensors of a layer are those whose names agree up to the last '.' and whose first extents
/// are equal; a tensor whose name has no '.' is a layer of its own. In a network x = s x̂ every filter x̂ has unit scale,
/// and measures of L(s x̂) as a function of x̂ do not change when a filter is multiplied by a number that a norm takes
/// back. Where the next layer takes it back, that layer's own filters get another scale, and only what moves the first
/// filter alone stays the same. A filter of zeros has scale 0: it does not move.
///
/// Memory: n numbers. Errors: config_error if x does not fit the layout.
/// Source: the reparametrization of devansh20la/LPF-SGD.
template <class T>
[[nodiscard]] std::vector<double> filter_scales(const layout& tensors, std::span<const T> x) {
  require<config_error>(x.size() == tensors.size(), "filter_scales: ", x.size(), " parameters for a layout of ",
                        tensors.size());
  const auto layer_of = [](const tensor_info& tensor) {
    // With its dot, so that the layer "a." and a tensor "a" are two.
    const std::size_t dot = tensor.name.rfind('.');
    return std::pair(dot == std::string::npos ? tensor.name : tensor.name.substr(0, dot + 1),
                     tensor.shape.empty() ? std::size_t{1} : tensor.shape.front());
  };
  std::map<std::pair<std::string, std::size_t>, std::vector<double>> layers;
  for (const tensor_info& tensor : tensors.tensors()) {
    std::vector<double>& sums = layers[layer_of(tensor)];
    std::size_t f = 0;
    detail::for_filters(tensor, [&](std::size_t first, std::size_t count) {
      if (f == sums.size()) sums.push_back(0.0);
      sums[f++] += detail::norm_of(x, first, count);
    });
  }
  std::vector<double> scales(x.size());
  for (const tensor_info& tensor : tensors.tensors()) {
    const std::vector<double>& sums = layers[layer_of(tensor)];
    std::size_t f = 0;
    detail::for_filters(tensor, [&](std::size_t first, std::size_t count) {
      for (std::size_t i = first; i < first + count; ++i) scales[i] = sums[f];
      ++f;
    });
  }
  return scales;
}

/// S H S, S the diagonal of scales: the Hessian of L(s x̂) with respect to x̂, for every measure that takes an operator.
///
/// Memory: n numbers. Cost of a product: that of H. Errors: config_error for scales that do not fit.
template <symmetric_operator H>
class scaled_operator {
 public:
  scaled_operator(H& h, std::vector<double> scales) : h_(&h), scales_(std::move(scales)), scaled_(scales_.size()) {
    require<config_error>(scales_.size() == h.size(), "scaled_operator: ", scales_.size(), " scales for ", h.size(),
                          " parameters");
  }
  [[nodiscard]] std::size_t size() const { return scales_.size(); }
  void multiply(std::span<const double> v, std::span<double> hv) {
    detail::require_sizes(v.size(), hv.size(), size());
    for (std::size_t i = 0; i < v.size(); ++i) scaled_[i] = scales_[i] * v[i];
    h_->multiply(std::span<const double>(scaled_), hv);
    for (std::size_t i = 0; i < hv.size(); ++i) hv[i] *= scales_[i];
  }

 private:
  H* h_;
  std::vector<double> scales_, scaled_;
};

}  // namespace polder::sharpness
