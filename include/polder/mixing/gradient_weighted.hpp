// polder — the pull of GRAWA: toward an average in which small gradients weigh more.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/part.hpp"
#include "polder/mixing/pull.hpp"
#include "polder/objective/finite.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/ascent.hpp"
#include "polder/ops/pulls.hpp"

namespace polder {

/// For what a gradient norm is taken and a weight made.
enum class weights_per {
  model,  ///< MGRAWA: one weight for a worker, from the sum of its tensors' norms
  tensor  ///< LGRAWA: one for each of its tensors
};

/// Toward an average with weights inverse to the norms of the workers' gradients (GRAWA):
///
///     g_m = the gradient of a probe batch at x_m,     s_m <- memory s_m + (1 - memory) sum over tensors ||g_m,tensor||
///     w_m = (1 / s^_m) / sum_j (1 / s^_j),            s^_m = s_m / (1 - memory^k) in the k-th round
///     x_C = sum_m w_m x_m
///
/// With `per = tensor` norms, s and w are of each tensor alone. The probe batch is what the objective's `select_probe`
/// selects (of everybody's data), without it the minibatch of the last local step.
///
/// Parameters: memory in [0, 1); default 0.9^8 = 0.430467 (the authors' code). proximal in [0, 1): a pull toward the last
/// x_C in every local step, default 0; the recipes divide the authors' number by tau.
///
/// State: L doubles, n numbers of scratch, and n for the last x_C if proximal > 0. Cost: 1 evaluation a round; 4 bytes per
/// float32 parameter for the norms, 8 for weighting, 4 + 4/M for the reduction, 12 for the pull; 8 more a round and 4 more
/// in each local step with proximal. On a device one wait a round. Sends 2 (M - 1) / M n numbers, and 8 bytes, or 8 L, to
/// everyone.
/// Errors: config_error for memory or proximal out of range; non_finite_error for a norm that is not finite.
/// Source: Dimlioglu, Choromanska, "GRAWA: Gradient-based Weighted Averaging for Distributed Training of Deep Learning
/// Models", AISTATS 2024 (arXiv:2403.04206); the authors' code. Departures: norms of the mean loss, where the code sums
/// (the same weights); 1e-12 is added to s^, which may be 0.
struct gradient_weighted {
  weights_per per = weights_per::model;
  double memory = 0.43046721;
  double proximal = 0.0;

  static constexpr pull_time when = pull_time::later;
  static constexpr bool may_rest = false;
  static constexpr bool target_rounds = true;

  template <class B, class T>
  struct state {
    std::vector<detail::segment> tensors;
    std::vector<double> scores;  // s: one, or one for each tensor
    std::uint64_t rounds = 0;
    buffer_t<B, T> last;
    buffer_t<B, double> squared_norms;  // [L]
    buffer_t<B, T> weighted;
    std::vector<double> on_host;
    std::vector<double> unbiased;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("gradient_weighted.rounds", rounds);
      for (std::size_t k = 0; k < scores.size(); ++k) visitor(text("gradient_weighted.score.", k), scores[k]);
      visitor("gradient_weighted.last", last.view());
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    require<config_error>(memory >= 0.0 && memory < 1.0, "gradient_weighted: memory is ", memory,
                          " but must be in [0, 1)");
    detail::check_proximal("gradient_weighted", proximal);
    auto parts = detail::segments_of(tensors, true);
    const std::size_t count = parts.size();
    const std::size_t scores = per == weights_per::tensor ? count : 1;
    return {std::move(parts),
            std::vector<double>(scores, 0.0),
            0,
            backend.template zeros<T>(proximal > 0.0 ? tensors.size() : 0),
            backend.template zeros<double>(count),
            backend.template zeros<T>(tensors.size()),
            std::vector<double>(count),
            std::vector<double>(scores)};
  }
  [[nodiscard]] static constexpr double strength(double alpha, int /*workers*/) { return alpha; }
  static constexpr void check_push(bool /*from_average*/, bool /*exact*/) {}

  template <class Context, class B, class T>
  [[nodiscard]] local_pull<typename Context::space, T> local_step(Context&, state<B, T>& s) const {
    return {s.rounds > 0 ? proximal : 0.0, s.last.view()};
  }

  template <class Context, class B, class T>
  [[nodiscard]] view<typename Context::space, const T> target(Context& ctx, state<B, T>& s) const {
    score(ctx, s);
    const std::span<const double> all = ctx.gather(s.unbiased);
    const auto half = ctx.params.half();
    const auto mine = s.weighted.view();
    const auto workers = static_cast<std::size_t>(ctx.comm.size());
    const auto weigh = [&](std::size_t k, detail::segment part) {
      double sum = 0.0;
      for (std::size_t m = 0; m < workers; ++m) sum += 1.0 / all[m * s.scores.size() + k];
      const double weight = 1.0 / s.unbiased[k] / sum;
      ctx.backend.map(part.size, ops::scale{weight * static_cast<double>(workers)},
                      in(half.part(part.offset, part.size)), out(mine.part(part.offset, part.size)));
    };
    if (per == weights_per::model) {
      weigh(0, {0, half.size});
    } else {
      for (std::size_t k = 0; k < s.tensors.size(); ++k) weigh(k, s.tensors[k]);
    }
    const auto mean = ctx.comm.all_reduce_mean(ctx.backend, mine.as_const(), ctx.step).mean;
    if (proximal > 0.0) ctx.backend.copy(mean, s.last.view());
    return mean;
  }

 private:
  /// s and s^ of this round.
  template <class Context, class B, class T>
  void score(Context& ctx, state<B, T>& s) const {
    const auto g = ctx.probe(ctx.params.half());
    const auto norms = s.squared_norms.view();
    for (std::size_t k = 0; k < s.tensors.size(); ++k) {
      const auto [offset, size] = s.tensors[k];
      ctx.backend.sum(size, ops::square{}, norms.part(k, 1), in(g.part(offset, size)));
      require_finite(ctx, norms.data + k);
    }
    ctx.backend.to_host(norms.as_const(), std::span<double>(s.on_host));
    ++s.rounds;
    const double trusted = 1.0 - std::pow(memory, static_cast<double>(s.rounds));
    for (std::size_t k = 0; k < s.scores.size(); ++k) {
      double norm = 0.0;
      if (per == weights_per::tensor) {
        norm = std::sqrt(s.on_host[k]);
      } else {
        for (const double squared : s.on_host) norm += std::sqrt(squared);
      }
      s.scores[k] = memory * s.scores[k] + (1.0 - memory) * norm;
      s.unbiased[k] = s.scores[k] / trusted + ops::smallest_norm;
    }
  }
};

}  // namespace polder
