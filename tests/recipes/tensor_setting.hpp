// The setting of the recipes with parameters that are three tensors, for what works tensor by tensor.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "polder/core/layout.hpp"
#include "recipes/setting.hpp"
#include "recipes/stacked_cross_gradients.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace polder::test {

/// Where the tensors end.
inline const std::vector<std::size_t> tensor_ends{6, 7, 21};

/// A quadratic whose parameters are three tensors.
struct in_tensors {
  quadratics::objective f;
  template <class T>
  double loss_and_gradient(std::span<const T> x, std::span<T> g) const {
    return f.loss_and_gradient(x, g);
  }
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return f.loss_and_gradient(x, g); }
  double loss_and_gradient(std::span<const double> x, std::span<double> g) const { return f.loss_and_gradient(x, g); }
  [[nodiscard]] polder::layout layout() const {
    polder::layout tensors;
    tensors.add("a", {2, 3});
    tensors.add("b", {1});
    tensors.add("c", {14});
    return tensors;
  }
};

struct tensor_setting : setting {
  using setting::setting;

  template <class T, class Backend, class Algorithm>
  [[nodiscard]] stacked<T> train(const Backend& backend, const Algorithm& parts) const {
    return train_on<T>(backend, parts, [this](int i) { return in_tensors{f.of(i)}; });
  }
  [[nodiscard]] rows expected(const cross_method& method) const {
    return stacked_cross_gradients(problem, start(), steps, method);
  }
  [[nodiscard]] aggregation mean(double a) const { return neighborhood_mean(problem, a); }
  [[nodiscard]] aggregation program() const { return program_per_tensor(problem, tensor_ends); }
};

}  // namespace polder::test
