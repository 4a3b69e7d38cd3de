// polder — coupled weight decay.
#pragma once

#include <cmath>
#include <tuple>

#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/ops/update.hpp"
#include "polder/update/part.hpp"

namespace polder {

/// The update without memory, for the rules that need none.
struct stateless {
  template <class Visitor>
  void visit(Visitor&&) {}
};

/// Coupled L2 weight decay: u = g + rate x. Put it before momentum: `chain{weight_decay{1e-4}, momentum{}}`.
///
/// Parameters: rate >= 0, in 1 / (learning rate x steps); default 1e-4, the habit of the decentralized-learning
/// literature (Lin et al. 2021). Applies to all parameters. State: none. Cost: no extra memory traffic.
struct weight_decay {
  double rate = 1e-4;

  template <class T, tensor_backend B>
  [[nodiscard]] stateless init(const B&, const layout&) const {
    require<config_error>(rate >= 0.0 && std::isfinite(rate), "weight_decay: rate is ", rate,
                          " but must be a finite number >= 0");
    return {};
  }
  template <class Context>
  [[nodiscard]] auto element(Context&, stateless&) const {
    using T = typename Context::value_type;
    return ops::decay<T>{static_cast<T>(rate)};
  }
  [[nodiscard]] std::tuple<> streams(stateless&) const { return {}; }
};

}  // namespace polder
