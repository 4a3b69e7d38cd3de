// A quadratic objective in any memory, whose gradient is one pass of its backend and never waits.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"
#include "polder/core/layout.hpp"
#include "polder/objective/objective.hpp"

// Named: nvcc launches kernels of these types.
namespace bowls {

/// g = (x - center) / 2
struct slope {
  template <class T>
  POLDER_HD void operator()(T x, T center, T& g) const {
    g = (x - center) / T{2};
  }
};

/// The loss is made up; tests that need one derive from it.
template <class Backend>
class bowl {
 public:
  using space = typename Backend::space;

  bowl(const Backend& backend, const std::vector<float>& center, polder::layout tensors)
      : backend_(backend), center_(backend.template zeros<float>(center.size())), tensors_(std::move(tensors)) {
    backend_.from_host(std::span<const float>(center), center_.view());
  }
  double loss_and_gradient(polder::detail::argument<space, const float> x,
                           polder::detail::argument<space, float> g) const {
    using polder::view;
    backend_.map(center_.size(), slope{}, polder::in(view<space, const float>(x)), polder::in(center_.view()),
                 polder::out(view<space, float>(g)));
    return 1.0;
  }
  [[nodiscard]] const polder::layout& layout() const { return tensors_; }

 private:
  Backend backend_;
  mutable polder::buffer_t<Backend, float> center_;
  polder::layout tensors_;
};

/// Two tensors, 1031 numbers: rules that work tensor by tensor have something to tell apart.
inline constexpr std::size_t two_tensors_size = 1031;
inline polder::layout two_tensors() {
  polder::layout tensors;
  tensors.add("matrix", {20, 50});
  tensors.add("bias", {31});
  return tensors;
}
/// cos(i + shift)
inline std::vector<float> waves(std::size_t n, float shift) {
  std::vector<float> center(n);
  for (std::size_t i = 0; i < n; ++i) center[i] = std::cos(static_cast<float>(i) + shift);
  return center;
}

}  // namespace bowls
