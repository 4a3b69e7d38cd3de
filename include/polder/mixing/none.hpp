// polder — no mixing.
#pragma once

#include <cstdint>
#include <type_traits>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/part.hpp"
#include "polder/ops/mixing.hpp"

namespace polder {

/// No mixing: x+ = x_half. Workers go their own ways; one worker trains alone.
///
/// State: none. Cost: no pass unless the update rule observes. Sends nothing.
struct none {
  struct state {
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state init(const B&, const layout&) const {
    return {};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }

  template <class Context, class Observation>
  bool mix(Context& ctx, state&, const Observation& observation) const {
    using observer = decltype(observation.element);
    if constexpr (!std::is_same_v<std::remove_const_t<observer>, ops::no_observer>) {
      detail::map_observed(ctx, ops::observe_only<observer>{observation.element}, observation.streams,
                           in(ctx.params.half()));
    }
    ctx.params.adopt_half();
    return true;
  }
};

}  // namespace polder
