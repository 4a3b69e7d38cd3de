// polder — the plain gradient.
#pragma once

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/layout.hpp"
#include "polder/gradient/evaluate.hpp"

namespace polder {

/// The gradient as it is: g = grad F(x; xi).
///
/// State: none. Cost: 1 evaluation. Sends nothing.
struct plain {
  struct state {
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state init(const B&, const layout&) const {
    return {};
  }

  template <class Context, class F, class T>
  auto gradient_at(Context&, state&, F& f, view<typename Context::space, const T> z,
                   view<typename Context::space, T> g) const {
    return evaluate(f, z, g);
  }
};

}  // namespace polder
