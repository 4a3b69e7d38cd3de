// polder — adaptive sharpness-aware minimization: the radius in units of each parameter.
#pragma once

#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/gradient/evaluate.hpp"
#include "polder/objective/finite.hpp"
#include "polder/ops/ascent.hpp"

namespace polder {

/// ASAM: like SAM, with a neighborhood that scales with the parameters.
///
///     g  = grad F(x; xi)
///     t  = |x| + eta in tensors whose name contains "weight", 1 in the others
///     e  = rho t^2 g / ||t g||_2           elementwise products; e = 0 where ||t g|| <= 1e-12
///     g~ = grad F(x + e; xi)
///
/// Parameters: rho >= 0, relative; default 0.5. eta >= 0; default 0.01. Both defaults: the authors' code (class ASAM).
/// `all_adaptive` takes t = |x| + eta everywhere (with eta = 0: the "adaptive" switch of the common PyTorch SAM).
/// A layout without tensors is one weight tensor.
///
/// State: a double per run of tensors of one kind. Cost: 2 evaluations; 8 + 12 bytes per float32 parameter.
/// Source: Kwon, Kim, Park, Choi, "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant Learning of Deep
/// Neural Networks", ICML 2021.
struct asam {
  double rho = 0.5;
  double eta = 0.01;
  bool all_adaptive = false;
  bool force_second_pass = false;

  /// Neighboring tensors of one kind.
  struct group {
    std::size_t offset = 0;
    std::size_t size = 0;
    bool adaptive = true;
  };
  template <class B>
  struct state {
    std::vector<group> groups;
    buffer_t<B, double> squared_norms;
    template <class Visitor>
    void visit(Visitor&&) {}
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B> init(const B& backend, const layout& tensors) const {
    require<config_error>(rho >= 0.0 && std::isfinite(rho), "asam: rho is ", rho, " but must be a finite number >= 0");
    require<config_error>(eta >= 0.0 && std::isfinite(eta), "asam: eta is ", eta, " but must be a finite number >= 0");
    std::vector<group> groups;
    for (const tensor_info& tensor : tensors.tensors()) {
      const bool adaptive = all_adaptive || tensors.tensors().size() == 1 ||
                            std::string_view(tensor.name).find("weight") != std::string_view::npos;
      if (groups.empty() || groups.back().adaptive != adaptive) groups.push_back({tensor.offset, 0, adaptive});
      groups.back().size += tensor.size();
    }
    auto norms = backend.template zeros<double>(groups.size());
    return {std::move(groups), std::move(norms)};
  }

  template <class Context, class F, class B, class T>
  auto gradient_at(Context& ctx, state<B>& s, F& f, view<typename Context::space, const T> z,
                   view<typename Context::space, T> g) const {
    const auto loss = evaluate(f, z, g);
    if (rho == 0.0 && !force_second_pass) return loss;
    const auto norms = s.squared_norms.view();
    for (std::size_t k = 0; k < s.groups.size(); ++k) {
      const auto [offset, size, adaptive] = s.groups[k];
      ctx.backend.sum(size, ops::adaptive_square{eta, adaptive}, norms.part(k, 1), in(z.part(offset, size)),
                      in(g.part(offset, size)));
      require_finite(ctx, norms.data + k);
    }
    const auto z_up = ctx.params.writable_half(ctx.comm);
    for (const auto& [offset, size, adaptive] : s.groups) {
      ctx.backend.map(size, ops::adaptive_ascent{rho, eta, adaptive, norms.data, norms.size}, in(z.part(offset, size)),
                      in(g.part(offset, size)), out(z_up.part(offset, size)));
    }
    require_finite_ascent(ctx, evaluate(f, z_up.as_const(), g));
    return loss;
  }
};

}  // namespace polder
