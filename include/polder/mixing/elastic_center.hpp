// polder — the pull of elastic averaging: a center that follows the workers.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/mixing/pull.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/pulls.hpp"

namespace polder {

/// Toward an elastic center z (EASGD), with y_m the half step (or, with of = before_step, the parameters before it):
///
///     x_m+ = x_m_half - (alpha / M) (y_m - z),      z+ = z + alpha (1/M) sum_m (y_m - z)          both from the old z
///
/// The workers' pull is alpha / M, not alpha: with a push the limit width is M times that of the same numbers with another
/// pull. alpha = 0 leaves the workers alone. Every worker keeps its own copy of z, which begins at the mean of the workers'
/// starts (not counted as sent), and all copies stay the same bits. z is the model to evaluate.
///
/// Parameters: server: the copies of z are not made by everybody from the reduced average; worker 0 collects the y_m,
/// moves z and sends it to all. The same bits for twice the numbers; no average, so the push must go from the target.
/// of: half_step (default; the form of the groups that compare EASGD with leader methods) or before_step (the synchronous
/// textbook form, in which gradient and pull are taken at the same point).
///
/// State: z (n numbers). Cost: the reduction (4 + 4/M bytes per float32 parameter), then 20 in one pass (before_step: 24).
/// Sends 2 (M - 1) / M n numbers, with a server n from each worker and n to it.
/// Errors: config_error for a server whose push goes from the average or is exact, or that is asked for before_step.
/// Source: Zhang, Choromanska, LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015; the code of LSGD and GRAWA
/// for the synchronous form after tau local steps.
struct elastic_center {
  bool server = false;
  mixed of = mixed::half_step;

  static constexpr pull_time when = pull_time::elastic;
  static constexpr bool may_rest = true;
  static constexpr bool target_rounds = false;

  template <class B, class T>
  struct state {
    buffer_t<B, T> center;
    std::vector<outgoing> sends{};
    std::vector<incoming> receives{};
    std::vector<weighted<typename B::space, T>> terms{};
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("elastic_center", center.view());
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    require<config_error>(!server || of == mixed::half_step,
                          "elastic_center: a server takes the half step: leave `of` at mixed::half_step");
    return {backend.template zeros<T>(tensors.size())};
  }
  [[nodiscard]] bool takes_before_step() const { return of == mixed::before_step; }
  [[nodiscard]] static double strength(double alpha, int workers) { return alpha / workers; }
  void check_push(bool from_average, bool exact) const {
    require<config_error>(!server || !(from_average || exact),
                          "elastic_center: with a server nobody knows the average: push from the target "
                          "(push_reference::target), not exactly, or keep a center on every worker (server = false)");
  }
  template <class Context, class B, class T>
  void begin(Context& ctx, state<B, T>& s) const {
    auto& quiet = uncounted(ctx.comm);
    ctx.backend.copy(quiet.all_reduce_mean(ctx.backend, ctx.params.x(), ctx.step).mean, s.center.view());
    quiet.release();
  }
  template <class Context, class B, class T>
  [[nodiscard]] view<typename Context::space, const T> model(Context&, state<B, T>& s) const {
    return s.center.view();
  }
  [[nodiscard]] static const char* model_name() { return "elastic center"; }

  /// Worker 0 collects the half steps, moves the center and sends it to all.
  template <class Context, class B, class T>
  void meet_at_server(Context& ctx, state<B, T>& s, double alpha) const {
    const int workers = ctx.comm.size();
    const bool serves = ctx.comm.rank() == 0;
    const auto half = ctx.params.half();
    const auto post = [&](bool up, view<typename Context::space, const T> mine) {
      s.sends.clear();
      s.receives.clear();
      for (int peer = serves ? 1 : 0; peer < (serves ? workers : 1); ++peer) {
        if (up == serves) {
          s.receives.push_back({peer, mine.size * sizeof(T)});
        } else {
          s.sends.push_back(send_to(peer, mine));
        }
      }
      ctx.comm.post({s.sends, s.receives, ctx.step, true});
      return ctx.comm.wait();
    };
    const std::span<const message> halves = post(true, half);
    if (serves) {
      s.terms.assign(1, {half, 1.0 / workers});
      for (const message& other : halves) {
        s.terms.push_back({as_vector<typename Context::space, T>(other), 1.0 / workers});
      }
      ctx.comm.reclaim(s.center.view().data);
      ctx.backend.combine(std::span<const weighted<typename B::space, T>>(s.terms), ops::follow{alpha},
                          inout(s.center.view()));
    }
    ctx.comm.release();
    const std::span<const message> center = post(false, s.center.view());
    if (!serves) ctx.backend.copy(as_vector<typename Context::space, T>(center.front()), s.center.view());
  }
};

}  // namespace polder
