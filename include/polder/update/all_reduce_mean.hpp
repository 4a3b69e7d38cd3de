// polder — the mean of all workers' gradients.
#pragma once

#include <tuple>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/layout.hpp"
#include "polder/ops/update.hpp"

namespace polder {

/// Synchronous data-parallel training: g <- (1/M) sum_m g_m.
///
/// Put it first, `chain{all_reduce_mean{}, weight_decay{}, nesterov{}}` with `none` as mixing rule: workers that start equal
/// stay the same bits, and with them their momentum. A clip_norm behind it clips the mean gradient, one before it the
/// worker's own.
///
/// State: none. Cost: the reduction (4 + 4/M bytes per float32 parameter) and a copy of 8. Sends 2 (M - 1) / M n numbers a
/// step.
struct all_reduce_mean {
  struct state {
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state init(const B&, const layout&) const {
    return {};
  }
  template <class Context, class T>
  void prepare(Context& ctx, state&, view<typename Context::space, T> g) const {
    ctx.replace_by_mean(g);
  }
  template <class Context>
  [[nodiscard]] ops::unchanged element(Context&, state&) const {
    return {};
  }
  [[nodiscard]] std::tuple<> streams(state&) const { return {}; }
};

}  // namespace polder
