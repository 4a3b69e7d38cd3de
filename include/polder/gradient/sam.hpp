// polder — sharpness-aware minimization: the gradient at the worst point nearby.
#pragma once

#include <cmath>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/gradient/evaluate.hpp"
#include "polder/objective/finite.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/ascent.hpp"

namespace polder {

/// Whose gradient says where uphill is.
enum class sam_scope {
  worker,      ///< the worker's own ("m-SAM", the parallel form of the SAM paper)
  all_workers  ///< the mean of all workers' gradients, reduced before the ascent
};

/// SAM: the gradient at the point uphill, on the same minibatch.
///
///     g  = grad F(x; xi)                   scope = all_workers: the mean of these over the workers
///     e  = rho g / ||g||_2                 the norm over all parameters as one vector; e = 0 where ||g|| <= 1e-12
///     g~ = grad F(x + e; xi)               what the update rule gets
///
/// Parameters: rho >= 0, the radius, in units of the parameters; default 0.05 (Foret et al. 2021). rho = 0 is the plain
/// gradient and skips the second evaluation unless `force_second_pass` asks for it (the result is the same bit for bit).
/// Weight decay is an update rule, hence never part of e. scope: see sam_scope; default worker.
///
/// State: one double. Cost: 2 evaluations; 4 + 12 bytes per float32 parameter (norm, ascent): the ascent point is written
/// to a free buffer, so nothing is cloned or restored. scope = worker sends nothing; all_workers 2 (M - 1) / M n numbers
/// and costs a reduction and a copy (4 + 4/M + 8).
/// Errors: config_error for rho < 0; non_finite_error if the norm or the loss uphill is not finite.
/// Source: Foret, Kleiner, Mobahi, Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving Generalization",
/// ICLR 2021, algorithm 1 with p = 2.
struct sam {
  double rho = 0.05;
  bool force_second_pass = false;
  sam_scope scope = sam_scope::worker;

  template <class B>
  struct state {
    buffer_t<B, double> squared_norm;
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B> init(const B& backend, const layout&) const {
    require<config_error>(rho >= 0.0 && std::isfinite(rho), "sam: rho is ", rho, " but must be a finite number >= 0");
    return {backend.template zeros<double>(1)};
  }

  template <class Context, class F, class B, class T>
  auto gradient_at(Context& ctx, state<B>& s, F& f, view<typename Context::space, const T> z,
                   view<typename Context::space, T> g) const {
    const auto loss = evaluate(f, z, g);
    if (rho == 0.0 && !force_second_pass) return loss;
    if (scope == sam_scope::all_workers) ctx.replace_by_mean(g);
    ctx.backend.sum(z.size, ops::square{}, s.squared_norm.view(), in(g));
    require_finite(ctx, s.squared_norm.view().data);
    const auto z_up = ctx.params.writable_half(ctx.comm);
    ctx.backend.map(z.size, ops::ascent{rho, s.squared_norm.view().data}, in(z), in(g), out(z_up));
    require_finite_ascent(ctx, evaluate(f, z_up.as_const(), g));
    return loss;
  }
};

}  // namespace polder
