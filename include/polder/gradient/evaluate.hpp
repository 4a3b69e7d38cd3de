// polder — one evaluation of an objective on views of a backend's memory.
#pragma once

#include "polder/core/view.hpp"
#include "polder/objective/late_loss.hpp"
#include "polder/objective/objective.hpp"

namespace polder {

/// f.loss_and_gradient(x, g) with the arguments that objectives take: spans on the host, views elsewhere. Returns the loss,
/// a double or a late_loss.
template <class F, class Space, class T>
[[nodiscard]] auto evaluate(const F& f, view<Space, const T> x, view<Space, T> g) {
  static_assert(objective<F, Space, T>,
                "an objective needs `loss_and_gradient(std::span<const T> x, std::span<T> g) const` that returns the "
                "loss; see polder/objective/objective.hpp");
  const auto loss = f.loss_and_gradient(detail::argument<Space, const T>(x), detail::argument<Space, T>(g));
  if constexpr (is_late<decltype(loss)>) {
    return loss;
  } else {
    return static_cast<double>(loss);
  }
}

}  // namespace polder
