// polder — one evaluation of an objective on views of a backend's memory.
#pragma once

#include "polder/core/view.hpp"
#include "polder/objective/objective.hpp"

namespace polder {

/// f.loss_and_gradient(x, g) with the arguments that objectives take: spans on the host, views elsewhere.
template <class F, class Space, class T>
[[nodiscard]] double evaluate(const F& f, view<Space, const T> x, view<Space, T> g) {
  static_assert(objective<F, Space, T>,
                "an objective needs `loss_and_gradient(std::span<const T> x, std::span<T> g) const` that returns the "
                "loss; see polder/objective/objective.hpp");
  return static_cast<double>(f.loss_and_gradient(detail::argument<Space, const T>(x), detail::argument<Space, T>(g)));
}

}  // namespace polder
